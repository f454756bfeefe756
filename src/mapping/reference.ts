import { type EntityKind, entityDefinition, type Reference } from '../kit/index.ts';
import type { Compiler, Env } from './compiler.ts';
import { compileDirective } from './directives.ts';
import type { MappingFile } from './schema.ts';
import { toEmail, toPhone, toText } from './values.ts';

type ReferenceMapping = NonNullable<NonNullable<MappingFile['streams'][string][string]['references']>[string]>;

/** A function that finds what a record points at: a record of a stream, or whoever has an e-mail, phone or id. */
export function toReference(
  kind: EntityKind,
  name: string,
  mapping: ReferenceMapping,
  where: string,
  streams: readonly string[] | undefined,
  compiler: Compiler,
): (record: unknown, env: Env) => { stream: string; id: string } | { key: string } | undefined {
  const known = entityDefinition(kind).references;
  if (!known.includes(name as Reference)) {
    compiler.errors.push({
      path: where,
      message: `${kind} cannot point at "${name}"; it can at ${known.join(', ') || 'nothing'}`,
    });
    return () => undefined;
  }
  if (mapping.to !== undefined) {
    if (streams && !streams.includes(mapping.to))
      compiler.errors.push({
        path: `${where}.to`,
        message: `"${mapping.to}" is not a stream of this platform; there are ${streams.join(', ')}`,
      });
    if (mapping.id === undefined)
      compiler.errors.push({ path: `${where}.id`, message: 'is missing: the id of the record it points at' });
    const read = compileDirective(mapping.id ?? null, `${where}.id`, compiler);
    const stream = mapping.to;
    return (record, env) => {
      const id = toText(read(record, env));
      return id === null || id === '' ? undefined : { stream, id };
    };
  }
  for (const [key, convert] of [
    ['email', (value: unknown) => toEmail(value)],
    ['phone', (value: unknown, env: Env) => toPhone(value, env.country)],
    ['external_id', (value: unknown) => toText(value)],
  ] as const) {
    if (mapping[key] === undefined) continue;
    const read = compileDirective(mapping[key], `${where}.${key}`, compiler);
    return (record, env) => {
      const value = convert(read(record, env), env);
      return value === null ? undefined : { key: `${key === 'external_id' ? 'id' : key}:${value}` };
    };
  }
  compiler.errors.push({ path: where, message: 'must have to and id, or email, phone or external_id' });
  return () => undefined;
}
