import { builtInFields, type ConditionField, namedField, type Scope } from './fields.ts';

/** What values of a custom field were seen to be. */
export type SeenType = 'text' | 'number' | 'boolean' | 'date' | 'instant' | 'list' | 'object';

export interface CustomField {
  /** Such as `job.custom.Hours spent`. */
  name: string;
  scope: Scope;
  /** The types found in stored records; empty for a field that is mapped and has not come yet. */
  seen: readonly SeenType[];
  /** The platforms it comes from, for customers and companies. */
  sources: readonly string[];
}

/** The fields, custom fields and segments of a business: what a condition may name. */
export interface Catalogue {
  custom: ReadonlyMap<string, CustomField>;
  /** Names by id; absent: not checked. */
  segments?: ReadonlyMap<string, string>;
}

/** A catalogue of nothing but the model. */
export const MODEL_ONLY: Catalogue = { custom: new Map() };

/** Every field a condition about the scope can name, the model's first. */
export function fieldNames(catalogue: Catalogue, belongs: (scope: Scope) => boolean): string[] {
  return [
    ...builtInFields().filter((field) => belongs(field.scope)),
    ...[...catalogue.custom.values()].filter((field) => belongs(field.scope)),
  ].map((field) => field.name);
}

/** The field of that name if this business has it. */
export function fieldOf(catalogue: Catalogue, name: string): ConditionField | undefined {
  const field = namedField(name);
  return field?.custom !== undefined && !catalogue.custom.has(name) ? undefined : field;
}
