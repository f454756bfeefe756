import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { messageOf, Problem } from '../base/errors.ts';
import { isLocalDate } from '../base/time.ts';
import { listConnections } from '../connections/store.ts';
import { detectAsOf, simulate } from '../sequences/simulate.ts';
import { type ImportResult, importFile } from '../sync/imports/import.ts';
import { readImportMapping } from '../sync/imports/mapping.ts';
import { replay } from '../sync/replay.ts';
import { readConnection } from '../sync/run.ts';
import { streamInfos } from '../sync/status.ts';
import { listStreams, requestRun } from '../sync/store.ts';
import { CATCH_UP_DAYS } from '../triggers/schema.ts';
import {
  type CommonOptions,
  command,
  counted,
  examples,
  print,
  progress,
  table,
  tenantOf,
  withHub,
} from './context.ts';
import { streamTable } from './status.ts';

/** @throws Problem for anything but a calendar date */
function dateOf(text: string, option: string): string {
  if (!isLocalDate(text))
    throw new Problem(400, 'bad_date', `${option} must be a date such as 2026-03-31, not "${text}".`);
  return text;
}

/** Commands that bring data in and look at it: sync, import, detect, simulate, replay. */
export function dataCommands(program: Command): void {
  program
    .command('sync')
    .description(
      'Read connected platforms now.\nReads what changed since the last time; --full starts again from the beginning (nothing is lost or doubled by it).',
    )
    .option('--full', 'start again from the beginning')
    .option('--connection <id>', 'one connection only')
    .addHelpText('after', examples('rapport sync', 'rapport sync --full'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { full?: boolean; connection?: string }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const bars = progress(options);
          const rows: Record<string, unknown>[] = [];
          const all = await hub.db.tenant(tenantId, (tx) => listConnections(tx));
          const connections = all.filter((row) => !options.connection || row.id === options.connection);
          if (options.connection && connections.length === 0)
            throw new Problem(404, 'not_found', `There is no connection ${options.connection}.`, {
              fix: 'The ids are in "rapport status --json".',
            });
          for (const connection of connections) {
            if (options.full)
              await hub.db.tenant(tenantId, async (tx) =>
                requestRun(
                  tx,
                  (await listStreams(tx, connection.id))
                    .filter((stream) => stream.state !== 'off')
                    .map((stream) => stream.id),
                  hub.clock.now(),
                  true,
                ),
              );
            const results = await readConnection(hub.deps, tenantId, connection.id, {
              force: true,
              onProgress: ({ stream, seen, total }) => bars.update(`${connection.connector}.${stream}`, seen, total),
            });
            for (const [stream, result] of results) rows.push({ connection: connection.name, stream, ...result });
          }
          bars.stop();
          print(options, { streams: rows }, () =>
            rows.length === 0
              ? 'There is nothing to read: no platform is connected. Files are read by "rapport import".'
              : table(rows, ['connection', 'stream', 'state', 'seen', 'changed', 'message']),
          );
          if (rows.some((row) => row.state === 'stopped' || row.message)) process.exitCode = 1;
        });
      }),
    );

  program
    .command('import')
    .description(
      'Import a CSV file.\nGood rows land, each bad one is parked with its line and the reason. Importing the same file again changes nothing.',
    )
    .addHelpText(
      'after',
      examples('rapport import contacts people.csv', 'rapport import jobs purchases.csv --map examples/cdnow.yaml'),
    )
    .argument(
      '<object>',
      'what the rows are: contacts, companies, deals, tickets, invoices, payments, jobs, subscriptions, activities',
    )
    .argument('<file>', 'the file')
    .option('--map <file>', 'mapping file; without it the columns are guessed by their names')
    .option('--encoding <name>', 'encoding of the file, when it is guessed wrongly')
    .action(
      command(async (object: string, file: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { map?: string; encoding?: string }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const streams = hub.deps.registry.find('csv')?.streams.map((stream) => stream.name) ?? [];
          const mapping = options.map ? readImportMapping(readMapping(options.map), options.map, streams) : undefined;
          const bars = progress(options);
          const result = await importFile(
            hub.deps,
            tenantId,
            { object, file, mapping, encoding: options.encoding, actor: 'cli' },
            (done) => bars.update(object, done.rows, undefined),
          );
          bars.stop();
          print(options, result, () => imported(result));
        });
      }),
    );

  program
    .command('detect')
    .description(
      'Show what the triggers find as of a day, without sending anything.\nFacts are taken as stored; a missed day or two before still counts, as it would in operation.',
    )
    .requiredOption('--as-of <date>', 'the day, such as 2026-03-31')
    .option('--trigger <name...>', 'only these kinds of triggers')
    .addHelpText(
      'after',
      examples('rapport detect --as-of 2026-03-31', 'rapport detect --as-of 2026-03-31 --trigger invoice.overdue'),
    )
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { asOf: string; trigger?: string[] }>();
        const asOf = dateOf(options.asOf, '--as-of');
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const rows = await hub.db.rehearse(tenantId, (tx) =>
            detectAsOf(tx, asOf, CATCH_UP_DAYS, hub.clock.now(), options.trigger),
          );
          print(
            options,
            rows,
            () =>
              `${table(rows as never, ['occurredOn', 'trigger', 'subject', 'businessKey'])}\n${rows.length} found as of ${asOf}; nothing was sent.`,
          );
        });
      }),
    );

  program
    .command('simulate')
    .description(
      'Play the days of a range on stored facts: what triggers find and which reminders stay unanswered.\nSends nothing and writes nothing.',
    )
    .requiredOption('--from <date>', 'first day')
    .requiredOption('--to <date>', 'last day')
    .option('--trigger <name...>', 'only these kinds of triggers')
    .addHelpText('after', examples('rapport simulate --from 2026-03-01 --to 2026-03-31'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { from: string; to: string; trigger?: string[] }>();
        const [from, to] = [dateOf(options.from, '--from'), dateOf(options.to, '--to')];
        if (from > to) throw new Problem(400, 'bad_date', '--from must not be after --to.');
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const rows = await hub.db.rehearse(tenantId, (tx) =>
            simulate(tx, from, to, hub.clock.now(), options.trigger),
          );
          print(options, rows, () => {
            const counts = new Map<string, number>();
            for (const row of rows) counts.set(row.trigger, (counts.get(row.trigger) ?? 0) + 1);
            return `${table(rows as never, ['occurredOn', 'trigger', 'subject', 'businessKey'])}\n${[...counts].map(([name, count]) => `${count} ${name}`).join(', ') || 'nothing'} from ${from} to ${to}; nothing was sent.`;
          });
        });
      }),
    );

  program
    .command('replay')
    .description('Try parked items again, for example after a mapping was corrected. Nothing is triggered by it.')
    .option('--id <id>', 'one item')
    .option('--kind <kind>', 'record, field, row, hook')
    .addHelpText('after', examples('rapport replay', 'rapport replay --kind field'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { id?: string; kind?: string }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const which = { ...(options.id ? { id: options.id } : {}), ...(options.kind ? { kind: options.kind } : {}) };
          const bars = progress(options);
          const result = { tried: 0, resolved: 0, stillParked: 0, left: 0 };
          for (let before: string | null | undefined; before !== null; ) {
            const batch = await replay(hub.deps, tenantId, { ...which, ...(before ? { before } : {}) }, 'cli');
            result.tried += batch.tried;
            result.resolved += batch.resolved;
            result.stillParked += batch.stillParked;
            bars.update('parked items', result.tried, result.tried + batch.left);
            before = batch.next;
          }
          bars.stop();
          print(
            options,
            result,
            () =>
              `${counted(result.tried, 'item')} tried again, ${result.resolved} resolved, ${result.stillParked} still parked. Rows of files are tried again by importing the file.`,
          );
        });
      }),
    );

  program
    .command('streams')
    .description('Freshness, progress and trouble of every stream.')
    .addHelpText('after', examples('rapport streams'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const rows = await streamInfos(hub.deps, tenantId);
          const connections = await hub.db.tenant(tenantId, (tx) => listConnections(tx));
          print(options, { streams: rows }, () => streamTable(rows, connections));
        });
      }),
    );
}

/** What became of a file: rows first, then the records they made. */
function imported(result: ImportResult): string {
  const rows = Object.entries(result.records).map(([object, found]) => ({
    object,
    found,
    changed: result.changed[object] ?? 0,
    unchanged: found - (result.changed[object] ?? 0),
  }));
  const parked = result.parked > 0 ? ' ("rapport status --parked" shows the reasons)' : '';
  return `${counted(result.rows, 'row')} read, ${result.skipped} skipped, ${result.parked} parked${parked}.\n\n${table(rows, ['object', 'found', 'changed', 'unchanged'])}`;
}

function readMapping(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Problem(404, 'not_found', `The mapping file ${file} cannot be read: ${messageOf(error)}`);
  }
}
