import {
  defineWebhooks,
  formOf,
  type HookEvent,
  jsonOf,
  listAt,
  type RawHook,
  textAt,
  type Verdict,
} from '../../src/kit/index.ts';
import { ACKNOWLEDGE } from './blocks.ts';

/** Posts further away than this, older or newer, are refused; the vendor's own verifier only looks at the past. */
const MAX_SKEW_MS = 300_000;

const isForm = (hook: RawHook): boolean =>
  (hook.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');

/** Slack probes a command address without signing; the answer says nothing and nothing is kept. */
const isProbe = (hook: RawHook): boolean => isForm(hook) && formOf(hook).get('ssl_check') === '1';

async function verify(hook: RawHook, signingSecret: string | undefined, now: Date): Promise<Verdict> {
  if (isProbe(hook)) return { ok: true };
  const signature = hook.headers['x-slack-signature'];
  const timestamp = hook.headers['x-slack-request-timestamp'];
  if (!signingSecret || !signature || !timestamp) return { ok: false, reason: 'missing_signature' };
  const seconds = Number(timestamp);
  if (!(Math.abs(now.getTime() - seconds * 1000) <= MAX_SKEW_MS)) return { ok: false, reason: 'stale' };
  const { isValidSlackRequest } = await import('@slack/bolt');
  const valid = isValidSlackRequest({
    signingSecret,
    body: hook.body.toString('utf8'),
    headers: { 'x-slack-signature': signature, 'x-slack-request-timestamp': seconds },
    nowMilliseconds: now.getTime(),
  });
  return valid ? { ok: true } : { ok: false, reason: 'bad_signature' };
}

/** The JSON of an event, or of the form field an interaction comes in; undefined for a command. */
function payloadOf(hook: RawHook): unknown {
  if (!isForm(hook)) return jsonOf(hook);
  const payload = formOf(hook).get('payload');
  return payload === null ? undefined : jsonOf({ ...hook, body: Buffer.from(payload) });
}

const instant = (seconds: string | undefined): { at?: Date } =>
  seconds === undefined ? {} : { at: new Date(Number(seconds) * 1000) };

/** The installation an event belongs to: the organisation when the app was installed for all of it. */
function installationOf(payload: unknown): string | undefined {
  const [first] = listAt(payload, 'authorizations');
  const orgWide = textAt(first, 'is_enterprise_install') === 'true';
  return (orgWide ? textAt(first, 'enterprise_id') : textAt(first, 'team_id')) ?? textAt(payload, 'team_id');
}

function readEvent(payload: unknown): HookEvent[] {
  const key = textAt(payload, 'event_id');
  const account = installationOf(payload);
  if (!key || !account) throw new Error('A Slack event without an id or without a workspace cannot be routed.');
  const base = { key, account, ...instant(textAt(payload, 'event_time')) };
  switch (textAt(payload, 'event.type')) {
    case 'user_change':
    case 'team_join': {
      const id = textAt(payload, 'event.user.id');
      return id ? [{ ...base, type: 'record', stream: 'users', id, change: 'changed' }] : [];
    }
    case 'app_uninstalled':
      return [{ ...base, type: 'revoked', reason: 'The app was removed from the Slack workspace. Connect it again.' }];
    case 'tokens_revoked':
      // Users can take back tokens of their own, which we do not use.
      return listAt(payload, 'event.tokens.bot').length > 0
        ? [{ ...base, type: 'revoked', reason: 'Slack took the access back. Connect the workspace again.' }]
        : [];
    default:
      // Messages, among others: threads are for people to talk in.
      return [];
  }
}

/** Presses of our buttons. Buttons that are links are told too; there is nothing to do about them. */
function readPress(payload: unknown): HookEvent[] {
  if (textAt(payload, 'type') !== 'block_actions') return [];
  const channel = textAt(payload, 'channel.id') ?? textAt(payload, 'container.channel_id');
  const ts = textAt(payload, 'message.ts') ?? textAt(payload, 'container.message_ts');
  const by =
    textAt(payload, 'user.name') ??
    textAt(payload, 'user.username') ??
    textAt(payload, 'user.id') ??
    'somebody in Slack';
  // Which of the two is connected the press does not say reliably; the other one is nobody's and goes nowhere.
  const accounts = new Set([textAt(payload, 'team.id'), textAt(payload, 'enterprise.id')]);
  return listAt(payload, 'actions').flatMap((action) => {
    const token = textAt(action, 'value');
    if (!token || !textAt(action, 'action_id')?.startsWith(ACKNOWLEDGE)) return [];
    return [...accounts].flatMap((account) =>
      account === undefined
        ? []
        : [
            {
              type: 'acknowledge' as const,
              key: pressKey(payload, action),
              account,
              ...instant(textAt(action, 'action_ts')),
              token,
              by,
              ...(channel && ts ? { nativeId: `${channel}:${ts}` } : {}),
            },
          ],
    );
  });
}

const pressKey = (payload: unknown, action: unknown): string =>
  ['press', textAt(payload, 'trigger_id'), textAt(action, 'action_id'), textAt(action, 'action_ts')].join('|');

/** Identifies a post over its retries, which differ in headers only; a press is not repeated by Slack. */
function keyOf(hook: RawHook): string | undefined {
  const payload = payloadOf(hook);
  const [action] = listAt(payload, 'actions');
  return textAt(payload, 'event_id') ?? (action === undefined ? undefined : pressKey(payload, action));
}

export const webhooks = defineWebhooks({
  scope: 'app',
  announces: { users: true },
  verify: (hook, secrets, now) => verify(hook, secrets.app.SLACK_SIGNING_SECRET, now),
  handshake: (hook) => {
    if (isProbe(hook)) return { status: 200 };
    const payload = payloadOf(hook);
    if (textAt(payload, 'type') !== 'url_verification') return undefined;
    return { status: 200, type: 'text/plain; charset=utf-8', body: textAt(payload, 'challenge') ?? '' };
  },
  key: keyOf,
  events: (hook) => {
    const payload = payloadOf(hook);
    if (isForm(hook)) return readPress(payload);
    if (payload === undefined) throw new Error('Slack posts JSON or a form; this is neither.');
    return textAt(payload, 'type') === 'event_callback' ? readEvent(payload) : [];
  },
});
