import { Type } from 'typebox';
import { nullable } from '../base/schema.ts';

const text = () => nullable(Type.String());

/** A customer as the API shows it: the golden row of a person. */
export const Customer = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: text(),
    firstName: text(),
    lastName: text(),
    email: text(),
    phone: text(),
    company: text(),
    country: text(),
    timeZone: text(),
    birthday: nullable(Type.String({ description: 'YYYY-MM-DD, or --MM-DD where the year is not known' })),
    status: text(),
    tags: Type.Array(Type.String()),
    custom: Type.Unknown(),
    sources: Type.Integer(),
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
    version: Type.Integer(),
  },
  { $id: 'Customer' },
);

export const Provenance = Type.Object(
  {
    field: Type.String(),
    value: Type.Unknown(),
    rule: Type.String({ description: 'Why this source won' }),
    connector: text(),
    stream: text(),
    record: Type.String(),
    changedAt: text(),
    setBy: nullable(Type.String({ description: 'Who set it by hand, where somebody did' })),
  },
  { $id: 'Provenance' },
);
