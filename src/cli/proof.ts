import type { Command } from 'commander';
import { notFound, Problem } from '../base/errors.ts';
import { isId } from '../base/ids.ts';
import { type ConnectionRow, listConnections } from '../connections/store.ts';
import type { Hub } from '../hub.ts';
import type { Proof } from '../sync/completeness.ts';
import { type Decision, decide, finishBatch } from '../sync/deletions.apply.ts';
import { BATCH_STATES, findBatch, listBatches } from '../sync/deletions.store.ts';
import { describeBatches } from '../sync/deletions.view.ts';
import { runProofs } from '../sync/proofs.ts';
import type { Deletions } from '../sync/schema.ts';
import { listStreams } from '../sync/store.ts';
import { type CommonOptions, command, counted, examples, moment, print, table, tenantOf, withHub } from './context.ts';

/** Batches listed at most. */
const SHOWN = 100;

/** Commands about completeness and deletions: verify, deletions. */
export function proofCommands(program: Command): void {
  program
    .command('verify')
    .description(
      'Compare a connection with its platform and repair what was lost.\nCounts by span of time where the platform can, and reads all of it elsewhere. Ends with code 1 when something is not proven.',
    )
    .addHelpText(
      'after',
      examples('rapport verify hubspot', 'rapport verify hubspot --stream contacts', 'rapport verify hubspot --json'),
    )
    .argument('<connection>', 'id, name or platform')
    .option('--stream <name...>', 'these streams only')
    .action(
      command(async (which: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { stream?: string[] }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const row = await connectionOf(hub, tenantId, which);
          const streams = await hub.db.tenant(tenantId, (tx) => listStreams(tx, row.id));
          const unknown = options.stream?.find((name) => !streams.some((stream) => stream.name === name));
          if (unknown !== undefined)
            throw new Problem(404, 'not_found', `${row.name} has no stream "${unknown}".`, {
              fix: `There are ${streams.map((stream) => stream.name).join(', ')}.`,
            });
          const off = new Set(streams.filter((stream) => stream.state === 'off').map((stream) => stream.name));
          const { proofs } = await runProofs(hub.deps, tenantId, row.id, {
            verify: (name) => options.stream?.includes(name) ?? !off.has(name),
          });
          print(options, { connection: row.id, streams: proofs }, () => proofText(proofs));
          if (proofs.some((proof) => proof.state !== 'proven')) process.exitCode = 1;
        });
      }),
    );

  const deletions = program
    .command('deletions')
    .description('Deletions in batches: what waits for a decision, what was deleted and why.')
    .option('--state <state>', BATCH_STATES.join(', '))
    .addHelpText(
      'after',
      examples('rapport deletions', 'rapport deletions --state held', 'rapport deletions confirm 0197...'),
    )
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { state?: string }>();
        if (options.state && !BATCH_STATES.some((state) => state === options.state))
          throw new Problem(400, 'bad_state', `--state is one of ${BATCH_STATES.join(', ')}, not "${options.state}".`);
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const { state } = options;
          const items = await hub.db.tenant(tenantId, async (tx) =>
            describeBatches(hub.deps, tx, await listBatches(tx, { ...(state ? { state } : {}), limit: SHOWN })),
          );
          print(options, { items }, () => deletionsText(items));
        });
      }),
    );
  decision(deletions, 'confirm', 'Delete what was held. What the platform shows again by then stays.');
  decision(deletions, 'refuse', 'Keep what was held, until the platform shows it again and deletes it anew.');
  decision(deletions, 'undo', 'Bring deleted records back as they were. Nothing is triggered by it.');
}

function decision(parent: Command, verb: Decision, description: string): void {
  parent
    .command(verb)
    .description(description)
    .argument('<id>', 'of the batch, as "rapport deletions" shows it')
    .addHelpText('after', examples(`rapport deletions ${verb} 01971c3e-0000-7000-8000-000000000000`))
    .action(
      command(async (id: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          if (!isId(id)) throw notFound('deletion', id);
          await hub.db.tenant(tenantId, (tx) => decide(hub.deps, tx, id, verb, 'cli'));
          await finishBatch(hub.deps, tenantId, id);
          const [item] = await hub.db.tenant(tenantId, async (tx) =>
            describeBatches(hub.deps, tx, [(await findBatch(tx, id))!]),
          );
          print(options, item, () => item!.sentence);
        });
      }),
    );
}

/** @throws Problem when the text names none or several */
async function connectionOf(hub: Hub, tenantId: string, which: string): Promise<ConnectionRow> {
  const all = await hub.db.tenant(tenantId, (tx) => listConnections(tx));
  const found = all.filter((row) => [row.id, row.name, row.connector].includes(which));
  if (found.length === 1) return found[0]!;
  throw new Problem(
    found.length === 0 ? 404 : 409,
    found.length === 0 ? 'not_found' : 'several',
    found.length === 0 ? `There is no connection "${which}".` : `Several connections are called "${which}".`,
    { fix: `Name one by id: ${all.map((row) => `${row.name} is ${row.id}`).join(', ') || 'none is connected yet'}.` },
  );
}

/** What was proven, for a person: figures first, then what was not and why. */
function proofText(proofs: readonly Proof[]): string {
  const rows = proofs.map(({ stream, state, method, pages, result }) => ({
    stream,
    state,
    how: { counts: 'counted', list: 'read', none: 'not asked' }[method],
    'at the platform': result.vendor ?? '',
    here: result.here ?? '',
    spans: result.buckets ?? '',
    differed: result.drifted ?? '',
    repaired: result.repaired ?? '',
    gone: result.gone ?? '',
    pages,
  }));
  const why = proofs
    .map(({ stream, reasons, message }) => ({ stream, text: [...reasons, ...(message ? [message] : [])].join(' ') }))
    .filter(({ text }) => text !== '')
    .map(({ stream, text }) => `${stream}: ${text}`);
  const columns = [
    'stream',
    'state',
    'how',
    'at the platform',
    'here',
    'spans',
    'differed',
    'repaired',
    'gone',
    'pages',
  ];
  return [table(rows, columns), ...why].join('\n');
}

function deletionsText(items: readonly Deletions[]): string {
  if (items.length === 0) return 'Nothing was deleted, and nothing waits for a decision.';
  const held = items.filter((item) => item.state === 'held');
  const rows = items.map((item) => ({
    id: item.id,
    'when (UTC)': moment(item.createdAt),
    state: item.state,
    stream: item.stream,
    records: item.records,
    some: item.sample
      .slice(0, 3)
      .map(({ id, name }) => name ?? id)
      .join(', '),
  }));
  return [
    ...(held.length > 0 ? [`${counted(held.length, 'decision waits', 'decisions wait')}:`] : []),
    ...held.map((item) => item.sentence),
    table(rows, ['id', 'when (UTC)', 'state', 'stream', 'records', 'some']),
  ].join('\n');
}
