import { expect } from 'vitest';
import type { Connector, SignedPost, Stream, StreamTrial, Trial, TrialEvent } from '../../src/kit/index.ts';
import type { Fault } from '../../src/kit/sandbox/index.ts';
import { projectionTable } from '../../src/model/columns.ts';
import type { RunResult } from '../../src/sync/reader.ts';
import { readConnection } from '../../src/sync/run.ts';
import { requestRun } from '../../src/sync/store.ts';
import type { Connected, World } from './case.ts';

type Row = Record<string, any>;

/** A stream with the vendor's side of it. */
export interface Tried {
  stream: Stream;
  vendor: StreamTrial;
  /** Records of the largest page it is read in; 0: there is only one page, or nothing is asked for. */
  page: number;
  /** The same of its first load. */
  firstPage: number;
}

/** Streams that can be tried, of those a condition holds for. */
export const streamsOf = (
  connector: Connector,
  trial: Trial,
  holds: (stream: Stream, vendor: StreamTrial) => unknown = () => true,
): Tried[] =>
  connector.streams.flatMap((stream) => {
    const vendor = trial.streams[stream.name];
    return vendor && holds(stream, vendor)
      ? [{ stream, vendor, page: pageOf(stream), firstPage: firstPageOf(stream) }]
      : [];
  });

const sizeOf = (paging: Stream['paging']): number => (paging && 'size' in paging ? paging.size : 0);
const pageOf = ({ list, paging, initial }: Stream): number =>
  list ? Math.max(sizeOf(paging), sizeOf(initial?.paging)) : 0;
const firstPageOf = ({ list, paging, initial }: Stream): number => (list ? sizeOf((initial ?? { paging }).paging) : 0);

/** Of large streams that are read in the same way one is enough: they differ in their names only. */
export function eachWay(tried: readonly Tried[]): Tried[] {
  const ways = new Map<string, Tried>();
  for (const one of tried) {
    const { paging, initial, incremental, deletes } = one.stream;
    const way = [paging?.kind, initial?.paging.kind, incremental?.granularity, deletes.kind].join();
    const key = one.page > 200 ? way : one.stream.name;
    if (!ways.has(key)) ways.set(key, one);
  }
  return [...ways.values()];
}

export const isAsked = ({ list }: Stream): boolean => list !== undefined;
export const isPaged = (stream: Stream): boolean => pageOf(stream) > 0;

/** Why nothing can be read of a vendor by asking. */
export const whyUnasked = ({ streams, files }: Connector): string =>
  streams.length === 0
    ? 'nothing is read'
    : `nothing can be asked for: records come ${files ? 'from files' : 'as posted'}`;

/** True when a condition holds for some stream that is asked for; otherwise the reason why there is none. */
export const ifStreams =
  (holds: (stream: Stream, vendor: StreamTrial) => unknown, otherwise: string) =>
  (connector: Connector, trial: Trial): true | string => {
    if (!connector.streams.some(isAsked)) return whyUnasked(connector);
    return (
      streamsOf(connector, trial, (stream, vendor) => isAsked(stream) && holds(stream, vendor)).length > 0 || otherwise
    );
  };

/**
 * Reads streams now, due or not, to the end of each.
 * @param only streams to read; absent: all that can be asked for
 * @returns what came of each
 */
export async function read(
  world: World,
  only?: readonly string[],
  who: Connected = world,
): Promise<Map<string, RunResult>> {
  const results = new Map<string, RunResult>();
  let left = only ?? world.connector.streams.filter(isAsked).map(({ name }) => name);
  // More pages than one job takes are read by the next.
  for (let round = 0; round < 20 && left.length > 0; round++) {
    const more = await readConnection(world.hub.hub.deps, who.tenantId, who.connection.id, { force: true, only: left });
    for (const [name, result] of more) results.set(name, result);
    left = [...more]
      .filter(([, { state, message }]) => state === 'waiting' && message === undefined)
      .map(([name]) => name);
  }
  return results;
}

/** Reads streams, all of which must come to their end. */
export async function readAll(world: World, only?: readonly string[], who: Connected = world): Promise<void> {
  for (const [name, { state, message }] of await read(world, only, who))
    if (state !== 'complete' || message !== undefined) throw new Error(`${name} is ${state}: ${message}`);
}

export async function rows<R extends Row = Row>(
  world: World,
  sql: string,
  values: unknown[] = [],
  who: Connected = world,
): Promise<R[]> {
  const { db } = world.hub.hub;
  return (await db.tenant(who.tenantId, (tx) => tx.query<R>(sql, [who.tenantId, ...values]))).rows;
}

export const streamRow = async (world: World, name: string, who: Connected = world): Promise<Row> =>
  (
    await rows(
      world,
      'select * from stream where tenant_id = $1 and connection_id = $2 and name = $3',
      [who.connection.id, name],
      who,
    )
  )[0]!;

/** Records of a stream as the hub keeps them, by id. */
export async function stored(world: World, name: string, who: Connected = world): Promise<Map<string, Row>> {
  const { id } = await streamRow(world, name, who);
  const found = await rows(
    world,
    'select remote_id, payload, deleted_at, merged_into from source_record where tenant_id = $1 and stream_id = $2',
    [id],
    who,
  );
  return new Map(found.map((row) => [row.remote_id as string, row]));
}

/** Ids of the records of a stream the hub takes for existing. */
export async function live(world: World, name: string, who: Connected = world): Promise<string[]> {
  const { id } = await streamRow(world, name, who);
  const found = await rows<{ remote_id: string }>(
    world,
    'select remote_id from source_record where tenant_id = $1 and stream_id = $2 and deleted_at is null and merged_into is null',
    [id],
    who,
  );
  return found.map((row) => row.remote_id).sort();
}

/** Ids of the records of a stream that stand in the model. */
export async function modelled(world: World, { name, entities }: Stream, who: Connected = world): Promise<string[]> {
  const { id } = await streamRow(world, name, who);
  const found = await rows<{ remote_id: string }>(
    world,
    `select remote_id from ${projectionTable(entities[0]!)} where tenant_id = $1 and stream_id = $2 and deleted_at is null`,
    [id],
    who,
  );
  return found.map((row) => row.remote_id).sort();
}

/** The hub has what the vendor has, neither more nor less, in the model too. */
export async function expectSame(
  world: World,
  { stream, vendor }: Pick<Tried, 'stream' | 'vendor'>,
  who: Connected = world,
): Promise<void> {
  const ids = vendor.ids().sort();
  expect(difference(await live(world, stream.name, who), ids), `records of ${stream.name}`).toEqual(NONE);
  expect(difference(await modelled(world, stream, who), ids), `${stream.name} in the model`).toEqual(NONE);
}

export const NONE = { missing: [], tooMany: [] };

/** What is missing and what is too many: of thousands of ids only those that matter are shown. */
export function difference(
  found: readonly string[],
  expected: readonly string[],
): { missing: string[]; tooMany: string[] } {
  const [have, want] = [new Set(found), new Set(expected)];
  return { missing: expected.filter((id) => !have.has(id)), tooMany: found.filter((id) => !want.has(id)) };
}

/** The hub has read the text that `change` of a trial wrote. */
export async function expectMark(
  world: World,
  { stream }: Pick<Tried, 'stream'>,
  id: string,
  mark: string,
): Promise<void> {
  const row = (await stored(world, stream.name)).get(id);
  expect(JSON.stringify(row?.payload ?? null), `${stream.name} ${id}`).toContain(mark);
}

/** A pattern that is met from the nth request on which it would match; `met` is called every time. */
export function fromNth(pattern: RegExp, nth: number, met: () => void = () => {}): RegExp {
  let seen = 0;
  const test = (text: string): boolean => {
    if (!new RegExp(pattern).test(text)) return false;
    seen += 1;
    met();
    return seen >= nth;
  };
  return Object.assign(new RegExp(pattern), { test });
}

/** Changes list answers of a stream in which there are records. The vendor's own records stay as they are. */
export function rewriting(
  { vendor }: Pick<Tried, 'vendor'>,
  change: (records: unknown[], body: unknown) => unknown,
  times?: number,
): Fault {
  let left = times ?? Number.POSITIVE_INFINITY;
  return {
    kind: 'rewrite',
    match: vendor.listed,
    rewrite: (body) => {
      const copy = structuredClone(body);
      const records = vendor.records(copy);
      if (records.length === 0 || left <= 0) return body;
      left -= 1;
      return change(records, copy) ?? copy;
    },
  };
}

/** Does something at the vendor right after it answered the nth page of a stream. */
export function afterPage(tried: Tried, nth: number, act: () => void): Fault {
  let pages = 0;
  return rewriting(tried, (records) => {
    // A question how many there are shows one of them.
    if (records.length > 1) pages += 1;
    if (records.length > 1 && pages === nth) act();
  });
}

/** Sends a vendor's post to the hub. @returns the status of the answer */
export async function post({ url, body, headers }: SignedPost): Promise<number> {
  const answer = await fetch(url, { method: 'POST', body, headers });
  await answer.body?.cancel();
  return answer.status;
}

/** Sends posts in turn and lets the hub work on them. @returns the status of the last answer */
export async function send(world: World, ...posts: SignedPost[]): Promise<number> {
  let status = 0;
  for (const one of posts) status = await post(one);
  await world.hub.hub.queue.idle();
  return status;
}

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Lets time pass on both sides, without the hub doing anything about it. */
export const pass = (world: World, milliseconds: number): void => world.hub.clock.advance(milliseconds);

/** A post of the vendor about a record, signed now. */
export const hookOf = (world: World, event: TrialEvent): SignedPost =>
  world.trial.hook!(event, new Date(world.hub.clock.now().getTime() - world.vendorTime.behindMs));

/** The next reading of a stream begins from the start, as if a person had asked for that. */
export async function restart(world: World, name: string): Promise<void> {
  const { id } = await streamRow(world, name);
  await world.hub.hub.db.tenant(world.tenantId, (tx) => requestRun(tx, [id], world.hub.clock.now(), true));
}

/** What was merged away is known as the survivor here, and its own id still leads there. */
export async function resolves(
  world: World,
  { stream }: Pick<Tried, 'stream'>,
  merge: { from: string; into: string },
): Promise<void> {
  const entityOf = async (remoteId: string): Promise<string | undefined> => {
    const { id } = await streamRow(world, stream.name);
    const sql = `select entity_id from ${projectionTable(stream.entities[0]!)} where tenant_id = $1 and stream_id = $2 and remote_id = $3`;
    return (await rows(world, sql, [id, remoteId]))[0]?.entity_id;
  };
  const [from, into] = [await entityOf(merge.from), await entityOf(merge.into)];
  expect(into, `${stream.name} ${merge.into}`).toBeDefined();
  if (stream.entities[0] !== 'contact') return;
  const [old, now] = [await world.api('GET', `/v1/customers/${from}`), await world.api('GET', `/v1/customers/${into}`)];
  expect(old.status, `${stream.name} ${merge.from}`).toBe(200);
  expect(old.body.id, stream.name).toBe(now.body.id);
}
