import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { CUSTOMER_KINDS } from '../../src/actions/content.ts';
import type { ActionKind, ActionTrial, Trial } from '../../src/kit/index.ts';
import type { Fault } from '../../src/kit/sandbox/index.ts';
import { importFile } from '../../src/sync/imports/import.ts';
import { handlersOf } from '../support/handlers.ts';
import { type Answer, MINUTE } from '../support/hub.ts';
import type { World } from './case.ts';

type Row = Record<string, any>;

let numbers = 0;
/** A number nobody had before: inputs of one simulation never meet each other. */
export const another = (): number => ++numbers;

/** Kinds of action the connector has and its simulation knows how to try. */
export const kindsOf = (trial: Trial): ActionKind[] => Object.keys(trial.actions) as ActionKind[];

export const trialOf = ({ trial }: Pick<World, 'trial'>, kind: ActionKind): ActionTrial => trial.actions[kind]!;

/** An action that was asked for. */
export interface Planned {
  kind: ActionKind;
  id: string;
  /** How often the vendor had done this kind before. */
  before: number;
}

interface Wish {
  kind: ActionKind;
  input: Record<string, unknown>;
}

/** One wish for each kind, or for those named. */
export const wishes = (world: World, kinds: readonly ActionKind[] = kindsOf(world.trial)): Wish[] =>
  kinds.map((kind) => ({ kind, input: trialOf(world, kind).input(another()) }));

/** The request of the API for a wish; a message goes to a customer who has that address. */
export async function bodiesOf(world: World, wanted: readonly Wish[]): Promise<Row[]> {
  const facing = wanted.filter(({ kind }) => CUSTOMER_KINDS.includes(kind));
  const customers = await customersWith(
    world,
    facing.map(({ input }) => String(input.to)),
  );
  return wanted.map(({ kind, input }) => ({
    kind,
    input,
    connectionId: world.connection.id,
    ...(CUSTOMER_KINDS.includes(kind) ? { customerId: customers.get(String(input.to)), class: 'transactional' } : {}),
  }));
}

/** Asks for actions over the API. They begin at once. */
export async function plan(world: World, wanted: readonly Wish[] = wishes(world)): Promise<Planned[]> {
  const bodies = await bodiesOf(world, wanted);
  const before = new Map(wanted.map(({ kind }) => [kind, trialOf(world, kind).done().length]));
  return Promise.all(
    bodies.map(async (body) => {
      const answer = await world.api('POST', '/v1/actions', body);
      if (answer.status !== 202) throw new Error(`${body.kind} was not planned: ${JSON.stringify(answer.body)}`);
      return { kind: body.kind, id: answer.body.id, before: before.get(body.kind)! };
    }),
  );
}

export const actionOf = async ({ api }: Pick<World, 'api'>, id: string): Promise<Row> =>
  (await api('GET', `/v1/actions/${id}`)).body;

/** Native ids the vendor gave since the action was planned. */
export const doneSince = (world: World, { kind, before }: Planned): string[] => [
  ...trialOf(world, kind).done().slice(before),
];

/** Works on this tenant's actions, without reading anything meanwhile. */
export async function work({ hub, tenantId }: World): Promise<void> {
  await hub.hub.queue.idle();
  const handlers = handlersOf(hub.hub);
  await handlers.get('reconcile')!({ tenantId });
  await handlers.get('dispatch')!({ tenantId });
}

const FINAL = new Set(['sent', 'failed', 'skipped']);

/** Lets time pass and the hub work until every action came to its end; answers them as they are then. */
export async function settled(world: World, planned: readonly Planned[], minutes = 60): Promise<Row[]> {
  await work(world);
  for (let passed = 0; ; passed += 2) {
    const rows = await Promise.all(planned.map(({ id }) => actionOf(world, id)));
    if (passed >= minutes || rows.every(({ state }) => FINAL.has(state))) return rows;
    world.hub.clock.advance(2 * MINUTE);
    await work(world);
  }
}

/** Each was done exactly once, and the receipt names what the vendor made. */
export async function expectOnce(world: World, planned: readonly Planned[], rows: readonly Row[]): Promise<void> {
  for (const [at, one] of planned.entries()) {
    const told = `${one.kind}: ${JSON.stringify(rows[at])}`;
    expect(rows[at]!.state, told).toBe('sent');
    const done = doneSince(world, one);
    if (!trialOf(world, one.kind).repeatable || rows[at]!.attempts === 1) expect(done, told).toHaveLength(1);
    expect(rows[at]!.receipt.nativeId, told).toBe(done.at(-1));
  }
}

/**
 * Asks for each kind of action while a fault waits at its request; the fault is gone when all were tried once.
 * @param strikes `some` where the hub, told by one, spares the others
 */
export async function planInto(
  world: World,
  fault: () => Fault,
  kinds: readonly ActionKind[] = kindsOf(world.trial),
  strikes: 'all' | 'some' = 'all',
): Promise<Planned[]> {
  const faults = kinds.map((kind) => ({ times: 1, ...fault(), match: trialOf(world, kind).request }));
  const removals = faults.map((one) => world.vendor.faults!.add(one));
  try {
    const planned = await plan(world, wishes(world, kinds));
    await work(world);
    // A fault that struck nobody would prove nothing.
    const left = world.vendor.faults!.inForce().filter(({ fault: waiting }) => faults.some((one) => one === waiting));
    expect(left.length).toBeLessThanOrEqual(strikes === 'all' ? 0 : kinds.length - 1);
    return planned;
  } finally {
    for (const remove of removals) remove();
  }
}

/** Customers with these mail addresses or phone numbers, by address. Their hours are open at any time. */
async function customersWith(world: World, addresses: readonly string[]): Promise<Map<string, string>> {
  if (addresses.length === 0) return new Map();
  await openAllHours(world);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rapport-customers-'));
  const file = path.join(folder, 'customers.csv');
  const rows = addresses.map((address, at) => {
    const [email, phone] = address.includes('@') ? [address, ''] : ['', address];
    return `${address},Ann Number ${at},${email},${phone}`;
  });
  await writeFile(file, ['Id,Name,Email,Phone', ...rows].join('\n'));
  try {
    await importFile(world.hub.hub.deps, world.tenantId, { object: 'contacts', file, actor: 'test' });
  } finally {
    await rm(folder, { recursive: true });
  }
  const found = await Promise.all(
    addresses.map(async (address) => {
      const { body }: Answer = await world.api('GET', `/v1/customers?search=${encodeURIComponent(address)}`);
      return [address, body.items[0]?.id as string] as const;
    }),
  );
  return new Map(found);
}

const opened = new Set<string>();

/** Quiet hours are another room's promise. */
async function openAllHours({ api, tenantId }: World): Promise<void> {
  if (opened.has(tenantId)) return;
  opened.add(tenantId);
  const { headers } = await api('GET', '/v1/settings/quietHours');
  const always = { open: '00:00', close: '24:00', days: [1, 2, 3, 4, 5, 6, 7] };
  const set = await api(
    'PUT',
    '/v1/settings/quietHours',
    { default: always, channels: {} },
    { 'if-match': headers.get('etag')! },
  );
  if (set.status >= 300) throw new Error(`Quiet hours: ${JSON.stringify(set.body)}`);
}
