import { Type } from 'typebox';
import { defineConnector } from '../../src/kit/index.ts';
import { actions } from './actions.ts';

const DOMAIN = '^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$';
const address = (description: string) =>
  Type.String({ pattern: '^[^\\s@<>(),;:"\\[\\]\\\\]+@[^\\s@<>(),;:"\\[\\]\\\\]+$', maxLength: 254, description });
const domain = (description: string) => Type.String({ pattern: DOMAIN, maxLength: 253, description });

export default defineConnector({
  id: 'smtp',
  name: 'E-mail (SMTP)',
  category: 'email',
  // The server belongs to the connection: somebody typed it in, and the transport checks where it leads.
  hosts: { api: '' },
  auth: {
    kind: 'basic',
    fields: Type.Object(
      {
        host: Type.String({ pattern: '^[A-Za-z0-9.:\\[\\]-]{1,253}$', description: 'Mail server' }),
        port: Type.Integer({
          default: 587,
          minimum: 1,
          maximum: 65_535,
          description: '587 (begins plain, then must encrypt) or 465 (encrypted from the start)',
        }),
        secure: Type.Optional(Type.Boolean({ description: 'Encrypted from the start; default: on port 465' })),
        user: Type.Optional(Type.String({ minLength: 1, maxLength: 254, description: 'User, when it asks for one' })),
        password: Type.Optional(Type.String({ minLength: 1, maxLength: 1000, description: 'Password' })),
        fromName: Type.String({ minLength: 1, maxLength: 200, description: 'Name of the sender' }),
        fromAddress: address('Address of the sender'),
        replyTo: Type.Optional(address('Where answers go, when not to the sender')),
        bounceDomain: Type.Optional(domain('Domain that bounces go to, each to an address of its own')),
        dkimDomain: Type.Optional(domain('Domain that signs (DKIM), when the server does not sign itself')),
        dkimSelector: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._-]{1,63}$', description: 'DKIM selector' })),
        dkimPrivateKey: Type.Optional(Type.String({ maxLength: 10_000, description: 'DKIM private key (PEM)' })),
        timeoutSeconds: Type.Optional(
          Type.Integer({ minimum: 1, maximum: 55, description: 'How long the server may be silent; default 30' }),
        ),
      },
      { additionalProperties: false },
    ),
    secret: ['password', 'dkimPrivateKey'],
    features: {},
  },
  account: async (ctx) => {
    await ctx.call({ method: 'POST', path: '/verify', safe: true });
    const { host, user, fromName, fromAddress } = ctx.settings;
    return { id: `${user ?? fromAddress}@${host}`, name: `${fromName} <${fromAddress}>` };
  },
  // Microsoft 365 takes 30 messages a minute, the least of the large ones; servers say 4xx when it is too much.
  limits: [{ name: 'messages', scope: 'account', calls: 30, seconds: 60, match: (spec) => spec.path === '/send' }],
  // The server's answers are classified by the transport, where they are met.
  errors: { rules: [] },
  transport: async () => (await import('./transport.ts')).smtpTransport(),
  streams: [],
  actions,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Nothing is read: bounces and answers arrive in mailboxes, and no mailbox is connected here.',
    'Marketing mail needs a DKIM signature over its unsubscribe headers: give a DKIM key, or have the mail server sign them.',
    'Microsoft 365 and Google switch off plain passwords for many accounts; an app password or a relay is needed then.',
  ],
});
