import { type Static, Type } from 'typebox';

/** One event of the audit trail as the API shows it. */
export const AuditEvent = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    at: Type.String({ format: 'date-time' }),
    actor: Type.String({
      description:
        'user:<id>, api_key:<id>, staff:<name>, vendor:<connector>, crm:<connector> (a tag staff set), customer or system',
    }),
    action: Type.String({ description: 'What happened, such as connection.authorised or action.sent' }),
    subjectKind: Type.String(),
    subjectId: Type.String(),
    customerId: Type.Union([Type.String({ format: 'uuid' }), Type.Null()]),
    data: Type.Record(Type.String(), Type.Unknown()),
    dataDigest: Type.Union([Type.String(), Type.Null()], {
      description: 'SHA-256 in hex of the data as canonical JSON; the hash covers it in place of the data',
    }),
    redactedBy: Type.Union([Type.String({ format: 'uuid' }), Type.Null()], {
      description: 'The event that tells why the data was taken out; null for one that is as it was written',
    }),
    seq: Type.Union([Type.Integer(), Type.Null()], {
      description: 'Place in the chain; null for the moment until it is sealed',
    }),
    previousHash: Type.Union([Type.String(), Type.Null()]),
    hash: Type.Union([Type.String(), Type.Null()], {
      description: 'SHA-256 in hex over the previous hash and this event, with the digest of its data',
    }),
  },
  { $id: 'AuditEvent' },
);
export type AuditEvent = Static<typeof AuditEvent>;

export const AuditVerification = Type.Object(
  {
    ok: Type.Boolean(),
    events: Type.Integer(),
    head: Type.Union([Type.String(), Type.Null()], {
      description: 'Hash of the last event; keep it elsewhere to prove later that nothing was cut off',
    }),
    broken: Type.Optional(Type.Object({ seq: Type.Integer(), reason: Type.String() })),
  },
  { $id: 'AuditVerification' },
);
export type AuditVerification = Static<typeof AuditVerification>;

/** What a room reports. Bodies carry no secrets. */
export interface AuditEntry {
  /** Where something refers to the event; made when it is missing. */
  id?: string;
  actor: string;
  action: string;
  subject: { kind: string; id: string };
  customerId?: string | null;
  data?: Record<string, unknown>;
  at: Date;
}
