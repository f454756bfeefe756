import { type Static, Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';

/** A file of configuration, as text. */
export const ConfigurationFile = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 500 }), text: Type.String({ maxLength: 5_000_000 }) },
  { additionalProperties: false },
);
export type ConfigurationFile = Static<typeof ConfigurationFile>;

export const ExportInput = Type.Object(
  { split: Type.Optional(Type.Boolean({ description: 'One file for each kind of thing instead of one for all' })) },
  { $id: 'ExportInput', additionalProperties: false },
);

export const Exported = Type.Object({ files: Type.Array(ConfigurationFile) }, { $id: 'Exported' });

export const ApplyInput = Type.Object(
  {
    files: Type.Array(ConfigurationFile, { minItems: 1, maxItems: 100 }),
    dryRun: Type.Optional(Type.Boolean({ description: 'Tell what would be done, and do nothing' })),
    prune: Type.Optional(
      Type.Boolean({ description: 'Remove what the files do not name, in the kinds of things they name at all' }),
    ),
  },
  { $id: 'ApplyInput', additionalProperties: false },
);

export const PlanItem = Type.Object({
  kind: Type.String(),
  name: Type.String(),
  action: words(['create', 'update', 'unchanged', 'remove', 'left']),
  differences: Type.Array(Type.String(), { description: 'What changes, a line for each place' }),
  note: nullable(Type.String()),
});
export type PlanItem = Static<typeof PlanItem>;

export const ApplyResult = Type.Object(
  { applied: Type.Boolean({ description: 'false for a dry run' }), items: Type.Array(PlanItem) },
  { $id: 'ApplyResult' },
);
export type ApplyResult = Static<typeof ApplyResult>;
