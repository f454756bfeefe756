import { Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';
import { WorkingHours } from '../settings/schema.ts';

export const Day = Type.String({ format: 'date' });
export const Staff = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    email: Type.String(),
    name: Type.String(),
    deputyId: nullable(Type.String({ format: 'uuid' })),
    roles: Type.Array(Type.String()),
    zone: nullable(Type.String()),
    workingHours: nullable(WorkingHours),
    absentUntil: nullable(Day),
    departedOn: nullable(Day),
    version: Type.Integer(),
  },
  { $id: 'Staff' },
);
export const StaffChange = Type.Object(
  {
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    deputyId: Type.Optional(nullable(Type.String({ format: 'uuid' }))),
    roles: Type.Optional(Type.Array(Type.String({ maxLength: 50 }), { maxItems: 20, uniqueItems: true })),
    zone: Type.Optional(nullable(Type.String({ maxLength: 60 }))),
    workingHours: Type.Optional(nullable(WorkingHours)),
    absentUntil: Type.Optional(nullable(Day)),
    departedOn: Type.Optional(nullable(Day)),
  },
  { $id: 'StaffChange', additionalProperties: false },
);
export const Hold = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    customerId: Type.String({ format: 'uuid' }),
    kind: words(['promise', 'dispute']),
    amount: nullable(Type.String()),
    promisedOn: nullable(Day),
    untilOn: Day,
    owner: Type.String(),
    note: nullable(Type.String()),
    createdAt: Type.String({ format: 'date-time' }),
    closedAt: nullable(Type.String({ format: 'date-time' })),
    outcome: nullable(Type.String()),
    version: Type.Integer(),
  },
  { $id: 'Hold' },
);
export const Escalation = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    customerId: Type.String({ format: 'uuid' }),
    enrolmentId: nullable(Type.String({ format: 'uuid' })),
    level: Type.Integer(),
    assignee: nullable(
      Type.Object({ id: Type.String(), name: Type.String(), email: Type.String(), who: Type.String() }),
    ),
    state: words(['open', 'acknowledged', 'closed']),
    nextAt: nullable(Type.String({ format: 'date-time' })),
    openedAt: Type.String({ format: 'date-time' }),
    acknowledgedAt: nullable(Type.String({ format: 'date-time' })),
    acknowledgedBy: nullable(Type.String()),
    closedReason: nullable(Type.String()),
    version: Type.Integer(),
  },
  { $id: 'Escalation' },
);
