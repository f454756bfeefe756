import type { Tx } from '../base/database.ts';
import type { ActionKind } from '../kit/index.ts';
import { setting } from '../settings/store.ts';
import type { ActionDeps } from './deps.ts';
import { planProgress } from './progress.ts';
import { loadRoutes, type Routes } from './routing.ts';
import { insertRequest, type NewRequest } from './store.ts';
import {
  keepTold,
  movedFar,
  type Names,
  type OutdatedRecord,
  outdatedRecords,
  type ScoreTarget,
  supersede,
  type Told,
} from './writeback.sql.ts';

/** Records told after one pass, unless set otherwise. */
const MOST_PER_PASS = 1000;

/** The fields and tags of a target; what it leaves out is none. */
export const namesOf = ({ fields = {}, tags = {} }: ScoreTarget): Names => ({ fields, tags });

/** What it takes to write these names. */
export const kindsOf = ({ fields, tags }: Names): ActionKind[] => [
  ...(Object.keys(fields).length > 0 ? ['update_field' as const] : []),
  ...(Object.keys(tags).length > 0 ? ['add_tag' as const, 'remove_tag' as const] : []),
];

/** Has platforms told of scores in a transaction of its own. `late` is read when it is used. */
export const tellScores =
  (late: () => ActionDeps) =>
  (tenantId: string, customers?: readonly string[]): Promise<number> =>
    late().db.tenant(tenantId, async (tx) => {
      const now = late().clock.now();
      const scores = await planWriteBack(late(), tx, now, customers);
      return scores + (await planProgress(late(), tx, now, customers));
    });

/**
 * Plans what platforms have to be told of scores since they were last told. Whoever comes second at the same time waits
 * for the first, and finds nothing left to plan.
 * @param customers those to look at; absent: all
 * @returns how many requests were planned
 */
export async function planWriteBack(
  deps: Pick<ActionDeps, 'registry' | 'queue'>,
  tx: Tx,
  now: Date,
  customers?: readonly string[],
): Promise<number> {
  const { to } = await setting(tx, 'scoreWriteBack');
  if (to.length === 0) return 0;
  // Planned for the tables as they are, and for whom is looked at: some, or all.
  await tx.query('set local plan_cache_mode = force_custom_plan');
  await tx.query('select 1 from score_state where tenant_id = $1 for update', [tx.tenantId]);
  const routes = await loadRoutes(tx, deps.registry);
  let planned = 0;
  for (const target of to) planned += await tellTarget(tx, routes, target, now, customers);
  if (planned > 0) await deps.queue.send(tx, 'dispatch', { tenantId: tx.tenantId });
  return planned;
}

async function tellTarget(
  tx: Tx,
  routes: Routes,
  target: ScoreTarget,
  now: Date,
  customers: readonly string[] | undefined,
): Promise<number> {
  const names = namesOf(target);
  const found = kindsOf(names).map((kind) => routes.byConnection(target.connection, kind));
  // A connection that lost its feature is told when it has it again.
  if (found.length === 0 || found.some((route) => route === undefined)) return 0;
  const streams = found[0]!.connector.streams.filter((stream) => stream.entities.includes('contact'));
  const { rows } = await tx.query<{ id: string }>(
    'select id from stream where tenant_id = $1 and connection_id = $2 and name = any($3)',
    [tx.tenantId, target.connection, streams.map((stream) => stream.name)],
  );
  const most = target.mostPerPass ?? MOST_PER_PASS;
  const ids = rows.map((row) => row.id);
  const records = await outdatedRecords(tx, ids, names, customers, most);
  const writings = records.map((record) => ({ record, ...writingOf(target, names, record) }));
  await supersede(
    tx,
    writings.flatMap(({ record, parts }) =>
      parts.map(({ key }) => ({ customerId: record.customer_id, key: `${key}:` })),
    ),
    now,
  );
  let planned = 0;
  for (const { record, parts } of writings)
    for (const part of parts) if (await insertRequest(tx, requestOf(target, record, part), now)) planned += 1;
  await keepTold(
    tx,
    writings.map(({ told }) => told),
    now,
  );
  return planned;
}

/** One thing to write into a record; `key` names record and place. */
interface Part {
  key: string;
  kind: ActionKind;
  input: Record<string, unknown>;
}

/** What has to be written into a record, and what it has been told when that is done. */
function writingOf(
  target: ScoreTarget,
  names: Names,
  record: OutdatedRecord,
): { parts: Part[]; told: Parameters<typeof keepTold>[1][number] } {
  const { stream_id, remote_id, old, renamed } = record;
  const place = `score:${target.connection}:${stream_id}:${encodeURIComponent(remote_id)}`;
  const fields = Object.keys(names.fields) as (keyof Told)[];
  const moved = (name: keyof Told): boolean =>
    name === 'score' ? movedFar(old!.score, record.score) : old![name] !== record[name];
  const writes = fields.length > 0 && (!old || renamed || fields.some(moved));
  const had = old ? tagsOf(old.names, old) : [];
  const has = tagsOf(names, record);
  const parts: Part[] = [];
  if (writes) {
    const values = fields.map((name) => [names.fields[name]!, record[name]]);
    const input = { object: 'contact', id: remote_id, fields: Object.fromEntries(values) };
    parts.push({ key: `${place}:fields`, kind: 'update_field', input });
  }
  const tag = (kind: 'add_tag' | 'remove_tag', name: string): Part => ({
    ...{ key: `${place}:tag:${encodeURIComponent(name)}`, kind },
    input: { tag: name, about: { contact: remote_id } },
  });
  parts.push(...had.filter((name) => !has.includes(name)).map((name) => tag('remove_tag', name)));
  parts.push(...has.filter((name) => !had.includes(name)).map((name) => tag('add_tag', name)));
  const { band, vip, unhappy, revision } = record;
  // What it was not told it is still to be told, once it moved far enough since.
  const score = writes || !old ? record.score : old.score;
  return { parts, told: { stream_id, remote_id, names, score, band, vip, unhappy, revision: revision + 1 } };
}

const BAND_TAGS = { at_risk: 'atRisk', steady: 'steady', strong: 'strong' } as const;

/** Tags a record should have, by what is known of the customer. */
function tagsOf({ tags }: Names, { band, vip, unhappy }: Told): string[] {
  const ofBand = band === null ? undefined : BAND_TAGS[band as keyof typeof BAND_TAGS];
  return [vip ? tags.vip : undefined, unhappy ? tags.unhappy : undefined, ofBand ? tags[ofBand] : undefined].filter(
    (tag) => tag !== undefined,
  );
}

const requestOf = (target: ScoreTarget, record: OutdatedRecord, { key, kind, input }: Part): NewRequest => ({
  kind,
  channel: 'native',
  recipient: record.customer_id,
  class: 'internal',
  plan: { type: 'direct', input },
  customer_id: record.customer_id,
  connection_id: target.connection,
  idempotency_key: `${key}:${record.revision + 1}`,
  created_by: 'score',
});
