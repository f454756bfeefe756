import type { ActionDeps } from '../actions/deps.ts';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { conflict, invalid, notFound } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { AddressHash } from '../consent/optout.ts';
import { guardOfAddress, lockGuards, suppress } from '../consent/store.ts';
import { type CustomerRow, findCustomer } from '../model/store.ts';
import { closeEscalations } from '../sequences/escalations.ts';
import { exitRuns, runningRuns } from '../sequences/runs.ts';
import { erasedHasher } from '../sync/erased.ts';
import type { Ground } from './schema.ts';
import { type Scope, scopeOf } from './scope.ts';
import { type ErasureRow, erasureOf, findErasure, insertBlocks, insertErasure } from './store.ts';

const CHANNELS = { email: ['email'], phone: ['sms', 'whatsapp', 'call'] } as const;

/** Why nothing more goes out and nobody is followed up any more. */
const REASON = 'erased';

/**
 * Begins the erasure of a person: from the end of this transaction on nothing is sent to them, their enrolments are over,
 * and nothing platforms send of them is taken. What is stored goes afterwards, see `workOff`.
 * @param confirm the person's name or an e-mail address, typed out
 * @returns the erasure; that of an earlier request when they were erased already
 * @throws Problem when there is no such customer, or the confirmation is of somebody else
 */
export async function beginErasure(
  deps: ActionDeps,
  tenantId: string,
  customerId: string,
  request: { ground: Ground; confirm: string; by: string },
): Promise<ErasureRow> {
  return deps.db.tenant(tenantId, async (tx) => {
    const now = deps.clock.now();
    // Whoever is storing records of a platform ends first; whoever begins after this finds the blocks.
    await tx.query('select id from stream where tenant_id = $1 order by id for update', [tenantId]);
    const customer = await findCustomer(tx, customerId);
    const earlier = await erasureOf(tx, customer?.id ?? customerId);
    if (earlier && (earlier.state === 'running' || !customer)) return earlier;
    if (!customer) throw notFound('customer', customerId);
    checkConfirmation(customer, request.confirm);
    const scope = await scopeOf(tx, customer.id);
    const id = newId();
    const addresses = addressesOf(deps.hash, tenantId, scope);
    await lockGuards(tx, [...scope.ids, ...addresses.map(({ hash }) => guardOfAddress(hash))]);
    const hashes = hashesOf(deps.hash, tenantId, scope);
    const row = { id, customer_id: customer.id, ground: request.ground, requested_by: request.by, hashes };
    await insertErasure(tx, { ...row, requested_at: now, scope });
    await closeDoors(deps, tx, id, scope, addresses, now);
    await stopEverything(deps, tx, scope, now);
    const subject = { kind: 'erasure', id };
    const data = { ground: request.ground };
    await appendEvents(tx, [
      { actor: request.by, action: 'person.erasure_begun', subject, customerId: customer.id, data, at: now },
    ]);
    tx.afterCommit(() => bumpDue({ query: deps.db.statement }, tenantId, 'erase', now));
    return (await findErasure(tx, id))!;
  });
}

/** @throws Problem unless what was typed is the name or an address of the customer */
function checkConfirmation(customer: CustomerRow, typed: string): void {
  const text = typed.trim().toLowerCase();
  const known = [customer.name, customer.email, ...((customer.emails as string[] | null) ?? []), customer.id];
  if (known.some((item) => item?.trim().toLowerCase() === text)) return;
  if (!customer.name && !customer.email && !customer.phone)
    throw conflict(
      'This customer has neither a name nor an e-mail address to confirm by.',
      'Type the id of the customer instead.',
    );
  throw invalid('What was typed is not the name or an e-mail address of this customer.', [
    { path: 'confirm', message: 'must be the name or an e-mail address of the customer, as it stands there' },
  ]);
}

/** Keyed hashes of every address of a person, in hex, by which they stay closed. */
export const hashesOf = (hash: AddressHash, tenantId: string, scope: Scope): string[] => [
  ...new Set(addressesOf(hash, tenantId, scope).map((address) => address.hash.toString('hex'))),
];

const addressesOf = (hash: AddressHash, tenantId: string, scope: Scope): { channel: string; hash: Buffer }[] =>
  scope.keys.flatMap((key) => {
    const [, kind, address] = /^(email|phone):(.+)$/.exec(key) ?? [];
    if (!kind || !address) return [];
    return CHANNELS[kind as 'email' | 'phone'].map((channel) => ({ channel, hash: hash(tenantId, channel, address) }));
  });

/** No message to any of their addresses, and no record of theirs from any platform. */
async function closeDoors(
  deps: ActionDeps,
  tx: Tx,
  erasureId: string,
  scope: Scope,
  addresses: readonly { channel: string; hash: Buffer }[],
  at: Date,
): Promise<void> {
  for (const { channel, hash } of addresses)
    await suppress(tx, {
      channel,
      addressHash: hash,
      scope: 'all',
      reason: REASON,
      source: 'erasure',
      evidence: {},
      at,
    });
  const hash = erasedHasher(deps.keyring, tx.tenantId);
  const records = scope.remotes.map((remote, index) => hash.record(scope.streams[index]!, remote));
  const keys = scope.keys.filter((key) => /^(email|phone):/.test(key)).map(hash.address);
  await insertBlocks(tx, erasureId, 'record', records, at);
  await insertBlocks(tx, erasureId, 'address', keys, at);
}

/** Enrolments end, escalations are closed, what is queued is not sent. What a platform has in hand cannot be taken back. */
async function stopEverything(deps: ActionDeps, tx: Tx, scope: Scope, now: Date): Promise<void> {
  const runs = (await runningRuns(tx, scope.ids)).map((run) => run.id);
  await exitRuns(tx, runs, REASON, now);
  await deps.ports.cancel(tx, runs, REASON, now);
  await closeEscalations(tx, runs, REASON, now);
  await tx.query(
    `update escalation set state = 'closed', closed_reason = $3, next_at = null, version = version + 1
     where tenant_id = $1 and customer_id = any($2) and state = 'open'`,
    [tx.tenantId, scope.ids, REASON],
  );
  // Also tasks for staff about the person; one whose end is unknown is not asked about any more.
  await tx.query(
    `update action_request set state = case state when 'unknown' then 'failed' else 'skipped' end, reason = $3, held = false,
       ended_at = $4, updated_at = $4, version = version + 1
     where tenant_id = $1 and customer_id = any($2) and state in ('planned', 'committed', 'unknown')`,
    [tx.tenantId, scope.ids, REASON, now],
  );
  await tx.query(
    'update receivable_hold set closed_at = $3, closed_by = $4, version = version + 1 where tenant_id = $1 and customer_id = any($2) and closed_at is null',
    [tx.tenantId, scope.ids, now, 'system'],
  );
}
