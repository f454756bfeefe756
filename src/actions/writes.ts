import type { Tx } from '../base/database.ts';
import type { Session } from '../connections/session.ts';
import { type ActionDefinition, type FieldWrites, type Reply, VendorError } from '../kit/index.ts';
import { setting } from '../settings/store.ts';
import { trippedAt } from '../sync/breaker.ts';
import { fieldAt } from '../sync/echo.ts';
import { forgetWrites, noteAnswered, noteWrites, type Writing } from '../sync/ledger.ts';
import type { ActionDeps } from './deps.ts';
import type { RequestRow } from './store.ts';

/** What a field holds after a write, as the platform's answer to it says. */
export interface StoredField {
  remoteId: string;
  field: string;
  value: unknown;
}

/** Kinds that write fields, on any platform. */
const writingKinds = (deps: Pick<ActionDeps, 'registry'>): Set<string> =>
  new Set(
    deps.registry
      .all()
      .flatMap((connector) => connector.actions.filter((action) => action.writes).map(({ kind }) => kind)),
  );

const actionWriting = (deps: Pick<ActionDeps, 'registry'>, connector: string, kind: string) =>
  deps.registry.find(connector)?.actions.find((action) => action.kind === kind && action.writes);

/** What an action says it writes. An input that cannot be done writes nothing: its own request says why, for itself. */
function namedWrites(action: ActionDefinition | undefined, content: unknown) {
  try {
    return action?.writes?.(content as never) ?? [];
  } catch (error) {
    if (error instanceof VendorError) return [];
    throw error;
  }
}

/** The single fields a request writes; most requests write none. */
async function writingsOf(
  deps: Pick<ActionDeps, 'registry'>,
  tx: Tx,
  requests: readonly Pick<RequestRow, 'id' | 'kind' | 'connection_id' | 'content' | 'depth'>[],
): Promise<Writing[]> {
  const kinds = writingKinds(deps);
  const writing = requests.filter((request) => kinds.has(request.kind) && request.connection_id && request.content);
  if (writing.length === 0) return [];
  const { rows } = await tx.query<{ id: string; connector: string }>(
    'select id, connector from connection where tenant_id = $1 and id = any($2)',
    [tx.tenantId, [...new Set(writing.map((request) => request.connection_id))]],
  );
  const connectors = new Map(rows.map((row) => [row.id, row.connector]));
  return writing.flatMap((request) => {
    const action = actionWriting(deps, connectors.get(request.connection_id!) ?? '', request.kind);
    return namedWrites(action, request.content).flatMap((write) =>
      valuesOf(write).map(({ field, value, way }) => ({
        connectionId: request.connection_id!,
        object: write.stream,
        remoteId: write.id,
        field,
        value,
        ...(way ? { way } : {}),
        requestId: request.id,
        depth: request.depth + 1,
      })),
    );
  });
}

/** What is expected back, by field: values as they are, and members that come or go. */
const valuesOf = ({
  fields = {},
  adds = {},
  removes = {},
}: FieldWrites): { field: string; value: unknown; way?: '+' | '-' }[] => [
  ...Object.entries(fields).map(([field, value]) => ({ field, value })),
  ...Object.entries(adds).map(([field, value]) => ({ field, value, way: '+' as const })),
  ...Object.entries(removes).map(([field, value]) => ({ field, value, way: '-' as const })),
];

/** Notes what is about to be written, in the transaction that hands it over: a webhook can be faster than the answer. */
export async function announceWrites(
  deps: Pick<ActionDeps, 'registry'>,
  tx: Tx,
  requests: readonly RequestRow[],
  now: Date,
): Promise<void> {
  const writes = await writingsOf(deps, tx, requests);
  if (writes.length > 0) await noteWrites(tx, writes, (await setting(tx, 'echo')).keepDays, now);
}

/** Notes what came of writes. What may have happened stays expected. */
export async function settleWrites(
  deps: Pick<ActionDeps, 'registry'>,
  tx: Tx,
  requests: readonly Pick<RequestRow, 'id' | 'kind' | 'state'>[],
  stored: ReadonlyMap<string, readonly StoredField[]>,
  now: Date,
): Promise<void> {
  const kinds = writingKinds(deps);
  for (const { id, kind, state } of requests) {
    if (!kinds.has(kind)) continue;
    if (state === 'sent') await noteAnswered(tx, id, stored.get(id) ?? [], now);
    else if (state === 'failed' || state === 'planned') await forgetWrites(tx, id);
  }
}

/** What was announced and then not even begun is not expected back. */
export async function forgetAnnounced(
  deps: Pick<ActionDeps, 'registry'>,
  tx: Tx,
  requests: readonly Pick<RequestRow, 'id' | 'kind'>[],
): Promise<void> {
  const kinds = writingKinds(deps);
  for (const { id, kind } of requests) if (kinds.has(kind)) await forgetWrites(tx, id);
}

/** What the answer to a write says the fields hold now, where it shows the record. */
export function storedFields(
  session: Session,
  action: ActionDefinition,
  content: unknown,
  reply: Reply,
): StoredField[] {
  return (action.writes?.(content as never) ?? []).flatMap(({ stream: name, id, fields = {} }) => {
    const stream = session.connector.streams.find((candidate) => candidate.name === name);
    if (!stream) return [];
    return Object.keys(fields).flatMap((field) => {
      const place = fieldAt(stream, reply.body, field);
      return place && place.key in place.holder ? [{ remoteId: id, field, value: place.holder[place.key] }] : [];
    });
  });
}

/** Why a write is not made: somebody sets a field of it back each time. By request. */
export async function pingPongs(
  deps: Pick<ActionDeps, 'registry'>,
  tx: Tx,
  requests: readonly Pick<RequestRow, 'id' | 'kind' | 'connection_id' | 'content' | 'depth'>[],
): Promise<Map<string, string>> {
  const writes = await writingsOf(deps, tx, requests);
  const tripped = await trippedAt(tx, writes);
  const found = new Map<string, string>();
  for (const row of tripped)
    for (const write of writes)
      if (
        write.connectionId === row.connection_id &&
        write.object === row.object &&
        write.remoteId === row.remote_id &&
        write.field === row.field
      )
        found.set(
          write.requestId,
          `Something at ${row.connection ?? 'the platform'} set "${row.field}" of ${row.object} ${row.remote_id} back each time we wrote it; we stopped on ${row.tripped_at!.toISOString().slice(0, 16).replace('T', ' ')}. Find out what sets it back, then "rapport breakers --reset ${row.id}".`,
        );
  return found;
}
