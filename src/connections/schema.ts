import { type Static, Type } from 'typebox';
import { ref, words } from '../base/schema.ts';

export const CONNECTION_STATES = [
  'connecting',
  'active',
  'needs_reauthorisation',
  'needs_operator',
  'paused',
  'revoked',
] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

export const Connection = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    connector: Type.String(),
    name: Type.String(),
    account: Type.Object({
      id: Type.Union([Type.String(), Type.Null()]),
      name: Type.Union([Type.String(), Type.Null()]),
      timeZone: Type.Optional(Type.String()),
      currency: Type.Optional(Type.String()),
      url: Type.Optional(Type.String()),
    }),
    features: Type.Array(Type.String()),
    missingScopes: Type.Array(Type.String(), {
      description: 'Scopes that switched-on features need and the account did not grant',
    }),
    settings: Type.Record(Type.String(), Type.Unknown()),
    state: words(CONNECTION_STATES),
    health: Type.Object({
      ok: Type.Boolean(),
      sentence: Type.String({ description: 'How it is, in words' }),
      action: Type.Union(
        [Type.Null(), Type.Object({ label: Type.String(), method: Type.String(), path: Type.String() })],
        {
          description: 'The one thing to do about it',
        },
      ),
    }),
    lastOkAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    webhookUrl: Type.Union([Type.String(), Type.Null()], { description: 'Address to enter at the vendor' }),
    createdAt: Type.String({ format: 'date-time' }),
    version: Type.Integer(),
  },
  { $id: 'Connection' },
);
export type Connection = Static<typeof Connection>;

export const ConnectRequest = Type.Object(
  {
    connector: Type.String(),
    name: Type.Optional(Type.String({ maxLength: 100 })),
    features: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Features to switch on; the platform is asked for their scopes only. Default: all',
      }),
    ),
    settings: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'Settings, and for platforms without OAuth the credentials',
      }),
    ),
    connectionId: Type.Optional(
      Type.String({ format: 'uuid', description: 'Authorise this connection again instead of making a new one' }),
    ),
    returnTo: Type.Optional(Type.String({ maxLength: 300, description: 'Path of this hub to come back to' })),
  },
  { $id: 'ConnectRequest', additionalProperties: false },
);
export type ConnectRequest = Static<typeof ConnectRequest>;

export const ConnectAnswer = Type.Object(
  {
    authorizeUrl: Type.Optional(
      Type.String({ description: 'Send the browser here; the platform sends it back to the hub' }),
    ),
    connection: Type.Optional(ref(Connection)),
  },
  { $id: 'ConnectAnswer' },
);

export const ConnectorInfo = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    category: Type.String(),
    api: Type.Union([Type.Null(), Type.Object({ version: Type.String(), sunset: Type.Optional(Type.String()) })]),
    auth: Type.String(),
    configured: Type.Boolean({ description: 'Whether this hub has its registration at the platform' }),
    missingConfiguration: Type.Array(Type.String()),
    fields: Type.Unknown({ description: 'JSON schema of what has to be entered to connect' }),
    secretFields: Type.Array(Type.String()),
    features: Type.Array(
      Type.Object({
        id: Type.String(),
        title: Type.String(),
        scopes: Type.Array(Type.String()),
        optional: Type.Boolean(),
      }),
    ),
    reads: Type.Array(
      Type.Object({
        stream: Type.String(),
        title: Type.String(),
        entities: Type.Array(Type.String()),
        deletes: Type.String(),
      }),
    ),
    listens: Type.Boolean(),
    acts: Type.Array(Type.Object({ kind: Type.String(), title: Type.String(), idempotency: Type.String() })),
    notes: Type.Array(Type.String()),
  },
  { $id: 'Connector' },
);
