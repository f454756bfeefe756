import { type Static, Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';
import { NativeTemplate } from '../sequences/schema.ts';
import { CHANNELS } from '../settings/schema.ts';

const Draft = Type.Object(
  {
    subject: Type.Optional(nullable(Type.String({ maxLength: 500 }))),
    body: Type.String({ maxLength: 100_000 }),
    html: Type.Optional(nullable(Type.String({ maxLength: 100_000 }))),
    native: Type.Optional(nullable(NativeTemplate)),
  },
  { additionalProperties: false },
);

const asked = {
  key: Type.Optional(Type.String({ maxLength: 100, description: 'A stored text; or give a draft' })),
  channel: words(CHANNELS),
  locale: Type.Optional(
    Type.String({ maxLength: 35, description: "The language; without it the customer's, as in real messages" }),
  ),
  draft: Type.Optional(Draft),
  customer: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 500,
      description: 'Id, e-mail address, phone or name; without it example values',
    }),
  ),
  enrolmentId: Type.Optional(
    Type.String({ format: 'uuid', description: 'The values of this enrolment: what started it, and its customer' }),
  ),
  sequence: Type.Optional(
    Type.String({ maxLength: 60, description: 'Whose values it has; without it the one that uses the text' }),
  ),
};

export const TextPreviewInput = Type.Object(asked, { $id: 'TextPreviewInput', additionalProperties: false });
export type TextPreviewInput = Static<typeof TextPreviewInput>;

export const TestSendInput = Type.Object(
  {
    ...asked,
    to: Type.Optional(
      Type.String({ format: 'email', description: "An address of staff; without it the caller's own" }),
    ),
  },
  { $id: 'TestSendInput', additionalProperties: false },
);

export const TextPreview = Type.Object(
  {
    channel: Type.String(),
    locale: Type.String(),
    customer: nullable(Type.Object({ id: Type.String(), name: nullable(Type.String()) })),
    subject: nullable(Type.String()),
    text: nullable(Type.String()),
    html: nullable(Type.String()),
    template: nullable(
      Type.Object(
        { id: Type.String(), variables: Type.Record(Type.String(), Type.String()) },
        {
          description: 'What is sent instead of a text where the platform has an approved template',
        },
      ),
    ),
    sms: nullable(
      Type.Object({
        encoding: words(['GSM-7', 'UCS-2']),
        units: Type.Integer(),
        segments: Type.Integer(),
        perSegment: Type.Integer(),
        left: Type.Integer(),
        forcing: Type.Array(Type.String(), { description: 'Characters that force UCS-2' }),
      }),
    ),
    missing: Type.Array(Type.Object({ name: Type.String(), meaning: nullable(Type.String()) }), {
      description: 'Values this customer does not have: the message would be held',
    }),
    warnings: Type.Array(Type.String()),
    problems: Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
      description: 'Why it could not be saved or written like this',
    }),
  },
  { $id: 'TextPreview' },
);
export type TextPreview = Static<typeof TextPreview>;
