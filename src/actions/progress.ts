import { DateTime } from 'luxon';
import { insertRows, type Tx } from '../base/database.ts';
import { addDays, instantOf } from '../base/time.ts';
import { sameValue } from '../model/changes.ts';
import { CHANNEL_WORDS } from '../sequences/describe.ts';
import { stepAfter, stepOf } from '../sequences/graph.ts';
import type { RunRow } from '../sequences/runs.ts';
import type { Definition } from '../sequences/schema.ts';
import type { Step } from '../sequences/steps.ts';
import { loadDefinition } from '../sequences/store.ts';
import type { SettingValue } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import type { ActionDeps } from './deps.ts';
import { loadRoutes, type Routes } from './routing.ts';
import { insertRequest } from './store.ts';
import { supersede } from './writeback.sql.ts';

type Target = SettingValue<'progressWriteBack'>['to'][number];

/** What is told of a customer: the sequences they are in, and what comes next. */
export interface Progress {
  enrolment: string | null;
  nextStep: string | null;
}

interface Outdated {
  stream_id: string;
  remote_id: string;
  customer_id: string;
  names: Record<string, string> | null;
  enrolment: string | null;
  next_step: string | null;
  revision: number;
}

/** Longest text that goes into a field: what the narrowest text fields of CRMs hold. */
const LONGEST = 250;

/** The customer-facing step that comes next on the plain way; undefined where the way parts before it, or ends. */
function nextReach(definition: Definition, from: Step): { step: Step; after: Step[] } | undefined {
  const after: Step[] = [];
  for (let step: Step | undefined = from; step && after.length < 100; step = stepAfter(definition, step)) {
    if ('message' in step || 'survey' in step) return { step, after };
    if ('branch' in step || 'split' in step || 'restart' in step || 'hand_over' in step || 'end' in step)
      return undefined;
    after.push(step);
  }
  return undefined;
}

/**
 * What comes next in an enrolment, as staff read it: "Reminder by SMS on 12 March". The date is left out where it depends
 * on what happens until then.
 * @param due when what is planned already goes out at the earliest
 */
export function nextStepOf(
  run: Pick<RunRow, 'step_id' | 'wake_at' | 'start_on' | 'zone' | 'waiting_for'>,
  definition: Definition,
  due: Date | null,
): { text: string; at: Date | undefined } | undefined {
  const here = stepOf(definition, run.step_id);
  const found = nextReach(definition, here);
  if (!found) return undefined;
  const { step, after } = found;
  const reach = 'message' in step ? step.message : 'survey' in step ? step.survey : undefined;
  const day =
    step.day === undefined ? undefined : instantOf(addDays(run.start_on, step.day), step.at ?? '00:00', run.zone);
  const waited = after.length === 1 && run.waiting_for === 'time' ? run.wake_at : null;
  const at = after.length === 0 ? (due ?? run.wake_at ?? day) : (day ?? waited ?? undefined);
  const [channel] = reach?.channels ?? [];
  const what = step.title ?? ('survey' in step ? 'Survey' : 'Message');
  const on = at ? ` on ${DateTime.fromJSDate(at, { zone: run.zone }).toFormat('d LLLL')}` : '';
  return { text: `${what}${channel ? ` by ${CHANNEL_WORDS[channel]}` : ''}${on}`, at: at ?? undefined };
}

/**
 * Plans what platforms have to be told of where customers stand in sequences, in batches and only where it changed. What
 * comes back of it is recognised as our own.
 * @returns how many records are to be written
 */
export async function planProgress(
  deps: Pick<ActionDeps, 'registry' | 'queue'>,
  tx: Tx,
  now: Date,
  customers?: readonly string[],
): Promise<number> {
  const { to } = await setting(tx, 'progressWriteBack');
  if (to.length === 0) return 0;
  const routes = await loadRoutes(tx, deps.registry);
  let planned = 0;
  for (const target of to) planned += await tellTarget(tx, routes, target, now, customers);
  if (planned > 0) await deps.queue.send(tx, 'dispatch', { tenantId: tx.tenantId });
  return planned;
}

async function tellTarget(
  tx: Tx,
  routes: Routes,
  target: Target,
  now: Date,
  customers: readonly string[] | undefined,
): Promise<number> {
  const route = routes.byConnection(target.connection, 'update_field');
  const names = {
    ...(target.enrolment ? { enrolment: target.enrolment } : {}),
    ...(target.nextStep ? { nextStep: target.nextStep } : {}),
  };
  if (!route || Object.keys(names).length === 0) return 0;
  const streams = route.connector.streams
    .filter((stream) => stream.entities.includes('contact'))
    .map(({ name }) => name);
  const records = await moved(tx, target, streams, names, customers);
  const progress = await progressOf(
    tx,
    records.map(({ customer_id }) => customer_id),
  );
  const outdated = records.flatMap((record) => {
    const told = progress.get(record.customer_id) ?? { enrolment: null, nextStep: null };
    const same = record.enrolment === told.enrolment && record.next_step === told.nextStep;
    if (same && sameValue(record.names ?? names, names)) return [];
    const key = `progress:${target.connection}:${record.stream_id}:${encodeURIComponent(record.remote_id)}:`;
    return [{ record, told, key }];
  });
  await supersede(
    tx,
    outdated.map(({ record, key }) => ({ customerId: record.customer_id, key })),
    now,
  );
  let planned = 0;
  for (const { record, told, key } of outdated) {
    const fields = Object.fromEntries(
      Object.entries(names).map(([name, field]) => [field, told[name as keyof Progress] ?? '']),
    );
    const made = await insertRequest(
      tx,
      {
        ...{ kind: 'update_field', channel: 'native', recipient: record.customer_id, class: 'internal' },
        ...{ customer_id: record.customer_id, connection_id: target.connection, created_by: 'progress' },
        plan: { type: 'direct', input: { object: 'contact', id: record.remote_id, fields } },
        idempotency_key: `${key}${record.revision + 1}`,
      },
      now,
    );
    if (made) planned += 1;
    Object.assign(record, { enrolment: told.enrolment, next_step: told.nextStep, revision: record.revision + 1 });
  }
  await keep(tx, records, names, now);
  return planned;
}

/** Records of contacts whose enrolments moved since they were last looked at, longest unlooked first. */
async function moved(
  tx: Tx,
  target: Target,
  streams: readonly string[],
  names: Record<string, string>,
  customers: readonly string[] | undefined,
): Promise<Outdated[]> {
  const { rows } = await tx.query<Outdated>(
    `select p.stream_id, p.remote_id, p.entity_id as customer_id, w.names, w.enrolment, w.next_step, coalesce(w.revision, 0) as revision
     from contact_projection p join stream s on s.tenant_id = p.tenant_id and s.id = p.stream_id and s.connection_id = $2 and s.name = any($3)
       left join progress_written w on w.tenant_id = p.tenant_id and w.stream_id = p.stream_id and w.remote_id = p.remote_id
     where p.tenant_id = $1 and p.deleted_at is null and ($5::uuid[] is null or p.entity_id = any($5))
       and (w.names <> $4::jsonb or exists (
         select from run r where r.tenant_id = $1 and r.customer_id = p.entity_id and not r.shadow
           and case when w.checked_at is null then r.state in ('active', 'waiting', 'paused') else r.updated_at >= w.checked_at end))
     order by w.checked_at nulls first, p.stream_id, p.remote_id limit $6`,
    [tx.tenantId, target.connection, streams, names, customers ?? null, target.mostPerPass ?? 1000],
  );
  return rows;
}

/** Where these customers stand. */
async function progressOf(tx: Tx, customerIds: readonly string[]): Promise<Map<string, Progress>> {
  const { rows } = await tx.query<RunRow & { title: string; due: Date | null }>(
    `select r.*, s.title, (select min(a.not_before) from action_request a where a.tenant_id = $1 and a.run_id = r.id and a.state in ('planned', 'committed')) as due
     from run r join sequence s on s.tenant_id = r.tenant_id and s.id = r.sequence_id
     where r.tenant_id = $1 and r.customer_id = any($2) and r.state in ('active', 'waiting', 'paused') and not r.shadow order by r.id`,
    [tx.tenantId, [...new Set(customerIds)]],
  );
  const found = new Map<string, { titles: Set<string>; next: { text: string; at: Date | undefined }[] }>();
  for (const row of rows) {
    const own = found.get(row.customer_id) ?? { titles: new Set<string>(), next: [] };
    found.set(row.customer_id, own);
    own.titles.add(row.state === 'paused' ? `${row.title} (paused)` : row.title);
    const next =
      row.state === 'paused'
        ? undefined
        : nextStepOf(row, await loadDefinition(tx, row.sequence_id, row.version), row.due);
    if (next) own.next.push(next);
  }
  const never = Number.MAX_SAFE_INTEGER;
  return new Map(
    [...found].map(([id, { titles, next }]) => {
      const [first] = next.sort((a, b) => (a.at?.getTime() ?? never) - (b.at?.getTime() ?? never));
      return [
        id,
        { enrolment: [...titles].sort().join(', ').slice(0, LONGEST), nextStep: first?.text.slice(0, LONGEST) ?? null },
      ];
    }),
  );
}

async function keep(tx: Tx, records: readonly Outdated[], names: Record<string, string>, now: Date): Promise<void> {
  await insertRows(
    tx,
    'progress_written',
    [
      { name: 'stream_id', type: 'uuid' },
      { name: 'remote_id', type: 'text' },
      { name: 'names', type: 'jsonb' },
      { name: 'enrolment', type: 'text' },
      { name: 'next_step', type: 'text' },
      { name: 'revision', type: 'int' },
      { name: 'checked_at', type: 'timestamptz' },
    ],
    records.map((record) => ({ ...record, names, checked_at: now })),
    `on conflict (tenant_id, stream_id, remote_id) do update set names = excluded.names, enrolment = excluded.enrolment, next_step = excluded.next_step,
       revision = excluded.revision, checked_at = excluded.checked_at`,
  );
}
