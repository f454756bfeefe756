import type { ActionDeps } from '../actions/deps.ts';
import { sealAudit } from '../audit/chain.ts';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { conflict, notFound } from '../base/errors.ts';
import { refreshGolden } from '../model/parties.ts';
import { tenantZone } from '../settings/store.ts';
import { tellChanges } from '../sync/identity.ts';
import { sourcesOf } from '../sync/source.ts';
import { HELD, type Held } from './held.ts';
import { eraseAnswers, eraseConsentHistory, eraseLinks, erasePosts, eraseTrail } from './own.ts';
import type { Erasure } from './schema.ts';
import type { Scope } from './scope.ts';
import { statement } from './statement.ts';
import { type ErasureRow, endErasure, findErasure, liftBlocks, noteStep, openErasures, toErasures } from './store.ts';

/** What one verb cannot remove; it stands in every receipt. */
export const OUT_OF_REACH = [
  'The platforms themselves: what HubSpot, QuickBooks and the others hold has to be erased there.',
  'Messages, tasks and notes that were sent: they are with those who received them and in the platforms they were made in.',
  'Copies of the database that were made before: let them run out.',
  'Log files hold ids and no contents; how long they are kept is up to whoever runs the hub.',
  'What somebody wrote about the person into settings, templates or the records of other customers.',
];

interface Step {
  name: string;
  run(deps: ActionDeps, tx: Tx, row: ErasureRow & { scope: Scope }): Promise<number>;
}

const tableStep = (held: Held): Step => ({
  name: held.table,
  run: async (deps, tx, { scope, hashes }) => {
    const made = statement(held, { scope, hashes, now: deps.clock.now() });
    return (await tx.query(made.text, [tx.tenantId, ...made.values])).rowCount;
  },
});

const OWN: Record<string, Step['run']> = {
  consent_event: (_deps, tx, row) => eraseConsentHistory(tx, row),
  idempotency: (deps, tx, row) => eraseAnswers(deps.keyring, tx, row),
  audit_event: (deps, tx, row) => eraseTrail(tx, row, deps.clock.now()),
};

/** In the order of the tables; then what belongs to no tenant, and companies that lost a record. */
const STEPS: readonly Step[] = [
  ...HELD.flatMap((held): Step[] => {
    if (held.treat.how === 'keep') return [];
    return held.treat.how === 'own' ? [{ name: held.table, run: OWN[held.table]! }] : [tableStep(held)];
  }),
  { name: 'hook_inbox', run: (_deps, tx, row) => erasePosts(tx, row) },
  { name: 'link_route', run: (_deps, tx, row) => eraseLinks(tx, row) },
  { name: 'company', run: refreshCompanies },
];

/** A company that had a record of the person among others is made of the others. */
async function refreshCompanies(deps: ActionDeps, tx: Tx, { scope }: { scope: Scope }): Promise<number> {
  if (scope.companies.length === 0) return 0;
  const now = deps.clock.now();
  const ctx = { now, origin: 'replay' as const, zone: await tenantZone(tx), sourceOf: await sourcesOf(deps, tx) };
  const changes = await refreshGolden(tx, 'company', scope.companies, ctx);
  // What it said before is of the person.
  await tellChanges(
    deps,
    tx,
    changes.map((change) => ({ ...change, before: null })),
    now,
  );
  return changes.length;
}

/**
 * Goes on with an erasure until it is done, one transaction per table: a process that is killed loses nothing and repeats
 * nothing, and whoever comes second waits and finds it done.
 * @returns the erasure as it stands; still `running` when a platform has a message of the person in hand just now
 * @throws Problem when there is no such erasure
 */
export async function workOff(deps: ActionDeps, tenantId: string, id: string): Promise<ErasureRow> {
  // Bodies can be taken out of sealed events only.
  await sealAudit(deps.db, tenantId);
  for (;;) {
    const { row, again } = await deps.db.tenant(tenantId, async (tx) => {
      const found = await findErasure(tx, id, true);
      if (!found) throw notFound('erasure', id);
      if (found.state === 'done' || !found.scope) return { row: found, again: false };
      const step = STEPS[found.step];
      if (!step) return { row: await finish(deps, tx, { ...found, scope: found.scope }), again: false };
      const done = await step.run(deps, tx, { ...found, scope: found.scope });
      const rows = { ...found.rows, ...(done > 0 ? { [step.name]: (found.rows[step.name] ?? 0) + done } : {}) };
      await noteStep(tx, id, found.step + 1, rows);
      return { row: found, again: true };
    });
    if (!again) return row;
  }
}

/** Seconds until a message that is on its way is looked at again. */
const LOOK_AGAIN_MS = 30_000;

async function finish(deps: ActionDeps, tx: Tx, row: ErasureRow & { scope: Scope }): Promise<ErasureRow> {
  const now = deps.clock.now();
  const { rowCount } = await tx.query(
    "select from action_request where tenant_id = $1 and customer_id = any($2) and state = 'sending' limit 1",
    [tx.tenantId, row.scope.ids],
  );
  if (rowCount > 0) {
    // Its answer is still to come, and will be written down: everything is looked through once more then.
    await noteStep(tx, row.id, 0, row.rows);
    tx.afterCommit(() =>
      bumpDue({ query: deps.db.statement }, tx.tenantId, 'erase', new Date(now.getTime() + LOOK_AGAIN_MS)),
    );
    return row;
  }
  await endErasure(tx, row.id, OUT_OF_REACH, now);
  await appendEvents(tx, [
    {
      actor: row.requested_by,
      action: 'person.erased',
      subject: { kind: 'erasure', id: row.id },
      customerId: row.customer_id,
      data: { ground: row.ground, rows: row.rows },
      at: now,
    },
  ]);
  return (await findErasure(tx, row.id))!;
}

/** Works off all erasures of a tenant that are under way. */
export async function workOffAll(deps: ActionDeps, tenantId: string): Promise<void> {
  const open = await deps.db.tenant(tenantId, openErasures);
  for (const id of open) await workOff(deps, tenantId, id);
}

/**
 * Lets a person come back: what platforms send of them is taken again. What was erased stays erased, and their addresses
 * stay closed until they ask for messages themselves.
 * @throws Problem when there is no such erasure, or it is still under way
 */
export async function liftErasure(deps: ActionDeps, tenantId: string, id: string, by: string): Promise<Erasure> {
  return deps.db.tenant(tenantId, async (tx) => {
    const at = deps.clock.now();
    const row = await findErasure(tx, id, true);
    if (!row) throw notFound('erasure', id);
    if (row.state !== 'done') throw conflict('This erasure is still under way.', 'Lift it when it is done.');
    const subject = { kind: 'erasure', id };
    if (await liftBlocks(tx, id, by, at))
      await appendEvents(tx, [{ actor: by, action: 'person.block_lifted', subject, customerId: row.customer_id, at }]);
    return (await toErasures(tx, [(await findErasure(tx, id))!]))[0]!;
  });
}
