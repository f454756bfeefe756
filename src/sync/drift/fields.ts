import type { Tx } from '../../base/database.ts';
import { ENTITIES, type EntityKind, type FieldDescription } from '../../kit/index.ts';
import type { CompiledStream } from '../../mapping/compile.ts';
import { type FieldRow, listFields, registerFields } from '../../mapping/store.ts';
import type { Source } from '../source.ts';
import { closeFindings, type Finding, listFindings, openFindings } from './store.ts';

/** Options named in a notice at most. */
const NAMED = 10;

/** Whether a path of a mapping reads a field of the platform. */
const reads = (path: string, field: string): boolean => path === field || path.endsWith(`.${field}`);

/**
 * Registers the fields a platform says it has, and compares them with what the mapping reads.
 * @returns what is new to tell
 */
export async function takeFields(
  tx: Tx,
  source: Source,
  stream: { id: string; name: string },
  fields: readonly FieldDescription[],
  now: Date,
): Promise<Finding[]> {
  const before = await listFields(tx, stream.id);
  await registerFields(tx, stream.id, fields, now);
  const after = await listFields(tx, stream.id);
  const compiled = source.mapping.streams.get(stream.name);
  if (!compiled) return [];
  const open = await listFindings(tx, { streamId: stream.id });
  const findings = compareFields(source, stream.name, compiled, before, after).filter(
    // Going back to what it was is no second change.
    ({ kind, field, detail }) =>
      !open.some((row) => kind === 'type' && row.kind === kind && row.field === field && row.detail.was === detail.is),
  );
  const over = open.filter((row) => {
    if (row.kind === 'missing' || row.detail.seenIn === 'records') return false;
    if (findings.some((item) => item.kind === row.kind && item.field === row.field)) return false;
    // A type that changed stays told until it is as it was, or nobody reads it.
    if (row.kind === 'type')
      return (
        !compiled.paths.some((path) => reads(path, row.field)) ||
        after.find((field) => field.name === row.field)?.type === row.detail.was
      );
    return true;
  });
  await closeFindings(
    tx,
    over.map((row) => row.id),
    now,
  );
  return openFindings(tx, { id: stream.id, connectionId: source.connection.id }, findings, now);
}

function compareFields(
  source: Source,
  stream: string,
  compiled: CompiledStream,
  before: readonly FieldRow[],
  after: readonly FieldRow[],
): Finding[] {
  const { name } = source.connector;
  const known = new Map(before.map((row) => [row.name, row]));
  const findings: Finding[] = [];
  for (const field of after) {
    const path = compiled.paths.find((candidate) => reads(candidate, field.name));
    const called = field.label && field.label !== field.name ? `${field.name} ("${field.label}")` : field.name;
    if (path === undefined) {
      // What was there at the first look is nothing new.
      if (field.custom && !field.gone_at && before.length > 0 && !wasAtFirst(field, before, after))
        findings.push({
          kind: 'new',
          field: field.name,
          message: `${name} has a new field of ${stream}, ${called}, that nothing reads yet.${suggestion(field, compiled)}`,
          detail: { label: field.label, type: field.type },
        });
      continue;
    }
    if (field.gone_at)
      findings.push({
        kind: 'gone',
        field: field.name,
        message: `${name} has no field ${called} of ${stream} any more, and the mapping reads it as ${path}. Map another one, or remove it from the mapping: what comes from now on is empty there.`,
        detail: { path },
      });
    const was = known.get(field.name);
    if (was && !field.gone_at && was.type !== field.type)
      findings.push({
        kind: 'type',
        field: field.name,
        message: `The field ${called} of ${stream} at ${name} was of type ${was.type} and is of type ${field.type} now; the mapping reads it as ${path}. Preview the mapping before records are parked.`,
        detail: { was: was.type, is: field.type },
      });
    findings.push(...unknownOptions(name, stream, compiled, path, field, called));
  }
  return findings;
}

/** The first look registers everything with one time. */
function wasAtFirst(field: FieldRow, before: readonly FieldRow[], after: readonly FieldRow[]): boolean {
  const first = Math.min(...[...before, ...after].map((row) => row.first_seen_at.getTime()));
  return field.first_seen_at.getTime() === first;
}

function unknownOptions(
  name: string,
  stream: string,
  compiled: CompiledStream,
  path: string,
  field: FieldRow,
  called: string,
): Finding[] {
  const words = compiled.words.find((item) => item.path === path);
  if (!words || field.gone_at) return [];
  const unknown = (field.options ?? []).filter(({ value }) => !words.known.has(value.toLowerCase()));
  if (unknown.length === 0) return [];
  const listed = unknown
    .slice(0, NAMED)
    .map(({ value, label }) => (label && label !== value ? `${value} (${label})` : value));
  const more = unknown.length > NAMED ? ` and ${unknown.length - NAMED} more` : '';
  return [
    {
      kind: 'option',
      field: field.name,
      message: `The field ${called} of ${stream} at ${name} can be ${listed.join(', ')}${more}, which the mapping does not know: records with that would lack the value. Add it to the enum over ${path}, or give it an else.`,
      detail: { path, options: unknown.map(({ value }) => value) },
    },
  ];
}

const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');

/** What the new field may be, by its name. */
function suggestion(field: FieldRow, compiled: CompiledStream): string {
  const names = [plain(field.name), plain(field.label)];
  for (const kind of compiled.kinds as EntityKind[]) {
    const match = Object.keys(ENTITIES[kind].fields).find((name) => names.includes(plain(name)));
    if (match) return ` It may be ${kind}.${match}.`;
  }
  return ' Map it to a field of the model, or under custom, if it is of use.';
}
