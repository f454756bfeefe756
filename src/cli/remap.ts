import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { messageOf, Problem } from '../base/errors.ts';
import { type Level, levelOfConnection, readOverride } from '../connections/mappings.ts';
import { findConnection, listConnections } from '../connections/store.ts';
import type { Hub } from '../hub.ts';
import type { MappingOverride } from '../mapping/schema.ts';
import { listOverrides } from '../mapping/store.ts';
import { type Preview, previewMapping } from '../sync/remap/preview.ts';
import { remapConnection } from '../sync/remap/run.ts';
import { toRemapRun } from '../sync/remap/schema.ts';
import { applyMapping, rollBack } from '../sync/remap/start.ts';
import { listRuns, type RemapRow } from '../sync/remap/store.ts';
import {
  type CommonOptions,
  command,
  counted,
  examples,
  moment,
  print,
  progress,
  table,
  tenantOf,
  withHub,
} from './context.ts';

interface RemapOptions extends CommonOptions {
  preview?: boolean;
  apply?: boolean;
  rollback?: boolean;
  mapping?: string;
  to?: string;
  limit: string;
  sample: string;
}

/** Runs shown when nothing is asked for. */
const RUNS_SHOWN = 10;

/** The command that brings stored records through another mapping. */
export function remapCommands(program: Command): void {
  program
    .command('remap')
    .description(
      'Bring stored records through a changed mapping of a connection: see what would change, do it, take it back.\nNo platform is asked and nothing is triggered. Without a verb: what was done so far.',
    )
    .argument('<connection>', 'id of the connection ("rapport status --json")')
    .option('--preview', 'show what would change, and change nothing')
    .option('--apply', 'save the mapping and bring all stored records through it')
    .option('--rollback', 'return to the mapping before, or to that of --to')
    .option('--mapping <file>', 'override as YAML or JSON; without it the mapping in force')
    .option('--to <version>', 'version to return to, 0 for the mapping of the platform')
    .option('--limit <records>', 'records to look at in a preview', '20000')
    .option('--sample <records>', 'records to show of each stream in a preview', '5')
    .addHelpText(
      'after',
      examples(
        'rapport remap 0199... --preview --mapping override.yaml',
        'rapport remap 0199... --apply --mapping override.yaml',
        'rapport remap 0199... --preview --rollback',
        'rapport remap 0199... --rollback',
      ),
    )
    .action(
      command(async (connectionId: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<RemapOptions>();
        const override = options.mapping ? readMapping(options.mapping) : undefined;
        if (override && options.rollback)
          throw new Problem(400, 'two_ways', '--rollback returns to a stored mapping; --mapping brings another.', {
            fix: 'Use one of them.',
          });
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const level = await levelFor(hub, tenantId, connectionId);
          if (options.preview) return showPreview(hub, tenantId, level, options, override);
          if (options.apply || options.rollback) return change(hub, tenantId, level, options, override);
          const runs = await hub.db.tenant(tenantId, (tx) => listRuns(tx, { connectionId, limit: RUNS_SHOWN }));
          print(options, { runs: runs.map(toRemapRun) }, () => runsText(runs));
        });
      }),
    );
}

const levelFor = (hub: Hub, tenantId: string, id: string): Promise<Level> =>
  hub.db.tenant(tenantId, async (tx) => {
    const known = /^[0-9a-f-]{36}$/.test(id) && (await findConnection(tx, id));
    if (known) return levelOfConnection(tx, id);
    const all = await listConnections(tx);
    throw new Problem(404, 'not_found', `There is no connection ${id}.`, {
      fix: `There are ${all.map((row) => `${row.id} (${row.name})`).join(', ') || 'none'}.`,
    });
  });

async function showPreview(
  hub: Hub,
  tenantId: string,
  level: Level,
  options: RemapOptions,
  override: MappingOverride | undefined,
): Promise<void> {
  const found = await previewMapping(hub.deps, tenantId, level, {
    override,
    version: numberOf(options.to, '--to'),
    rollback: options.rollback === true,
    sample: numberOf(options.sample, '--sample') ?? 5,
    limit: Math.max(1, numberOf(options.limit, '--limit') ?? 20_000),
  });
  print(options, found, () => previewText(found));
}

async function change(
  hub: Hub,
  tenantId: string,
  level: Level,
  options: RemapOptions,
  override: MappingOverride | undefined,
): Promise<void> {
  const versions = await hub.db.tenant(tenantId, (tx) => listOverrides(tx, level.connector, level.connectionId));
  const expected = versions[0]?.version ?? 0;
  const started = options.rollback
    ? await rollBack(hub.deps, tenantId, level, { to: numberOf(options.to, '--to'), expected, actor: 'cli' })
    : await applyMapping(hub.deps, tenantId, level, { override, expected, actor: 'cli' });
  const bars = progress(options);
  const onProgress = (run: RemapRow): void => bars.update('records', run.seen, run.total);
  const connectionId = level.connectionId;
  let run: RemapRow | undefined;
  while (started.runs.length > 0) {
    await remapConnection(hub.deps, tenantId, connectionId, { onProgress });
    // A running hub may have taken it: what it does is waited for.
    [run] = await hub.db.tenant(tenantId, (tx) => listRuns(tx, { connectionId, limit: 1 }));
    if (!run || run.error || run.state === 'done' || run.state === 'replaced') break;
    onProgress(run);
    await hub.clock.sleep(500);
  }
  bars.stop();
  if (run?.error) process.exitCode = 1;
  print(options, { version: started.version, run: run ? toRemapRun(run) : null }, () =>
    run
      ? `The mapping is at version ${started.version}.\n\n${runsText([run])}`
      : `The mapping is at version ${started.version}. No stored record had to be brought through it.`,
  );
}

function numberOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new Problem(400, 'bad_number', `${option} takes a whole number, not "${text}".`);
  return Number(text);
}

function readMapping(file: string): MappingOverride {
  try {
    return readOverride(parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(422, 'invalid', `The mapping file ${file} cannot be read: ${messageOf(error)}`);
  }
}

const shown = (value: unknown): string =>
  value === null || value === undefined ? '(empty)' : typeof value === 'string' ? value : JSON.stringify(value);

function previewText(found: Preview): string {
  const head =
    found.restores === null
      ? `${counted(found.affected, 'record')} of ${found.examined} would change (${found.records} are stored). Nothing was changed.`
      : `Returning to version ${found.restores}: ${counted(found.affected, 'record')} of ${found.examined} would change (${found.records} are stored). Nothing was changed.`;
  const fields = found.streams.flatMap((stream) =>
    stream.fields.map(({ kind, field, affected }) => ({ stream: stream.stream, field: `${kind}.${field}`, affected })),
  );
  const issues = found.streams.flatMap((stream) =>
    stream.issues.map(({ kind, field, records, critical, example }) => ({
      stream: stream.stream,
      field: `${kind}.${field}`,
      records,
      costs: critical ? 'the record' : 'the field',
      example,
    })),
  );
  const sample = found.sample.flatMap((record) => [
    `${record.name} (${record.stream} ${record.id})${record.parked ? `: would be parked: ${record.parked}` : ''}`,
    ...record.changes.map(
      ({ kind, field, before, after }) => `  ${kind}.${field}: ${shown(before)} -> ${shown(after)}`,
    ),
  ]);
  return [
    head,
    ...(fields.length > 0 ? [table(fields, ['stream', 'field', 'affected'])] : []),
    ...(issues.length > 0
      ? [`Would not fit\n${table(issues, ['stream', 'field', 'records', 'costs', 'example'])}`]
      : []),
    ...(sample.length > 0 ? [sample.join('\n')] : []),
    found.notes.join('\n'),
  ].join('\n\n');
}

const runsText = (runs: readonly RemapRow[]): string =>
  table(
    runs.map((run) => ({
      'began (UTC)': moment(run.created_at.toISOString()),
      because: run.reason,
      version: run.version,
      state: run.state,
      records: `${run.seen} of ${run.total}`,
      changed: run.changed,
      parked: run.parked,
      joined: run.joined,
      separated: run.separated,
      trouble: run.error,
    })),
    ['began (UTC)', 'because', 'version', 'state', 'records', 'changed', 'parked', 'joined', 'separated', 'trouble'],
  );
