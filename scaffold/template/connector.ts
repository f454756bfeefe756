import { Type } from 'typebox';
import { defineConnector, textAt } from '../../src/kit/index.ts';
import { actions } from './actions.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

// REPLACE: who the vendor is, how one logs in, how much it allows. Everything marked so in this folder is the example's.
export default defineConnector({
  id: 'acme',
  name: 'Acme',
  // REPLACE: crm, billing, messaging, chat, email, files or other.
  category: 'crm',
  // REPLACE: the version of the API in use, and its `sunset` when the vendor named a day.
  api: { version: '1' },
  // REPLACE: where the API is. ACME_HOST_API points it elsewhere, at the simulation for one.
  hosts: { api: 'https://api.acme.example' },
  // REPLACE: `oauth2` where the vendor has a page that asks for consent; else what a person types in.
  auth: {
    kind: 'api_key',
    fields: Type.Object(
      {
        apiKey: Type.String({ minLength: 8, maxLength: 200, description: 'API key' }),
        signingSecret: Type.String({ minLength: 8, maxLength: 200, description: 'Secret Acme signs its posts with' }),
      },
      { additionalProperties: false },
    ),
    secret: ['apiKey', 'signingSecret'],
    features: {},
    headers: (secrets) => ({ authorization: `Bearer ${secrets.apiKey}` }),
  },
  // REPLACE: the call that tells who is connected. Its id must never change: one account is one connection.
  account: async (ctx) => {
    const { body } = await ctx.call({ method: 'GET', path: '/v1/me' });
    const id = textAt(body, 'id') ?? '';
    return { id, name: textAt(body, 'name') ?? `Acme ${id}` };
  },
  // REPLACE or leave out: what must be there at the vendor, such as our address for its posts. Bears being run again.
  prepare: async (ctx) => {
    if (ctx.webhookUrl) await ctx.call({ method: 'PUT', path: '/v1/webhook', json: { url: ctx.webhookUrl } });
  },
  // REPLACE: as documented, here 100 in any ten seconds: 20 at once, and 80 while they pass. All processes share it.
  limits: [{ name: 'account', scope: 'account', calls: 80, seconds: 10, burst: 20 }],
  // REPLACE: where the vendor says why. What the status alone tells (401, 404, 429 ...) is known already.
  errors: {
    code: (reply) => (reply.status >= 400 ? textAt(reply.body, 'error.code') : undefined),
    message: (reply) => textAt(reply.body, 'error.message'),
    rules: [{ code: 'account_locked', kind: 'paused' }],
  },
  streams,
  webhooks,
  actions,
  sandbox: () => import('./sandbox.ts'),
  // REPLACE: what a person should know before connecting.
  notes: ['Acme signs its posts with a secret of its own, shown beside the API key.'],
});
