import type { Command } from 'commander';
import { notFound, Problem } from '../base/errors.ts';
import type { Hub } from '../hub.ts';
import { identityFacts } from '../model/identity.store.ts';
import { listSuggestions } from '../model/merging.ts';
import { lookUpCustomer } from '../model/store.ts';
import { listBreakers, resetBreaker } from '../sync/breaker.ts';
import { acceptSuggested, mergePair, refuseSuggested, splitOff, undoMergeOf } from '../sync/identity.ts';
import { type CommonOptions, command, counted, examples, moment, print, table, tenantOf, withHub } from './context.ts';

const LISTED = 200;
const BY_HAND = 'by hand';

/** @throws Problem unless exactly one customer is meant */
export async function customerId(hub: Hub, tenantId: string, text: string): Promise<string> {
  const found = await hub.db.tenant(tenantId, (tx) => lookUpCustomer(tx, text));
  if (found.length === 0)
    throw new Problem(404, 'not_found', `Nobody is known as "${text}".`, { fix: 'Try the e-mail address or the id.' });
  if (found.length > 1)
    throw new Problem(409, 'several', `Several customers are known as "${text}".`, {
      fix: `Name one by id: ${found.map((row) => row.id).join(', ')}.`,
    });
  return found[0]!.id;
}

/** Commands about who is who, and about fields that are fought over: merge, unmerge, suggestions, breakers. */
export function identityCommands(program: Command): void {
  program
    .command('merge')
    .description(
      'Make two customers one. It can be undone: "rapport unmerge".\nA customer is an id, an e-mail address, a phone number, a native id, or a name only one has.',
    )
    .argument('<customer>')
    .argument('<other>')
    .option('--companies', 'the two are companies, named by id')
    .option('--reason <text>', 'why; it is kept', BY_HAND)
    .addHelpText(
      'after',
      examples('rapport merge ann@example.com ann.miller@example.org --reason "she wrote from both"'),
    )
    .action(
      command(async (one: string, other: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { companies?: boolean; reason: string }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const idOf = (text: string): Promise<string> =>
            options.companies ? Promise.resolve(text) : customerId(hub, tenantId, text);
          const pair = [await idOf(one), await idOf(other)] as const;
          const decision = { by: 'cli', reason: options.reason };
          const kind = options.companies ? 'company' : 'contact';
          const { id, survivor, absorbed } = await mergePair(hub.deps, tenantId, kind, pair, decision);
          print(
            options,
            { id, survivor, absorbed },
            () =>
              `They are one now: ${survivor}. The id ${absorbed} leads there. To take it back: rapport unmerge ${id}`,
          );
        });
      }),
    );

  program
    .command('unmerge')
    .description(
      'Take a merge back, by its id, or see the merges of a customer.\nWith --record, make a customer of their own of some records.',
    )
    .argument('<merge or customer>', 'the id of a merge, or a customer')
    .option('--record <stream/id...>', 'records to split off, as "rapport unmerge <customer>" lists them')
    .option('--reason <text>', 'why; it is kept', BY_HAND)
    .addHelpText(
      'after',
      examples(
        'rapport unmerge ann@example.com',
        'rapport unmerge 01a2...  --reason "father and son"',
        'rapport unmerge ann@example.com --record 01a2.../4711',
      ),
    )
    .action(
      command(async (text: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { record?: string[]; reason: string }>();
        await withHub((hub) => unmerge(hub, text, options));
      }),
    );

  program
    .command('suggestions')
    .description('Who may be the same, for a person to decide. What is refused is not asked again.')
    .option('--accept <id>', 'they are the same: merge them')
    .option('--refuse <id>', 'they are not the same')
    .option('--reason <text>', 'why; it is kept', BY_HAND)
    .addHelpText('after', examples('rapport suggestions', 'rapport suggestions --accept 01a2...'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { accept?: string; refuse?: string; reason: string }>();
        await withHub((hub) => suggestions(hub, options));
      }),
    );

  program
    .command('breakers')
    .description('Fields we stopped writing because somebody sets them back each time.')
    .option('--reset <id>', 'write the field again: what set it back was taken care of')
    .addHelpText('after', examples('rapport breakers', 'rapport breakers --reset 01a2...'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { reset?: string }>();
        await withHub((hub) => breakers(hub, options));
      }),
    );
}

async function unmerge(
  hub: Hub,
  text: string,
  options: CommonOptions & { record?: string[]; reason: string },
): Promise<void> {
  const tenantId = await tenantOf(hub, options);
  const decision = { by: 'cli', reason: options.reason };
  const done = (parted: { from: string; revived: string; records: number; documents: number }): void =>
    print(
      options,
      { from: parted.from, revived: parted.revived, records: parted.records, documents: parted.documents },
      () =>
        `They are two again: ${parted.revived} lives with ${counted(parted.records, 'record')} and ${counted(parted.documents, 'document')} of its own, ${parted.from} stays. They are not joined again by themselves.`,
    );
  const isMerge = await hub.db.tenant(tenantId, (tx) =>
    tx.query('select 1 from merge_event where tenant_id = $1 and id::text = $2', [tenantId, text]),
  );
  if (isMerge.rowCount > 0) return done(await undoMergeOf(hub.deps, tenantId, text, decision));
  const id = await customerId(hub, tenantId, text);
  if (options.record) {
    const records = options.record.map((name) => ({ streamId: name.slice(0, 36), remoteId: name.slice(37) }));
    return done(await splitOff(hub.deps, tenantId, 'contact', id, records, decision));
  }
  const facts = await hub.db.tenant(tenantId, (tx) => identityFacts(tx, 'contact', id));
  print(options, { id, ...facts }, () => {
    const merges = facts.merges
      .filter((merge) => merge.undoneAt === null)
      .map((merge) => ({
        merge: merge.id,
        absorbed: merge.absorbed,
        by: merge.by,
        because: merge.evidence.key || merge.evidence.reason,
      }));
    const records = facts.records.map((record) => ({
      record: `${record.streamId}/${record.remoteId}`,
      connection: record.connection,
      stream: record.stream,
      name: record.name,
    }));
    return `Records of ${id}\n${table(records, ['record', 'connection', 'stream', 'name'])}\n\nMerges\n${table(merges, ['merge', 'absorbed', 'by', 'because'])}`;
  });
}

async function suggestions(
  hub: Hub,
  options: CommonOptions & { accept?: string; refuse?: string; reason: string },
): Promise<void> {
  const tenantId = await tenantOf(hub, options);
  if (options.accept) {
    const { id, survivor, absorbed } = await acceptSuggested(hub.deps, tenantId, options.accept, 'cli');
    return print(
      options,
      { id, survivor, absorbed },
      () => `They are one now: ${survivor}. To take it back: rapport unmerge ${id}`,
    );
  }
  if (options.refuse) {
    const decision = { by: 'cli', reason: options.reason };
    const { entityId, otherId } = await refuseSuggested(hub.deps, tenantId, options.refuse, decision);
    return print(options, { ids: [entityId, otherId] }, () => 'They stay two, and it is not asked again.');
  }
  const rows = await hub.db.tenant(tenantId, (tx) => listSuggestions(tx, { limit: LISTED }));
  const items = rows.map((row) => ({
    id: row.id,
    kind: row.kind,
    one: row.name ?? row.entity_id,
    other: row.other_name ?? row.other_id,
    since: moment(row.at.toISOString()),
    reason: row.reason,
  }));
  print(options, items, () =>
    items.length === 0 ? 'Nothing is left to decide.' : table(items, ['id', 'one', 'other', 'since', 'reason']),
  );
}

async function breakers(hub: Hub, options: CommonOptions & { reset?: string }): Promise<void> {
  const tenantId = await tenantOf(hub, options);
  const { reset } = options;
  if (reset) {
    const row = await hub.db.tenant(tenantId, (tx) => resetBreaker(tx, reset, 'cli', hub.clock.now()));
    if (!row) throw notFound('breaker', reset);
    return print(options, { id: row.id, field: row.field }, () => `"${row.field}" is written again from now on.`);
  }
  const rows = await hub.db.tenant(tenantId, (tx) => listBreakers(tx, { limit: LISTED }));
  const items = rows.map((row) => ({
    id: row.id,
    connection: row.connection,
    record: `${row.object} ${row.remote_id}`,
    field: row.field,
    times: row.flips.length,
    since: moment(row.tripped_at?.toISOString()),
  }));
  print(options, items, () =>
    items.length === 0
      ? 'Nobody sets back what we write.'
      : table(items, ['id', 'connection', 'record', 'field', 'times', 'since']),
  );
}
