import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createTenant } from '../../access/identity.ts';
import type { ManualClock } from '../../base/clock.ts';
import { sweepDue } from '../../base/due.ts';
import { notFound } from '../../base/errors.ts';
import { addDays, instantOf, type LocalDate, localDate } from '../../base/time.ts';
import type { Hub } from '../../hub.ts';
import { putPlaybook, readPlaybook, shippedPlaybooks } from '../../sequences/playbooks.ts';
import { compare, type Deed, type Outcome } from './compare.ts';
import { deedsOf, runOf } from './deeds.ts';
import { CUSTOMER, caller, customerOf, happen, type Scene, tellRecord } from './facts.ts';
import type { Case, CaseFile } from './schema.ts';
import { STAGE_TOKEN, type StageRecords } from './stage.ts';

/** A hub that is there for rehearsals: its clock is moved by hand and nothing sweeps by itself. */
export interface Theatre {
  hub: Hub;
  clock: ManualClock;
  /** What the stage shows. */
  records: StageRecords;
}

const MINUTE = 60_000;
const NEVER_SECONDS = 1e9;

/** What takes part in a rehearsal, when it is asked for: the net under lost wake-ups would only take time. */
const DUE = ['link', 'campaigns', 'score', 'detect', 'segments', 'runs', 'dispatch', 'reconcile'].map((kind) => ({
  kind,
  queue: kind,
  fallbackSeconds: NEVER_SECONDS,
}));

/** The moment a text such as `2026-03-02 14:00` names where the customer is; noon without a time. */
const momentOf = (text: string, zone: string): Date => instantOf(text.slice(0, 10), text.slice(11) || '12:00', zone);

/** Lets the hub work until nothing is left to do now. */
async function settle(hub: Hub): Promise<void> {
  for (let round = 0; round < 100; round++) {
    const woken = await sweepDue(hub.db, hub.queue, DUE, hub.clock.now());
    await hub.queue.idle();
    if (woken === 0) return;
  }
  throw new Error('The hub does not come to rest.');
}

/**
 * Plays one case from its first fact to its end, in a business of its own.
 * @param folder of the file of cases, where a playbook of one's own is looked for
 * @returns what was expected, what happened, and where they differ
 */
export async function rehearse(theatre: Theatre, folder: string, file: CaseFile, wanted: Case): Promise<Outcome> {
  const { hub, clock } = theatre;
  const merged: Case = { ...wanted, customer: { ...file.customer, ...wanted.customer } };
  const { timezone: zone = 'America/New_York' } = customerOf(merged);
  const facts = merged.facts
    .map((fact) => ({ fact, at: momentOf(fact.on, zone) }))
    .sort((a, b) => a.at.getTime() - b.at.getTime());
  // Everything is set up in the evening before: what is there already starts nothing.
  const opening = instantOf(addDays(localDate(facts[0]!.at, zone), -1), '18:00', zone);
  clock.set(opening, true);
  theatre.records.clear();
  const scene = await setScene(theatre, folder, file, merged, zone);
  try {
    const end = momentOf(merged.until, zone);
    for (const stop of stopsOf(merged, zone, end)) facts.push({ fact: undefined as never, at: stop });
    const stops = facts.sort((a, b) => a.at.getTime() - b.at.getTime());
    for (const { fact, at } of stops) {
      if (at > end) break;
      await passUntil(theatre, scene, at);
      if (!fact) continue;
      await happen(scene, fact);
      await settle(hub);
    }
    await passUntil(theatre, scene, end);
    const actual: Deed[] = await deedsOf(scene, zone);
    return compare(merged, actual, await runOf(scene));
  } finally {
    // Nobody looks after this business any more, whatever the clock says in the next case.
    await hub.db.statement('delete from tenant_due where tenant_id = $1', [scene.tenantId]);
  }
}

/** Moments at which the hub must look in any case: where a day begins on which something is expected, and at that time. */
function stopsOf(wanted: Case, zone: string, end: Date): Date[] {
  const dates = wanted.expect.flatMap(({ day, on }) =>
    on ? on.slice(0, 10) : day !== undefined && wanted.starts ? addDays(wanted.starts, day) : [],
  );
  const days: LocalDate[] = [...new Set([...dates, ...(wanted.starts ? [wanted.starts] : [])])];
  return days.map((date) => new Date(instantOf(date, '00:00', zone).getTime() + MINUTE)).filter((at) => at < end);
}

/** Time passes; the hub works whenever something falls due. */
async function passUntil({ hub, clock }: Theatre, scene: Scene, until: Date): Promise<void> {
  for (let hops = 0; hops < 5000; hops++) {
    const next = await nextWork(scene);
    const at = next && next < until ? next : until;
    if (at > clock.now()) clock.set(at);
    await settle(hub);
    if (at === until) return;
  }
  throw new Error('It does not come to rest: something falls due all the time.');
}

/**
 * When something of the business falls due that was asked for. What the clock looks for is looked at on the way; what is
 * held waits for a person, not for the clock.
 */
async function nextWork({ hub, tenantId }: Scene): Promise<Date | undefined> {
  const { rows: asked } = await hub.db.statement<{ at: Date | null }>(
    "select min(next_due) as at from tenant_due where tenant_id = $1 and next_due < 'infinity' and kind in ('runs', 'reconcile', 'campaigns')",
    [tenantId],
  );
  const { rows: planned } = await hub.db.tenant(tenantId, (tx) =>
    tx.query<{ at: Date | null }>(
      "select min(not_before) as at from action_request where tenant_id = $1 and state = 'planned' and not held",
      [tenantId],
    ),
  );
  return [...asked, ...planned].flatMap(({ at }) => at ?? []).sort((a, b) => a.getTime() - b.getTime())[0];
}

/** A business with the stage connected, the customer known, and the sequence switched on. */
async function setScene(
  { hub, records }: Theatre,
  folder: string,
  file: CaseFile,
  wanted: Case,
  zone: string,
): Promise<Scene> {
  const tenantId = await createTenant(hub.access, { business: 'Keller Heating', zone, country: 'US', currency: 'USD' });
  const call = await caller(hub, tenantId);
  const { connection } = await call('POST', '/v1/connections', {
    connector: 'webhook',
    settings: { bearerToken: STAGE_TOKEN, target: 'https://stage.example/' },
  });
  const hook = new URL(connection.webhookUrl as string).pathname;
  const scene: Scene = { hub, tenantId, call, hook, customerId: '', records, sequence: '' };
  for (const [key, value] of Object.entries({ ...file.settings, ...wanted.settings })) {
    const { etag, value: present } = await call('GET', `/v1/settings/${key}`);
    await call('PUT', `/v1/settings/${key}`, { ...present, ...value }, { 'if-match': etag });
  }
  const { consent = ['email', 'sms', 'whatsapp'], country, region, ...person } = customerOf(wanted);
  await tellRecord(scene, 'contact', {
    id: CUSTOMER,
    owner_email: 'maria@business.example',
    ...person,
    address: { country, region },
  });
  await settle(hub);
  const { items } = await call('GET', '/v1/customers?limit=1');
  scene.customerId = items[0].id as string;
  for (const channel of consent)
    await call('POST', `/v1/customers/${scene.customerId}/consent`, {
      ...{ channel, state: 'granted', evidence: 'agreed for the rehearsal' },
    });
  for (const other of wanted.with ?? []) await switchOn(scene, folder, other, {});
  scene.sequence = await switchOn(scene, folder, file.playbook, { ...file.values, ...wanted.values });
  await settle(hub);
  return scene;
}

/** Installs a playbook, fills in values as its owner does, and switches it on. @returns key of the sequence */
async function switchOn(
  { hub, tenantId, call }: Scene,
  folder: string,
  playbook: string,
  values: Record<string, string>,
): Promise<string> {
  const own = playbook.endsWith('.yaml') ? path.join(folder, playbook) : undefined;
  const read = own ? readPlaybook(readFileSync(own, 'utf8'), playbook) : shippedPlaybooks().get(playbook);
  if (!read) throw notFound('playbook', playbook);
  const { key } = read.sequence;
  await hub.db.tenant(tenantId, (tx) =>
    putPlaybook(tx, path.basename(playbook, '.yaml'), read, 'rehearsal', hub.clock.now()),
  );
  const place = `/v1/sequences/${key}`;
  let { etag } = await call('GET', place);
  if (Object.keys(values).length > 0) {
    const edited = { ...read.sequence, values: { ...read.sequence.values, ...values } };
    ({ etag } = await call('PUT', place, edited, { 'if-match': etag }));
  }
  await call('POST', `${place}/switch`, { on: true }, { 'if-match': etag });
  return key;
}
