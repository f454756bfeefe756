import { newId } from '../../../src/base/ids.ts';
import { WHOLE_TENANT } from '../../../src/mapping/store.ts';
import { sourceFor } from './attacks.model.ts';
import { NOW } from './facts.ts';
import { attacksOn, type Surroundings } from './functions.ts';
import type { Tenant } from './seed.ts';

const level = ({ ids }: Tenant) => ({
  connector: 'hubspot',
  connectionId: ids.connection,
  subject: { kind: 'connection', id: ids.connection },
});

const CITY = { streams: { contacts: { contact: { fields: { city: { path: 'properties.firstname' } } } } } };

const stream = ({ ids }: Tenant) => ({ id: ids.stream, name: 'contacts' });

const target = (victim: Tenant, deps: Surroundings['deps']) => ({
  now: sourceFor(victim, deps),
  then: sourceFor(victim, deps),
  stream: stream(victim),
  kinds: ['contact'],
  clock: deps.clock,
});

const found = () => ({
  examined: 0,
  affected: 0,
  fields: [],
  newlyParked: 0,
  resolved: 0,
  gone: 0,
  joins: 0,
  optOuts: 0,
  issues: [],
  neverSeen: [],
});

const counts = { total: 2, seen: 0, changed: 0, parked: 0, resolved: 0, joined: 0, separated: 0, failures: 0 };
const run = (victim: Tenant) => ({ ...counts, ...victim.named('remap_run'), streams: [stream(victim)] });

const prepared = ({ ids }: Tenant) => ({
  stream: 'contacts',
  streamId: ids.stream,
  seen: 1,
  changed: [
    {
      record: { id: 'c-1', raw: { id: 'c-1', properties: { firstname: 'x' } } },
      hash: Buffer.from('new'),
      entities: [],
      issues: [],
    },
  ],
  present: new Map(),
  mappingSeq: -1,
});

const stored = (id: string) => ({
  id,
  raw: {},
  hash: Buffer.from('x'),
  changedAt: NOW,
  deletedAt: null,
});

const tally = () =>
  new Map([
    [
      'properties.email',
      { seen: 1, present: 1, missingFor: 0, shapes: { text: 1 }, shape: 'text' as const, shapeFor: 1 },
    ],
  ]);

/** Attacks on mappings of stored records, and on what is noticed about fields. */
export const REMAP = [
  ...attacksOn('connections/mappings.ts', {
    levelOfConnection: { args: ({ ids }) => [ids.connection], refuses: /There is no connection/ },
    loadLevel: (victim) => [level(victim)],
    checkOverride: (victim, { deps }) => [deps, level(victim), CITY],
    saveMapping: {
      args: (victim, { deps }) => [deps, level(victim), { override: CITY, expected: 1, actor: 'x' }],
      refuses: /changed by someone else/,
    },
  }),
  ...attacksOn('mapping/store.ts', { listOverrides: ({ ids }) => ['hubspot', ids.connection] }),
  ...attacksOn('sync/source.ts', {
    readSource: { args: ({ ids }, { deps }) => [deps, ids.connection], refuses: /does not exist any more/ },
    holdMapping: {
      args: (victim, { deps }) => [sourceFor(victim, deps), ['contacts']],
      harmless: 'it only locks, and nobody changed the mapping',
    },
  }),
  ...attacksOn('sync/prepare.ts', {
    prepare: {
      args: (victim, { deps }) => {
        const records = prepared(victim).changed.map(({ record }) => record);
        return [sourceFor(victim, deps), { stream: 'contacts', records }];
      },
      look: (found) => [...found.present.keys()],
    },
    mapAll: {
      args: (victim, { deps }) => [sourceFor(victim, deps), 'contacts', prepared(victim).changed],
      harmless: 'contacts look up no other records',
    },
    inForce: {
      args: (victim, { deps }) => [sourceFor(victim, deps), prepared(victim)],
      harmless: 'contacts look up no other records',
    },
  }),
  ...attacksOn('sync/ingest.ts', {
    ingestPrepared: (victim, { deps }) => [deps, sourceFor(victim, deps), [prepared(victim)], 'live'],
    planAnew: { args: () => [], harmless: 'it is about how statements are planned' },
  }),
  ...attacksOn('sync/remap/batch.ts', {
    mapNext: {
      args: (victim, { deps }) => [sourceFor(victim, deps), stream(victim), null, 10, true],
      look: ({ results }) => results,
    },
    remapBatch: (victim, { deps }) => [
      deps,
      sourceFor(victim, deps),
      { runId: victim.ids.remapRun, kinds: new Map([['contacts', ['contact']]]) },
      stream(victim),
      null,
      10,
    ],
  }),
  ...attacksOn('sync/remap/compare.ts', {
    kindsEver: {
      args: (victim, { deps }) => [sourceFor(victim, deps)],
      look: (kinds) => [...kinds],
      harmless: 'the stored override names no kinds',
    },
  }),
  ...attacksOn('sync/remap/examine.ts', {
    examine: (victim, { deps }) => [target(victim, deps), { ids: ['c-1'] }, found(), 5],
  }),
  ...attacksOn('sync/remap/plan.ts', {
    planOf: {
      args: (victim, { deps }) => [sourceFor(victim, deps), run(victim)],
      look: (plan) => plan.undone?.runs,
    },
    undoneRuns: ({ ids }) => [ids.connection, ids.connection, 0],
    countJoins: ({ ids }) => [[ids.remapRun]],
  }),
  ...attacksOn('sync/remap/separate.ts', {
    separateNext: (victim, { deps }) => [deps, sourceFor(victim, deps), [victim.ids.remapRun], undefined],
  }),
  ...attacksOn('sync/remap/sources.ts', {
    nextSources: ({ ids }) => [ids.stream, null, 10, true],
    holdSources: {
      args: ({ ids }) => [ids.stream, null, [stored('c-1'), stored('c-2')]],
      harmless: 'it only locks, and tells whether there is what was read before',
    },
  }),
  ...attacksOn('sync/remap/store.ts', {
    insertRun: (victim) => [
      {
        connector: 'hubspot',
        connectionId: victim.ids.connection,
        reason: 'apply',
        levelId: WHOLE_TENANT,
        streams: [stream(victim)],
        seq: 1,
        by: 'x',
        at: NOW,
      },
    ],
    leaseRun: ({ ids }) => [ids.connection, 'x', new Date(NOW.getTime() + 1000), NOW],
    saveRun: (victim) => [run(victim), 'reader', { state: 'done', leaseUntil: null }],
    listRuns: ({ ids }) => [{ connectionId: ids.connection, limit: 10 }],
    mappedStreams: ({ ids }) => [ids.connection],
    noteMapped: ({ ids }) => [[{ id: ids.stream, version: 'x' }]],
  }),
  ...attacksOn('sync/remap/told.ts', {
    mappingNotices: { args: ({ ids }) => [ids.connection], look: (told) => [...told] },
  }),
  ...attacksOn('sync/drift/store.ts', {
    addTallies: { args: ({ ids }) => [ids.stream, tally()], look: (sums) => [...sums] },
    openFindings: ({ ids }) => [
      { id: ids.stream, connectionId: ids.connection },
      [{ kind: 'new', field: `x${newId()}`, message: 'x', detail: {} }],
      NOW,
    ],
    closeFindings: ({ ids }) => [[ids.drift], NOW],
    listFindings: ({ ids }) => [{ connectionId: ids.connection }],
    takeDueDiscoveries: () => [NOW],
    putOffDiscovery: ({ ids }) => [ids.connection, NOW],
  }),
  ...attacksOn('sync/drift/fields.ts', {
    takeFields: (victim, { deps }) => [
      sourceFor(victim, deps),
      stream(victim),
      [{ name: 'plan', label: 'Plan', type: 'text', custom: true }],
      NOW,
    ],
  }),
  ...attacksOn('sync/drift/watch.ts', {
    watchFields: {
      args: (victim, { deps }) => [deps, sourceFor(victim, deps), stream(victim), [{ properties: {} }]],
      harmless: 'it counts when the transaction is over, in one of its own',
    },
  }),
];
