import { type TNull, type TSchema, type TUnion, type TUnsafe, Type } from 'typebox';

/** A closed list of words as a JSON schema `enum`. */
export const words = <Word extends string>(list: readonly Word[], description?: string): TUnsafe<Word> =>
  Type.Unsafe<Word>({ type: 'string', enum: [...list], ...(description ? { description } : {}) });

/** A value or null. */
export const nullable = <Schema extends TSchema>(schema: Schema): TUnion<[Schema, TNull]> =>
  Type.Union([schema, Type.Null()]);

/** A schema by its name: written once in the API document, typed as if it stood here. */
export const ref = <Schema extends TSchema & { $id?: string }>(schema: Schema): Schema =>
  Type.Ref((schema as { $id: string }).$id) as unknown as Schema;
