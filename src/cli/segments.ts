import type { Command } from 'commander';
import { Problem } from '../base/errors.ts';
import type { Hub } from '../hub.ts';
import { runSegments } from '../segments/jobs.ts';
import { changeSegment, createSegment, removeSegment, segmentNamed } from '../segments/manage.ts';
import { sentenceOf } from '../segments/sentence.ts';
import { allSegments, membersOf, type SegmentRow } from '../segments/store.ts';
import { type CommonOptions, command, counted, examples, moment, print, table, tenantOf, withHub } from './context.ts';

interface SegmentOptions extends CommonOptions {
  as?: string;
  settle?: string;
  delete?: boolean;
  at?: string;
  limit: string;
}

/** Groups of customers by a condition. */
export function segmentCommands(program: Command): void {
  program
    .command('segments')
    .description(
      'Segments and how many customers are in each; with a name, who is in it.\nWith --as the segment is made or changed: the condition is a sentence or JSON, as docs/conditions.md tells.',
    )
    .argument('[name]', 'name or id of a segment')
    .option('--as <condition>', 'make it of this condition, or change it')
    .option('--settle <minutes>', 'a change of membership must last so long before it counts')
    .option('--delete', 'remove it')
    .option('--at <moment>', 'who was in it at a moment, such as 2026-03-02T15:00:00Z')
    .option('--limit <number>', 'customers shown at most', '50')
    .addHelpText(
      'after',
      examples(
        'rapport segments',
        'rapport segments "Owes us" --as "balance due over 100"',
        'rapport segments "Owes us"',
        'rapport segments "Owes us" --delete',
      ),
    )
    .action(
      command(async (name: string | undefined, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<SegmentOptions>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          if (name === undefined) await list(hub, tenantId, options);
          else if (options.as !== undefined) await save(hub, tenantId, name, options);
          else if (options.delete) await remove(hub, tenantId, name, options);
          else await members(hub, tenantId, name, options);
        });
      }),
    );
}

async function list(hub: Hub, tenantId: string, options: SegmentOptions): Promise<void> {
  const all = await hub.db.tenant(tenantId, (tx) => allSegments(tx));
  const rows = all
    .filter((row) => row.trigger_id === null)
    .map((row) => ({
      id: row.id,
      segment: row.name,
      customers: row.evaluated_at ? row.size : null,
      condition: row.problem ?? sentenceOf(row.condition, all),
    }));
  print(options, { segments: rows }, () => table(rows, ['segment', 'customers', 'condition']));
}

/** @throws Problem 404 naming the segments there are */
async function found(hub: Hub, tenantId: string, name: string): Promise<SegmentRow> {
  const row = await hub.db.tenant(tenantId, (tx) => segmentNamed(tx, name));
  if (row) return row;
  const all = await hub.db.tenant(tenantId, (tx) => allSegments(tx));
  const names = all.filter((one) => one.trigger_id === null).map((one) => one.name);
  throw new Problem(404, 'not_found', `There is no segment "${name}".`, {
    fix: names.length > 0 ? `There are ${names.join(', ')}.` : 'Make one with --as.',
  });
}

/** A condition as typed: JSON when it looks like it, else a sentence. */
const typed = (text: string): unknown => {
  if (!text.trim().startsWith('{')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

async function save(hub: Hub, tenantId: string, name: string, options: SegmentOptions): Promise<void> {
  const wish = {
    condition: typed(options.as!),
    ...(options.settle === undefined ? {} : { settleMinutes: Number(options.settle) }),
  };
  const at = hub.clock.now();
  const { id } = await hub.db.tenant(tenantId, async (tx) => {
    const before = await segmentNamed(tx, name);
    return before
      ? changeSegment(tx, before.id, wish, { expected: before.version, actor: 'cli', at })
      : createSegment(tx, { name, ...wish }, 'cli', at);
  });
  const wake = (queue: string, tenant: string) => hub.queue.wake(queue, { tenantId: tenant });
  await runSegments({ db: hub.db, clock: hub.clock, wake }, tenantId);
  const row = await found(hub, tenantId, id);
  print(
    options,
    { id, name: row.name, condition: row.condition, size: row.size },
    () => row.problem ?? `${counted(row.size ?? 0, 'customer')} in "${row.name}".`,
  );
}

async function remove(hub: Hub, tenantId: string, name: string, options: SegmentOptions): Promise<void> {
  const row = await found(hub, tenantId, name);
  await hub.db.tenant(tenantId, (tx) => removeSegment(tx, row.id, 'cli', hub.clock.now()));
  print(options, { id: row.id, removed: true }, () => `"${row.name}" is removed.`);
}

async function members(hub: Hub, tenantId: string, name: string, options: SegmentOptions): Promise<void> {
  const row = await found(hub, tenantId, name);
  const at = options.at === undefined ? undefined : new Date(options.at);
  if (at && Number.isNaN(at.getTime()))
    throw new Problem(422, 'invalid', `"${options.at}" is no moment.`, { fix: 'Write 2026-03-02T15:00:00Z.' });
  const limit = Math.max(1, Number(options.limit) || 50);
  const rows = (await hub.db.tenant(tenantId, (tx) => membersOf(tx, row.id, { limit, ...(at ? { at } : {}) }))).map(
    (member) => ({
      customer: member.customer_id,
      name: member.name,
      email: member.email,
      since: member.entered_at.toISOString(),
    }),
  );
  print(options, { id: row.id, name: row.name, size: row.size, members: rows }, () =>
    table(
      rows.map((member) => ({ ...member, since: moment(member.since) })),
      ['name', 'email', 'since'],
    ),
  );
}
