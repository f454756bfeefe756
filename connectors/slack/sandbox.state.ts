import type { Clock } from '../../src/kit/index.ts';

export interface SlackUser {
  id: string;
  team_id: string;
  name: string;
  real_name: string;
  deleted: boolean;
  is_bot: boolean;
  is_app_user: boolean;
  is_restricted: boolean;
  is_ultra_restricted: boolean;
  tz: string;
  tz_label: string;
  tz_offset: number;
  updated: number;
  profile: Record<string, string>;
}

export interface SlackChannel {
  id: string;
  name: string;
  is_private: boolean;
  is_archived: boolean;
  is_im: boolean;
  /** Whether the bot is in it. */
  is_member: boolean;
  /** The other side of a direct conversation. */
  user?: string;
}

export interface SlackMessage {
  type: 'message';
  channel: string;
  ts: string;
  text: string;
  user?: string;
  bot_id?: string;
  blocks: Block[];
  metadata?: { event_type: string; event_payload: Record<string, unknown> };
  edited?: { user: string; ts: string };
}

export interface Block {
  type: string;
  text?: { type: string; text: string };
  fields?: { type: string; text: string }[];
  elements?: {
    type: string;
    text?: { type: string; text: string };
    action_id?: string;
    value?: string;
    url?: string;
  }[];
}

/** What the simulated Slack workspace holds. */
export class SlackState {
  readonly team = { id: 'T0SIM0001', name: 'Simulated workspace', url: 'https://simulated.slack.com/' };
  readonly bot = { userId: 'U0BOT0001', botId: 'B0BOT0001', appId: 'A0SIM0001' };
  readonly users = new Map<string, SlackUser>();
  readonly channels = new Map<string, SlackChannel>();
  readonly messages: SlackMessage[] = [];
  /** Somebody took the app out of the workspace: no token is worth anything any more. */
  installed = true;
  /** Milliseconds for which history does not show a new message yet. */
  lateIndexMs = 0;
  private readonly clock: Clock;
  private counter = 0;

  constructor(clock: Clock) {
    this.clock = clock;
    this.addUser('Rapport', '', { id: this.bot.userId, is_bot: true });
    this.addUser('Slackbot', '', { id: 'USLACKBOT' });
  }

  private nextId(prefix: string): string {
    this.counter += 1;
    return `${prefix}0SIM${String(this.counter).padStart(5, '0')}`;
  }

  private epoch(): number {
    return Math.floor(this.clock.now().getTime() / 1000);
  }

  /** A message's time, which is its id: unique, growing, and more digits than a number keeps. */
  private stamp(): string {
    this.counter += 1;
    return `${this.epoch()}.${String(this.counter).padStart(6, '0')}`;
  }

  addUser(realName: string, email: string, more: Partial<SlackUser> = {}): SlackUser {
    const user: SlackUser = {
      id: this.nextId('U'),
      team_id: this.team.id,
      name: realName.toLowerCase().replaceAll(' ', '.'),
      real_name: realName,
      deleted: false,
      is_bot: false,
      is_app_user: false,
      is_restricted: false,
      is_ultra_restricted: false,
      tz: 'America/New_York',
      tz_label: 'Eastern Standard Time',
      tz_offset: -18_000,
      updated: this.epoch(),
      profile: {
        real_name: realName,
        real_name_normalized: realName,
        display_name: '',
        display_name_normalized: '',
        avatar_hash: 'g0a1b2c3d4e5',
        title: '',
        phone: '',
        skype: '',
        status_text: '',
        status_emoji: '',
        ...(email ? { email } : {}),
      },
      ...more,
    };
    this.users.set(user.id, user);
    return user;
  }

  changeUser(id: string, change: Partial<SlackUser>): SlackUser {
    const user = this.users.get(id)!;
    Object.assign(user, { updated: this.epoch() }, change, { profile: { ...user.profile, ...change.profile } });
    return user;
  }

  addChannel(name: string, more: Partial<SlackChannel> = {}): SlackChannel {
    const base = { id: this.nextId('C'), name, is_private: false, is_archived: false, is_im: false, is_member: false };
    const channel = { ...base, ...more };
    this.channels.set(channel.id, channel);
    return channel;
  }

  /** The direct conversation of the bot with a person, made at the first use. */
  openIm(user: string): SlackChannel {
    const known = [...this.channels.values()].find((channel) => channel.user === user);
    return known ?? this.addChannel('', { id: this.nextId('D'), is_im: true, is_private: true, is_member: true, user });
  }

  post(channel: string, content: Pick<SlackMessage, 'text' | 'blocks' | 'metadata'>): SlackMessage {
    const message: SlackMessage = {
      type: 'message',
      channel,
      ts: this.stamp(),
      user: this.bot.userId,
      bot_id: this.bot.botId,
      ...content,
    };
    this.messages.push(message);
    return message;
  }

  /** Something a person writes. */
  say(channel: string, user: string, text: string): SlackMessage {
    const message: SlackMessage = { type: 'message', channel, ts: this.stamp(), user, text, blocks: [] };
    this.messages.push(message);
    return message;
  }

  find(channel: string, ts: string): SlackMessage | undefined {
    return this.messages.find((message) => message.channel === channel && message.ts === ts);
  }

  update(message: SlackMessage, content: Pick<SlackMessage, 'text' | 'blocks'>): void {
    Object.assign(message, content, { edited: { user: this.bot.userId, ts: this.stamp() } });
  }

  /** Newest first, as the vendor lists them. */
  history(channel: string, oldest: string | undefined, latest: string | undefined, inclusive: boolean): SlackMessage[] {
    const visible = (this.clock.now().getTime() - this.lateIndexMs) / 1000;
    const inside = ({ ts }: SlackMessage): boolean =>
      (this.lateIndexMs === 0 || Math.floor(Number(ts)) <= visible) &&
      (inclusive ? Number(ts) >= Number(oldest ?? 0) : Number(ts) > Number(oldest ?? 0)) &&
      (latest === undefined || (inclusive ? Number(ts) <= Number(latest) : Number(ts) < Number(latest)));
    return this.messages.filter((message) => message.channel === channel && inside(message)).reverse();
  }

  report(): Record<string, number> {
    const people = [...this.users.values()].filter((user) => !user.is_bot && !user.deleted && user.id !== 'USLACKBOT');
    const ours = this.messages.filter((message) => message.bot_id !== undefined);
    return { people: people.length, messages: ours.length, updated: ours.filter((message) => message.edited).length };
  }
}
