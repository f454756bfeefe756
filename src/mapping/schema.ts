import { type Static, Type } from 'typebox';

/**
 * A mapping is data: per stream and canonical kind, a tree of literals and directives. This schema gives the outer
 * form; directives are checked by the compiler, which can name the field and the cure.
 */
const Directive = Type.Unknown({
  description: 'A literal, or an object with one directive: path, template, first, case, enum, date, ...',
});

export const ReferenceMapping = Type.Object(
  {
    /** Stream of the same connection that holds the target. */
    to: Type.Optional(Type.String()),
    id: Type.Optional(Directive),
    /** Instead of `to`: find the target by what it is known under. */
    email: Type.Optional(Directive),
    phone: Type.Optional(Directive),
    external_id: Type.Optional(Directive),
  },
  { additionalProperties: false },
);

export const EntityMapping = Type.Object(
  {
    when: Type.Optional(Directive),
    fields: Type.Record(Type.String(), Directive),
    references: Type.Optional(Type.Record(Type.String(), Type.Union([ReferenceMapping, Type.Null()]))),
    custom: Type.Optional(Type.Record(Type.String(), Directive)),
    created_at: Type.Optional(Directive),
    updated_at: Type.Optional(Directive),
    deleted: Type.Optional(Directive),
  },
  { additionalProperties: false },
);
export type EntityMapping = Static<typeof EntityMapping>;

export const MappingFile = Type.Object(
  {
    /** Values for every record of this platform or file, such as the country of phone numbers without a prefix. */
    defaults: Type.Optional(
      Type.Object(
        {
          country: Type.Optional(Type.String({ pattern: '^[A-Z]{2}$' })),
          currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
        },
        { additionalProperties: false },
      ),
    ),
    streams: Type.Record(Type.String(), Type.Record(Type.String(), EntityMapping)),
  },
  { $id: 'Mapping', additionalProperties: false },
);
export type MappingFile = Static<typeof MappingFile>;

/** An override names only what it changes; `null` removes a field. */
export const MappingOverride = Type.Object(
  {
    defaults: MappingFile.properties.defaults,
    streams: Type.Optional(Type.Record(Type.String(), Type.Record(Type.String(), Type.Partial(EntityMapping)))),
  },
  { $id: 'MappingOverride', additionalProperties: false },
);
export type MappingOverride = Static<typeof MappingOverride>;
