import { newId } from '../../../src/base/ids.ts';
import { effectiveMapping } from '../../../src/mapping/load.ts';
import { NOW } from './facts.ts';
import { attacksOn, type Surroundings } from './functions.ts';
import type { Tenant } from './seed.ts';

const context = {
  now: NOW,
  origin: 'live',
  zone: 'America/New_York',
  sourceOf: () => ({ connector: 'hubspot', category: 'crm' }),
};

/** A record as mapped, of the victim's stream and with an address the victim knows. */
const mapped = ({ ids }: Tenant, kind: string, remoteId: string, values: object) => ({
  kind,
  streamId: ids.stream,
  remoteId,
  values,
  references: { customer: `${ids.stream}/c-1` },
  mappingVersion: 'm2',
});

const seeker = ({ ids }: Tenant) => ({
  streamId: newId(),
  remoteId: 'new',
  keys: [{ key: 'email:ann@example.com', strong: true }],
  values: {},
  entityId: ids.customer2,
});

/** The victim's connection as an attacker would have to name it to write through it. */
export const sourceFor = ({ ids, named }: Tenant, deps: Surroundings['deps']) => ({
  connector: deps.registry.find('hubspot'),
  connection: named('connection'),
  mapping: effectiveMapping('hubspot', []),
  streamIds: new Map([['contacts', ids.stream]]),
  sourceOf: context.sourceOf,
  zone: context.zone,
  clock: deps.clock,
  country: 'US',
  currency: 'USD',
  overrides: [],
  mappingSeq: 0,
});

const batches = () => [
  {
    stream: 'contacts',
    records: [{ id: 'c-1', raw: { id: 'c-1', properties: { email: 'ann@example.com', firstname: 'New' } } }],
  },
];

const progress = { rows: 9, skipped: 0, parked: 1, records: {}, changed: {} };

/** Attacks on the model and on what comes in from platforms and files. */
export const MODEL = [
  ...attacksOn('model/apply.ts', {
    applyRecords: (victim) => [
      [mapped(victim, 'contact', 'c-1', { email: 'ann@example.com', name: 'x' }), mapped(victim, 'deal', 'x-1', {})],
      context,
      [],
    ],
    afterLinking: ({ ids }) => [
      [
        {
          kind: 'contact',
          entityId: ids.customer,
          customerId: ids.customer,
          reference: 'company',
          targetId: ids.company,
        },
      ],
      context,
    ],
  }),
  ...attacksOn('model/changes.ts', {
    appendChanges: ({ named }) => [[{ ...named('change'), id: newId() }]],
  }),
  ...attacksOn('model/stale.ts', {
    markStale: ({ ids }) => ['score', [{ customerId: ids.customer, depth: 1 }]],
    markEverybody: () => [],
    takeEverybody: () => ['segments'],
    markScored: () => [],
    takeScored: { args: () => [], harmless: 'nothing was computed anew' },
    markChanged: ({ named }) => [[{ ...named('change'), id: newId() }]],
    takeStale: () => ['score', 100],
  }),
  ...attacksOn('model/documents.ts', {
    loadProjections: ({ ids }) => ['contact', [{ streamId: ids.stream, remoteId: 'c-1' }]],
    // The rows are filled in place.
    fillReferences: {
      args: (victim) => ['deal', [mapped(victim, 'deal', 'x-1', {})], [{}]],
      look: (_result, _victim, args) => args[2],
    },
    writeProjections: ({ named }) => ['deal', [{ ...named('deal'), name: 'x' }]],
    applyDocuments: (victim) => ['deal', [mapped(victim, 'deal', 'x-1', { name: 'x' })], context],
  }),
  ...attacksOn('model/identity.ts', {
    resolveIdentity: (victim) => ['contact', [seeker(victim)]],
    releaseKeys: ({ ids }) => [
      'contact',
      [
        { entityId: ids.customer, key: 'email:old@example.com' },
        { entityId: ids.company, key: 'x' },
      ],
    ],
    recordSuggestions: ({ ids }) => ['contact', [{ entityId: ids.customer, otherId: newId(), reason: 'x' }], NOW],
  }),
  ...attacksOn('model/merge.ts', {
    joinEntities: ({ ids }) => [
      'contact',
      { survivor: ids.customer, absorbed: ids.customer2, evidence: { key: 'x', record: 'x' } },
      'x',
      context,
    ],
  }),
  ...attacksOn('model/parties.ts', {
    applyParties: (victim) => [
      'contact',
      [mapped(victim, 'contact', 'c-1', { email: 'ann@example.com', name: 'x' })],
      context,
    ],
    refreshGolden: ({ ids }) => ['contact', [ids.customer], context],
  }),
  ...attacksOn('model/references.ts', {
    resolveReferences: ({ ids }) => ['customer', [`${ids.stream}/c-1`, '~email:ann@example.com']],
    linkLateReferences: ({ ids }) => ['customer', new Map([[`${ids.stream}/c-1`, ids.customer]])],
  }),
  ...attacksOn('model/relink.ts', { relink: () => [context, []] }),
  ...attacksOn('model/store.ts', {
    findCustomer: ({ ids }) => [ids.merged],
    lookUpCustomer: () => ['ann@example.com'],
    listCustomers: () => [{ search: 'ann', limit: 10 }],
    sourcesOf: ({ ids }) => [ids.customer],
    documentsOf: ({ ids }) => [ids.customer, 10],
    countEntities: () => [],
    mergesOf: ({ ids }) => [ids.customer],
    changesOf: ({ ids }) => [ids.customer, undefined, 10],
    overdueInvoices: () => ['2026-03-02', undefined, 10],
  }),
  ...attacksOn('sync/store.ts', {
    createStreams: ({ ids }) => [ids.connection, ['contacts', 'deals'], NOW],
    listStreams: ({ ids }) => [ids.connection],
    streamConnectors: () => [],
    dueStreams: () => [NOW],
    nextStreamDue: () => [],
    leaseStream: ({ ids }) => [ids.stream, 'x', new Date(NOW.getTime() + 1000), NOW],
    savePage: ({ ids }) => [
      ids.stream,
      { owner: 'reader', position: { pages: 1 }, leaseUntil: NOW, startedAt: NOW, seen: 1, changed: 1, total: 1 },
    ],
    beginRun: ({ ids }) => [ids.stream, 'reader', NOW, 5],
    finishRun: ({ ids }) => [ids.stream, { owner: 'reader', cursor: { since: 'x' }, nextDueAt: NOW, now: NOW }],
    interruptRun: ({ ids }) => [
      ids.stream,
      { owner: 'reader', state: 'stopped', error: 'x', nextDueAt: NOW, failed: true },
    ],
    noteDeletesRead: ({ ids }) => [ids.stream, NOW],
    requestRun: ({ ids }) => [[ids.stream], NOW, true],
    switchOff: ({ ids }) => [[ids.stream]],
    connectionsWithHints: () => [],
  }),
  ...attacksOn('sync/sources.ts', {
    loadHashes: ({ ids }) => [ids.stream, ['c-1']],
    writeSources: ({ named }) => [[{ ...named('source_record'), payload: { stolen: true }, hash: Buffer.from('new') }]],
    loadSources: ({ ids }) => [ids.stream],
    countSources: () => [],
  }),
  ...attacksOn('sync/parked.ts', {
    park: ({ ids }) => [[{ kind: 'record', reference: `${ids.stream}/c-9`, reason: 'x', streamId: ids.stream }], NOW],
    resolveParked: ({ ids }) => ['record', [`${ids.stream}/c-9`], 'x', NOW],
    resolveFields: ({ ids }) => [ids.stream, NOW, NOW],
    findParked: ({ ids }) => [ids.parked],
    listParked: ({ ids }) => [{ streamId: ids.stream, limit: 10 }],
    countParked: () => [],
    countParkedBefore: () => ['ffffffff-ffff-7fff-bfff-ffffffffffff'],
  }),
  ...attacksOn('sync/imports/store.ts', {
    insertRun: ({ ids }) => [{ id: newId(), connectionId: ids.connection, object: 'contacts', fileName: 'x', at: NOW }],
    noteProgress: ({ ids }) => [ids.importRun, progress, NOW],
    endRun: ({ ids }) => [ids.importRun, { state: 'failed', error: 'x', progress, at: NOW }],
    clearDeadRuns: () => [NOW],
    importedSince: ({ ids }) => [ids.connection, new Date(0)],
    stageRows: ({ ids }) => [ids.importRun, [{ object: 'contacts', key: 'g-1', line: 3, data: {} }]],
    countStaged: ({ ids }) => [ids.importRun],
    crowdedKey: { args: ({ ids }) => [ids.importRun, ['contacts']], harmless: 'an id is crowded from 10,000 rows on' },
    nextGroups: ({ ids }) => [ids.importRun, 'contacts', ''],
    tellLines: ({ ids }) => [[{ reference: `${ids.stream}/c-9`, place: 'line 1: ', detail: {} }]],
    resolveEarlierRows: ({ ids }) => [
      { id: newId(), connectionId: ids.connection, object: 'contacts', fileName: 'people.csv', at: NOW },
    ],
  }),
  ...attacksOn('sync/source.ts', {
    sourcesOf: { args: (_victim, { deps }) => [deps], look: (sourceOf, { ids }) => sourceOf(ids.stream) ?? null },
    environment: {
      args: (victim, { deps }) => [sourceFor(victim, deps), ['contacts']],
      look: (env) => env.lookup('contacts', 'c-1') ?? null,
    },
  }),
  ...attacksOn('sync/ingest.ts', {
    ingest: (victim, { deps }) => [deps, sourceFor(victim, deps), batches(), 'live'],
  }),
  ...attacksOn('sync/deletes.ts', {
    markDeleted: (victim, { deps }) => [deps, sourceFor(victim, deps), 'contacts', ['c-1', 'c-2'], 'live'],
  }),
  ...attacksOn('sync/merges.ts', {
    followVendorMerge: (victim, { deps }) => [
      deps,
      sourceFor(victim, deps),
      { stream: 'contacts', from: 'c-2', into: 'c-1' },
    ],
  }),
  ...attacksOn('sync/refetch.ts', {
    store: (victim, { deps }) => [
      deps,
      sourceFor(victim, deps),
      {
        records: new Map([['contacts', batches()[0]!.records]]),
        gone: new Map(),
        goneAt: new Map(),
        merges: [{ stream: 'contacts', from: 'c-2', into: 'c-1' }],
        unreadable: [{ stream: 'contacts', ids: ['c-9'], reason: 'x' }],
      },
      'live',
    ],
  }),
];
