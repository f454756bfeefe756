import { Type } from 'typebox';
import { defineConnector, textAt } from '../../src/kit/index.ts';
import { SUNSET, subscribe, VERSION, whoAmI } from './account.ts';
import { actions } from './actions.ts';
import { ERROR_RULES } from './codes.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

const number = (title: string, description: string) => Type.String({ pattern: '^\\d{5,25}$', title, description });
const secret = (title: string, description: string) =>
  Type.String({ minLength: 9, maxLength: 1000, title, description });

export default defineConnector({
  id: 'whatsapp-cloud',
  name: 'WhatsApp',
  category: 'messaging',
  api: { version: VERSION, sunset: SUNSET },
  hosts: { api: 'https://graph.facebook.com' },
  auth: {
    kind: 'api_key',
    fields: Type.Object(
      {
        accessToken: secret('Access token', 'of a system user in the business settings, which does not expire'),
        phoneNumberId: number('Phone number id', 'of the number that sends; not the number itself'),
        businessAccountId: number('WhatsApp Business Account id', 'the account the number belongs to'),
        appSecret: secret('App secret', 'of the app the token belongs to: Meta signs its posts with it'),
        language: Type.Optional(
          Type.String({
            pattern: '^[a-z]{2,3}(_[A-Z]{2})?$',
            title: 'Language of templates',
            description: 'where a template does not name its own, such as en_US (default)',
          }),
        ),
        inboundWebhook: Type.Optional(
          Type.Union([Type.Literal('subscribe'), Type.Literal('by_hand')], {
            description: 'Whether we enter our address for replies and delivery (default), or you do in the app',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    secret: ['accessToken', 'appSecret'],
    features: {},
    headers: (secrets) => ({ authorization: `Bearer ${secrets.accessToken ?? ''}` }),
  },
  account: whoAmI,
  prepare: subscribe,
  // What is saved up goes on top of what flows, so that any second or hour stays within what Meta allows.
  limits: [
    {
      name: 'messages of a number, a second',
      scope: 'account',
      calls: 72,
      seconds: 1,
      burst: 8,
      match: ({ path }) => path.endsWith('/messages'),
    },
    {
      name: 'management, an hour',
      scope: 'account',
      calls: 180,
      seconds: 3600,
      burst: 20,
      match: ({ path }) => !path.endsWith('/messages'),
    },
  ],
  errors: {
    // The status says little: limits come as 400.
    code: (reply) => (reply.status >= 400 ? textAt(reply.body, 'error.code') : undefined),
    message: (reply) => {
      const told = [textAt(reply.body, 'error.message'), textAt(reply.body, 'error.error_data.details')];
      return told.filter((text) => text !== undefined && text !== '').join(': ') || undefined;
    },
    rules: ERROR_RULES,
  },
  streams,
  webhooks,
  actions,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Make a system user in the business settings, give it the WhatsApp account and the app, and make a token with whatsapp_business_messaging and whatsapp_business_management.',
    'People who have not written within 24 hours can only be sent an approved template: name it as "visit_reminder" or "visit_reminder:de".',
    'One app tells one address about a WhatsApp account: connecting it to a second hub with the same app takes the posts away from the first.',
  ],
});
