import type { Schema } from '../normalise.ts';
import { Schemas } from '../schemas.ts';
import { isRecord, type ValueSpec } from '../spec.ts';

/**
 * Reads a JSON schema document of any draft. References are pointers, or ids some part of the document gives itself.
 * @param part the schema to compare with, as a reference; absent: the document itself
 */
export function jsonSchema(name: string, document: Record<string, any>, part = '#'): ValueSpec {
  const ids = new Map<string, string>();
  collectIds(document, '#', ids);
  const schemas = new Schemas(document, { locate: (reference) => ids.get(reference) ?? reference });
  const schema: Schema = { $ref: part };
  return {
    name: part === '#' ? name : `${name} ${part}`,
    check: (value, at) => schemas.check(schema, value, 'response', at),
  };
}

/** Notes where the schemas with an id of their own are; `id` is what `$id` was called in older drafts. */
function collectIds(value: unknown, pointer: string, ids: Map<string, string>): void {
  if (value === null || typeof value !== 'object') return;
  if (isRecord(value)) {
    const id = value.$id ?? value.id;
    if (typeof id === 'string' && !ids.has(id)) ids.set(id, pointer);
  }
  for (const [key, inner] of Object.entries(value))
    collectIds(inner, `${pointer}/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`, ids);
}
