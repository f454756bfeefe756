import type { TObject, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { FieldError } from '../base/errors.ts';

interface Described {
  title?: string;
  description?: string;
}

/** `secret (Secret: whsec_... shared with the other side)`. */
function described(fields: TObject, name: string): string {
  const { title, description } = (fields.properties[name] ?? {}) as Described;
  const words = [title, description].filter((text) => text !== undefined).join(': ');
  return words === '' ? name : `${name} (${words})`;
}

/** What is wrong with the details somebody entered to connect, by the names of the fields. */
export function fieldErrors(fields: TObject, given: Record<string, unknown>): FieldError[] {
  const found: FieldError[] = [];
  for (const error of Value.Errors(fields as TSchema, given)) {
    const { keyword, params, instancePath, schemaPath } = error as typeof error & { params: Record<string, unknown> };
    const [, name] = instancePath.split('/');
    // Told by what follows it, or by the list of alternatives.
    if (keyword === 'boolean' || (keyword === 'required' && schemaPath.includes('/anyOf/'))) continue;
    if (keyword === 'required')
      for (const missing of (params.requiredProperties ?? []) as string[])
        found.push({ path: `settings.${missing}`, message: `is missing: ${described(fields, missing)}` });
    else if (keyword === 'anyOf' && instancePath === '')
      found.push({ path: 'settings', message: alternatives(fields) });
    else if (keyword === 'additionalProperties')
      for (const extra of (params.additionalProperties ?? []) as string[])
        found.push({
          path: `settings.${extra}`,
          message: `is not known; the fields are ${Object.keys(fields.properties).join(', ')}`,
        });
    else if (name !== undefined)
      found.push({ path: `settings.${name}`, message: `${error.message}: ${described(fields, name)}` });
    else found.push({ path: 'settings', message: error.message });
  }
  // One sentence for each field: the alternatives of a value are told by their field.
  return found.filter((one, at) => found.findIndex((other) => other.path === one.path) === at);
}

/** The fields of which one group is needed. */
function alternatives(fields: TObject): string {
  const groups = ((fields as { anyOf?: { required?: string[] }[] }).anyOf ?? []).map(({ required = [] }) =>
    required.map((name) => described(fields, name)).join(' and '),
  );
  return `needs ${groups.join(', or ')}`;
}
