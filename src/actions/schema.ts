import { Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';
import { ACTION_KINDS } from '../kit/index.ts';

const Instant = Type.String({ format: 'date-time' });

export const ActionView = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    kind: words(ACTION_KINDS),
    channel: Type.String(),
    recipient: Type.String(),
    class: words(['transactional', 'marketing', 'internal']),
    customerId: nullable(Type.String({ format: 'uuid' })),
    enrolmentId: nullable(Type.String({ format: 'uuid' })),
    step: nullable(Type.String()),
    state: words(['planned', 'committed', 'sending', 'sent', 'failed', 'skipped', 'unknown']),
    held: Type.Boolean({ description: 'Waits for something or someone' }),
    reason: nullable(Type.String()),
    detail: nullable(Type.String({ description: 'The fact behind it, in words' })),
    notBefore: Instant,
    content: Type.Unknown({ description: 'What was or will be sent, as frozen' }),
    connectionId: nullable(Type.String({ format: 'uuid' })),
    receipt: nullable(
      Type.Object({
        nativeId: nullable(Type.String()),
        url: nullable(Type.String()),
        state: nullable(Type.String()),
        stateAt: nullable(Instant),
      }),
    ),
    attempts: Type.Integer(),
    tries: Type.Optional(
      Type.Array(
        Type.Object({
          number: Type.Integer(),
          startedAt: Instant,
          endedAt: nullable(Instant),
          outcome: nullable(Type.String()),
          status: nullable(Type.Integer()),
          errorKind: nullable(Type.String()),
          message: nullable(Type.String()),
        }),
        { description: 'Every call of the platform; told for a single action only' },
      ),
    ),
    createdBy: Type.String(),
    createdAt: Instant,
    endedAt: nullable(Instant),
    version: Type.Integer(),
  },
  { $id: 'Action' },
);

export const ActionRequestBody = Type.Object(
  {
    kind: words(ACTION_KINDS),
    customerId: Type.Optional(Type.String({ format: 'uuid' })),
    connectionId: Type.Optional(
      Type.String({ format: 'uuid', description: 'Where; default: the suitable connection' }),
    ),
    class: Type.Optional(
      words(
        ['transactional', 'marketing', 'internal'],
        'Default: internal for native actions, marketing for messages to customers',
      ),
    ),
    topic: Type.Optional(Type.String({ maxLength: 50 })),
    input: Type.Record(Type.String(), Type.Unknown()),
    preview: Type.Optional(Type.Boolean({ description: 'Show the gate and the exact request, and do nothing' })),
  },
  { $id: 'ActionRequest', additionalProperties: false },
);

const GateView = Type.Object({
  gate: Type.String(),
  verdict: words(['allow', 'skip', 'defer', 'hold']),
  reason: nullable(Type.String()),
  detail: Type.String(),
  until: nullable(Instant),
});

export const ActionPreview = Type.Object(
  {
    verdict: words(['allow', 'skip', 'defer', 'hold']),
    gates: Type.Array(GateView),
    request: nullable(Type.Unknown({ description: 'Exactly what would be sent to the platform, without credentials' })),
  },
  { $id: 'ActionPreview' },
);

export const Explanation = Type.Object(
  {
    at: Type.String({ format: 'date-time', description: 'The moment it is about' }),
    story: Type.Array(Type.Object({ at: Instant, text: Type.String() }), {
      description: 'What happened up to then and why, in sentences, oldest first',
    }),
    notStarted: Type.Array(Type.Object({ trigger: Type.String(), why: Type.String() }), {
      description: 'Triggers that started nothing for this customer, and why',
    }),
    customer: Type.Object({
      id: Type.String(),
      name: nullable(Type.String()),
      email: nullable(Type.String()),
      phone: nullable(Type.String()),
    }),
    clock: Type.Object({ zones: Type.Array(Type.String()), from: Type.String(), localTime: Type.String() }),
    owes: Type.Unknown(),
    holds: Type.Array(Type.Unknown()),
    enrolments: Type.Array(
      Type.Object({
        id: Type.String(),
        sequence: Type.String(),
        state: Type.String(),
        step: Type.String(),
        waitingFor: nullable(Type.String()),
        nextAt: nullable(Instant),
        endReason: nullable(Type.String()),
        steps: Type.Array(Type.Unknown()),
        next: nullable(Type.Object({ step: Type.String(), verdict: Type.String(), gates: Type.Array(GateView) })),
      }),
    ),
    occurrences: Type.Array(Type.Unknown()),
    actions: Type.Array(
      Type.Object({
        at: Instant,
        kind: Type.String(),
        channel: Type.String(),
        state: Type.String(),
        reason: nullable(Type.String()),
        detail: nullable(Type.String()),
        url: nullable(Type.String()),
      }),
    ),
  },
  { $id: 'Explanation' },
);
