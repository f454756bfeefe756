import type { Clock, Refusals, Trial } from '../../src/kit/index.ts';
import type { Fault } from '../../src/kit/sandbox/index.ts';
import { refusal } from './sandbox.methods.ts';
import type { SlackState } from './sandbox.state.ts';

/** Slack's side of its one action. */
export function actionsOf(state: SlackState): Trial['actions'] {
  let channel: string | undefined;
  const open = (): string => {
    channel ??= state.addChannel('follow-up', { is_member: true }).id;
    return channel;
  };
  const say = (target: string) => ({ target, title: 'Refused', text: 'x' });
  return {
    send_chat: {
      input: (n) => ({ target: open(), title: `Look at number ${n}`, text: 'Ann Miller waits.' }),
      done: () => state.messages.filter(({ bot_id }) => bot_id !== undefined).map((one) => `${one.channel}:${one.ts}`),
      request: /^POST \/api\/chat\.postMessage$/,
      link: true,
      get refused() {
        const archived = state.addChannel('old', { is_archived: true }).id;
        const secret = state.addChannel('secret', { is_private: true }).id;
        const gone = state.addUser('Gone', 'gone@example.com', { deleted: true }).id;
        return [
          { input: say(archived), kind: 'not_found' as const },
          { input: say(secret), kind: 'not_found' as const },
          { input: say('#general'), kind: 'invalid' as const },
          { input: say(gone), kind: 'recipient_invalid' as const },
          { input: { ...say(open()), replaces: `${open()}:1.000001` }, kind: 'not_found' as const },
        ];
      },
    },
  };
}

/** Slack's refusals: nearly all come with status 200. */
export function refusalsOf(clock: Clock): Refusals {
  const no = (error: string, more: object = {}): Fault => ({ kind: 'status', status: 200, body: refusal(error, more) });
  return {
    rateLimited: (until) => ({
      kind: 'status',
      status: 429,
      body: refusal('ratelimited'),
      headers: until ? { 'retry-after': String(Math.ceil((until.getTime() - clock.now().getTime()) / 1000)) } : {},
    }),
    expired: () => no('token_expired'),
    revoked: () => no('token_revoked'),
    forbidden: {
      permission: 'chat:write',
      fault: () => no('missing_scope', { needed: 'chat:write', provided: 'im:write' }),
    },
    invalid: (reason) => no('invalid_blocks', { response_metadata: { messages: [`[ERROR] ${reason}`] } }),
    unavailable: () => no('internal_error'),
  };
}
