import { newId, sha256 } from '../base/ids.ts';
import type { Session } from '../connections/session.ts';
import type { Stream } from '../kit/index.ts';
import { settleFlagged } from './deletions.ts';
import type { SyncDeps } from './deps.ts';
import { countSeen, endPass, lastProven, type PassResult, type PassRow, type Scope, savePass } from './pass.store.ts';
import type { PlanRow } from './proof.store.ts';
import type { Source } from './source.ts';

/** A pass in somebody's hands: one stream read whole, or compared with the vendor by counts. */
export interface Pass {
  deps: SyncDeps;
  tenantId: string;
  owner: string;
  row: PassRow;
  plan: PlanRow;
  stream: Stream;
  source: Source;
  session: Session;
}

export const LEASE_MS = 120_000;

export class PassLost extends Error {}

export const newOwner = (deps: SyncDeps): string => `${deps.processId}:${newId()}`;

/** Notes a step outside of any other transaction. @throws PassLost when somebody else has the pass */
export async function step(pass: Pass, made: Omit<Parameters<typeof savePass>[3], 'until' | 'now'>): Promise<void> {
  const { deps, tenantId, owner, row } = pass;
  await deps.db.tenant(tenantId, async (tx) => {
    if (!(await savePass(tx, row.id, owner, { ...made, ...times(deps) }))) throw new PassLost();
  });
  row.reasons.push(...(made.reasons ?? []));
  Object.assign(row.result, made.result);
}

export const times = (deps: SyncDeps): { until: Date; now: Date } => ({
  until: new Date(deps.clock.now().getTime() + LEASE_MS),
  now: deps.clock.now(),
});

/** Ends a pass: it proves something only when nothing speaks against it. */
export async function conclude(pass: Pass, result: PassResult = {}): Promise<void> {
  const { deps, tenantId, owner, row } = pass;
  Object.assign(row.result, result);
  await deps.db.tenant(tenantId, async (tx) => {
    const now = deps.clock.now();
    await settleFlagged(deps, tx, pass.source, pass.stream.name, 'live');
    if (!(await savePass(tx, row.id, owner, { position: row.position, result, ...times(deps) }))) throw new PassLost();
    const state = row.reasons.length > 0 ? 'unproven' : 'proven';
    if (!(await endPass(tx, row.id, owner, { state, now }))) throw new PassLost();
    row.state = state;
  });
}

/** What a reading is of. The settings may hold what is nobody's business: they stand as a hash. */
export function scopeOf(source: Source, stream: Stream): Scope {
  const { connection } = source;
  const settings = Object.entries(connection.settings).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    account: connection.account_id ?? '',
    scopes: [...connection.granted_scopes].sort(),
    features: [...connection.features].sort(),
    request: sha256(JSON.stringify([stream.name, settings])).toString('base64'),
  };
}

/** Why two readings cannot be compared; empty: they can. More permission than before is fine. */
export function scopeChanges(before: Scope, now: Scope): string[] {
  const anew =
    'Read everything anew ("rapport sync --full") if that is meant; deletions are noticed again from then on.';
  const lost = [...before.scopes.filter((scope) => !now.scopes.includes(scope))];
  const off = before.features.filter((feature) => !now.features.includes(feature));
  return [
    ...(before.account === now.account ? [] : [`Another account is connected than before. ${anew}`]),
    ...(lost.length > 0 ? [`Permissions are missing that were there before (${lost.join(', ')}). ${anew}`] : []),
    ...(off.length > 0 ? [`Features were switched off (${off.join(', ')}). ${anew}`] : []),
    ...(before.request === now.request ? [] : [`Settings of the connection were changed. ${anew}`]),
  ];
}

/** Whether the account, permissions and settings are those of the reading this one is measured by. */
export async function scopeReasons(pass: Pass): Promise<string[]> {
  const { deps, tenantId, row, session, source, stream } = pass;
  const before = await deps.db.tenant(tenantId, (tx) => lastProven(tx, row.stream_id));
  const account = await session.connector.account(session.ctx, { realmId: row.scope.account });
  return [
    ...(account.id === row.scope.account ? [] : [`The platform says that this is the account ${account.id}.`]),
    ...(before ? scopeChanges(before.scope, scopeOf(source, stream)) : []),
  ];
}

/** Marks live in a table that a crash of the database empties: then they prove nothing. */
export async function marksReasons(pass: Pass, marked: number): Promise<string[]> {
  const { deps, tenantId, row } = pass;
  const seen = await deps.db.tenant(tenantId, (tx) => countSeen(tx, row.id));
  return seen === marked ? [] : ['What was noted on the way was lost by a crash of the database.'];
}
