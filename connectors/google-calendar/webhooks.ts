import { defineWebhooks, sameBytes } from '../../src/kit/index.ts';

export const webhooks = defineWebhooks({
  scope: 'connection',
  subscribes: true,
  renews: true,
  // Google signs nothing: it repeats what it was told when the channel was opened.
  secret: true,
  verify: (hook, secrets) => {
    const told = hook.headers['x-goog-channel-token'];
    const { webhookSecret } = secrets.connection;
    if (!told || !webhookSecret) return { ok: false, reason: 'missing_signature' };
    return sameBytes(told, webhookSecret) ? { ok: true } : { ok: false, reason: 'bad_signature' };
  },
  // The first post of a channel says that it is open.
  handshake: (hook) => (hook.headers['x-goog-resource-state'] === 'sync' ? { status: 200 } : undefined),
  headers: ['x-goog-channel-id', 'x-goog-message-number', 'x-goog-resource-state'],
  // Bodies are always empty.
  key: (hook) => `${hook.headers['x-goog-channel-id']}|${hook.headers['x-goog-message-number']}`,
  events: (hook) => [
    {
      type: 'poll',
      stream: 'events',
      key: `${hook.headers['x-goog-channel-id']}|${hook.headers['x-goog-message-number']}`,
    },
  ],
});
