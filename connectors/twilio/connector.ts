import { Type } from 'typebox';
import { basicAuth, defineConnector, textAt } from '../../src/kit/index.ts';
import { listenForReplies, whoAmI } from './account.ts';
import { actions } from './actions.ts';
import { ERROR_RULES } from './codes.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

const sid = (prefix: string, description: string) =>
  Type.String({ pattern: `^${prefix}[0-9a-fA-F]{32}$`, description: `${description} (${prefix}...)` });
const secret = (description: string) => Type.String({ minLength: 1, maxLength: 200, description });
const number = (description: string) => Type.String({ pattern: '^\\+?[A-Za-z0-9 ]{3,16}$', description });

export default defineConnector({
  id: 'twilio',
  name: 'Twilio',
  category: 'messaging',
  api: { version: '2010-04-01' },
  hosts: {
    api: 'https://api.twilio.com',
    api_ie1: 'https://api.dublin.ie1.twilio.com',
    api_au1: 'https://api.sydney.au1.twilio.com',
    messaging: 'https://messaging.twilio.com',
  },
  auth: {
    kind: 'basic',
    fields: Type.Object(
      {
        accountSid: sid('AC', 'Account SID'),
        keySid: Type.Optional(sid('SK', 'API key; without one the Auth Token is used')),
        keySecret: Type.Optional(secret('Secret of the API key')),
        authToken: secret('Auth Token: Twilio signs its posts to us with it, never with an API key'),
        authTokenSecondary: Type.Optional(secret('Secondary Auth Token, while the primary one is being replaced')),
        messagingServiceSid: Type.Optional(sid('MG', 'Messaging Service to send from')),
        from: Type.Optional(number('Number or name to send text messages from, when there is no Messaging Service')),
        whatsappFrom: Type.Optional(
          Type.String({ pattern: '^\\+[1-9]\\d{5,14}$', description: 'Number of the WhatsApp sender' }),
        ),
        region: Type.Optional(
          Type.Union([Type.Literal('ie1'), Type.Literal('au1')], {
            description: 'Where the account lives, when not in the United States: Ireland or Australia',
          }),
        ),
        inboundWebhook: Type.Optional(
          Type.Union([Type.Literal('when_empty'), Type.Literal('by_hand')], {
            description: 'Whether we enter our address for replies where none is entered yet (default), or you do',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    secret: ['keySecret', 'authToken', 'authTokenSecondary'],
    features: {},
    headers: (secrets, settings) => ({
      authorization:
        settings.keySid && secrets.keySecret
          ? basicAuth(String(settings.keySid), secrets.keySecret)
          : basicAuth(String(settings.accountSid), secrets.authToken ?? ''),
    }),
  },
  account: whoAmI,
  prepare: listenForReplies,
  // Twilio limits how many calls run at once (about 100 an account), not how many a second; answers take less than one.
  limits: [{ name: 'account', scope: 'account', calls: 100, seconds: 1 }],
  errors: {
    code: (reply) => (reply.status >= 400 ? textAt(reply.body, 'code') : undefined),
    message: (reply) => textAt(reply.body, 'message'),
    rules: ERROR_RULES,
  },
  streams,
  webhooks,
  actions,
  // Its default on long codes and toll-free numbers; WhatsApp is left to us. There is no list of its own to write into:
  // who sends STOP is blocked by Twilio itself.
  answers: { sms: ['stop', 'help'] },
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'The Auth Token is needed beside the API key: Twilio signs its posts with it.',
    'Replies come at once when the Messaging Service or number posts them to the address shown here; it is entered for you where none is entered yet, and never replaced.',
    'On WhatsApp, people who have not written within 24 hours can only be sent an approved template.',
  ],
});
