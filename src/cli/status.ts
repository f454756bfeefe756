import type { streamInfos } from '../sync/status.ts';
import { counted, moment, table } from './context.ts';

type Streams = Awaited<ReturnType<typeof streamInfos>>;

export interface Status {
  connections: { id: string; name: string; state: string; health: string }[];
  entities: Record<string, number>;
  parkedCount: number;
  parked: { kind: string; times: number; reason: string }[];
  actions: { state: string; reason: string; count: number }[];
  quota: { name: string; sentence: string }[];
  drift: { message: string }[];
}

/** How everything stands, for a person. */
export function statusText(found: Status, streams: Streams, listParked: boolean): string {
  const entities = Object.entries(found.entities)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => counted(count, name.replaceAll('_', ' '), pluralOf(name)));
  return [
    found.connections.length === 0
      ? 'Nothing is connected yet: "rapport connect hubspot", or begin with a file: "rapport import contacts people.csv".'
      : `Connections\n${table(found.connections, ['name', 'state', 'health'])}`,
    ...(found.connections.length === 0 ? [] : [`Streams\n${streamTable(streams, found.connections)}`]),
    ...(found.quota.length === 0
      ? []
      : [`Calls\n${found.quota.map(({ name, sentence }) => `${name}: ${sentence}`).join('\n')}`]),
    ...(found.drift.length === 0
      ? []
      : [`Fields that changed at the platforms\n${found.drift.map(({ message }) => message).join('\n')}`]),
    `In the model: ${entities.join(', ') || 'nothing yet'}`,
    `Actions\n${table(found.actions, ['state', 'reason', 'count'])}`,
    parkedText(found, listParked),
  ].join('\n\n');
}

/** Streams that are read or hold something; what a platform could tell and does not is left out. */
export function streamTable(streams: Streams, connections: readonly { id: string; name: string }[]): string {
  const names = new Map(connections.map((row) => [row.id, row.name]));
  const shown = streams.filter((stream) => stream.state !== 'off' || stream.records > 0 || stream.parked > 0);
  const rows = shown.map((stream) => ({
    connection: names.get(stream.connectionId) ?? stream.connector,
    stream: stream.stream,
    // Nobody is asked for it: it comes by file or as the other side posts it.
    state: stream.state === 'off' ? 'not polled' : stream.state,
    phase: stream.state === 'off' ? '' : stream.phase,
    records: stream.records,
    parked: stream.parked,
    'complete as of (UTC)': moment(stream.freshAsOf),
    trouble: stream.error ?? stream.mapping,
  }));
  return table(rows, [
    'connection',
    'stream',
    'state',
    'phase',
    'records',
    'parked',
    'complete as of (UTC)',
    'trouble',
  ]);
}

const pluralOf = (name: string): string => `${name.replaceAll('_', ' ').replace(/y$/, 'ie')}s`;

function parkedText({ parked, parkedCount }: Status, list: boolean): string {
  if (parkedCount === 0) return 'Parked: nothing';
  if (!list) return `Parked: ${counted(parkedCount, 'item')} ("rapport status --parked" shows the reasons)`;
  const more = parkedCount > parked.length ? `, the newest ${parked.length} of ${parkedCount}` : '';
  return `Parked${more}\n${table(parked, ['kind', 'times', 'reason'])}`;
}
