import { at, type ErrorTable, listAt, type Reply, textAt } from '../../src/kit/index.ts';

/** Stands for an answer that says neither yes nor no. */
const NO_VERDICT = 'no_verdict';

/** What to do, for the refusals a person can do something about. */
const SENTENCES: Record<string, string> = {
  account_inactive: 'The app was removed from the Slack workspace. Connect it again.',
  token_revoked: 'Slack took the access back. Connect the workspace again.',
  channel_not_found:
    'Slack does not know this channel, or the bot is not in it. Check the channel id; in a private channel type /invite and the name of the app.',
  not_in_channel:
    'The bot is not a member of this channel. Type /invite and the name of the app there, or allow posting to public channels.',
  is_archived: 'The channel is archived. Choose another one.',
  channel_is_archived: 'The channel is archived. Choose another one.',
  user_not_found: 'Slack does not know this person any more.',
  users_not_found: 'Nobody in the Slack workspace has this e-mail address.',
  user_disabled: "This person's Slack account is switched off.",
  user_not_visible: 'The bot may not see this person in Slack.',
  cannot_dm_bot: 'This is a bot; bots get no direct messages.',
  messages_tab_disabled: 'This person cannot be written to: the messages tab of the app is switched off in Slack.',
  restricted_action: 'The settings of the workspace do not allow the bot to post there. A Slack administrator can.',
  restricted_action_read_only_channel: 'Only some people may post in this channel, and the bot is not one of them.',
  msg_too_long: 'The message is longer than Slack takes.',
  message_not_found: 'The message does not exist in Slack any more, so there is nothing to replace.',
  cant_update_message: 'Slack does not let the bot change this message.',
  edit_window_closed: 'The workspace does not allow changing messages that are this old.',
  [NO_VERDICT]: 'Slack answered without saying whether it worked.',
};

const codeOf = (reply: Reply): string | undefined =>
  at(reply.body, 'ok') === true ? undefined : (textAt(reply.body, 'error') ?? NO_VERDICT);

function messageOf(reply: Reply): string | undefined {
  const code = codeOf(reply);
  if (code === undefined) return undefined;
  if (code === NO_VERDICT && reply.status >= 400) return `Slack answered with status ${reply.status}.`;
  const needed = textAt(reply.body, 'needed');
  if (needed) return `The access to Slack does not cover this: "${needed}" is missing. Connect the workspace again.`;
  const details = listAt<string>(reply.body, 'response_metadata.messages').join(' ');
  return SENTENCES[code] ?? `Slack refused: ${code}${details ? ` (${details})` : ''}.`;
}

/** Nearly everything comes with status 200: what counts is `ok`, and the code beside it. */
export const errors: ErrorTable = {
  code: codeOf,
  message: messageOf,
  rules: [
    { status: 429, kind: 'rate_limited', retryAfter: 30 },
    { code: ['ratelimited', 'rate_limited'], kind: 'rate_limited', retryAfter: 30 },
    { status: [500, 502, 503, 504], kind: 'transient' },
    // The vendor says so itself: after these two the message may be there.
    { code: ['internal_error', 'fatal_error'], kind: 'transient', mayHaveActed: true },
    { code: ['service_unavailable', 'request_timeout'], kind: 'transient' },
    { code: ['token_expired', 'invalid_auth', 'not_authed'], kind: 'auth_expired' },
    {
      code: [
        'token_revoked',
        'account_inactive',
        'invalid_refresh_token',
        'org_login_required',
        'team_access_not_granted',
        'access_denied',
      ],
      kind: 'auth_revoked',
    },
    { code: ['missing_scope', 'not_allowed_token_type', 'no_permission', 'ekm_access_denied'], kind: 'forbidden' },
    { when: (reply) => codeOf(reply)?.startsWith('restricted_action') === true, kind: 'forbidden' },
    { code: ['channel_not_found', 'not_in_channel', 'is_archived', 'channel_is_archived'], kind: 'not_found' },
    { code: ['message_not_found', 'cant_update_message', 'edit_window_closed'], kind: 'not_found' },
    {
      code: ['user_not_found', 'users_not_found', 'user_disabled', 'user_not_visible', 'cannot_dm_bot'],
      kind: 'recipient_invalid',
    },
    { code: 'messages_tab_disabled', kind: 'recipient_invalid' },
    {
      code: [
        'msg_too_long',
        'no_text',
        'too_many_attachments',
        'invalid_blocks',
        'invalid_blocks_format',
        'invalid_arguments',
        'invalid_json',
        'json_not_object',
        'invalid_post_type',
        'missing_charset',
      ],
      kind: 'invalid',
    },
    { code: NO_VERDICT, kind: 'malformed', mayHaveActed: true },
  ],
};
