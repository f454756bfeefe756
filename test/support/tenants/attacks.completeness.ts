import { newId } from '../../../src/base/ids.ts';
import { sourceFor } from './attacks.model.ts';
import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';
import type { Tenant } from './seed.ts';

const WHY = { cause: 'sweep', evidence: {} };
const LEASE = { owner: 'x', until: new Date(NOW.getTime() + 1000), now: NOW };
const SCOPE = { account: 'x', scopes: [], features: [], request: 'x' };

/** A record the vendor flags as deleted. */
const flagged = { id: 'c-1', raw: { id: 'c-1' }, deleted: true };

const batchOf = ({ ids }: Tenant, state: string) => ({
  ...{ connection_id: ids.connection, stream_id: ids.stream, cause: 'sweep', evidence: {}, living: 1, allowed: 1 },
  state,
});

const passOf = (streamId: string) => ({
  ...{ stream_id: streamId, kind: 'verify', method: 'list', state: 'proven', scope: SCOPE, counted: 1, reasons: [] },
});

/** Attacks on readings of everything and on deletions. */
export const COMPLETENESS = [
  ...attacksOn('sync/deletions.store.ts', {
    noteDeletions: (victim) => [batchOf(victim, 'held'), ['c-1'], NOW],
    findBatch: ({ ids }) => [ids.heldBatch],
    listBatches: () => [{ limit: 10 }],
    moveBatch: ({ ids }) => [ids.heldBatch, { from: 'held', to: 'refused', by: 'x', now: NOW }],
    batchRecords: ({ ids }) => [ids.heldBatch, 'held', 10],
    gatherDeletions: ({ ids }) => [ids.stream, [{ ...flagged }]],
    takeGathered: ({ ids }) => [ids.stream],
    countRecords: ({ ids }) => [[ids.heldBatch]],
    moveRecords: ({ ids }) => [ids.heldBatch, { from: 'held', to: 'refused' }],
    sparedOf: { args: ({ ids }) => [ids.stream, ['c-9']], look: (spared) => [...spared] },
    deletedSince: ({ ids }) => [ids.stream, new Date(0)],
    heldOf: ({ ids }) => [ids.connection],
    unfinishedBatches: () => [],
  }),
  ...attacksOn('sync/deletions.ts', {
    deleteSafely: (victim, { deps }) => [deps, sourceFor(victim, deps), 'contacts', [{ id: 'c-1' }], 'live', WHY],
    livingAmong: ({ ids }) => [ids.stream, [{ id: 'c-1' }]],
    gatherFlagged: ({ ids }) => [
      {
        ...{ stream: 'contacts', streamId: ids.stream, seen: 1, present: new Map([['c-1', { deleted_at: null }]]) },
        changed: [{ record: { ...flagged }, hash: Buffer.from('x'), entities: [], issues: [] }],
      },
    ],
    settleFlagged: (victim, { deps }) => [deps, sourceFor(victim, deps), 'contacts', 'live'],
    guardRecords: (victim, { deps }) => [deps, sourceFor(victim, deps), 'contacts', [{ ...flagged }]],
    exceeded: ({ ids }) => [ids.stream, 1000, 'sweep', NOW],
    tellWaiting: ({ ids }) => [ids.connection],
  }),
  ...attacksOn('sync/deletions.apply.ts', {
    decide: { args: ({ ids }, { deps }) => [deps, ids.heldBatch, 'refuse', 'x'], refuses: /There is no deletion/ },
  }),
  ...attacksOn('sync/deletions.view.ts', {
    describeBatches: ({ named }, { deps }) => [deps, [named('deletion_batch')]],
  }),
  ...attacksOn('sync/gone.ts', {
    deleteGone: (victim, { deps }) => [
      deps,
      sourceFor(victim, deps),
      { stream: 'contacts', ids: ['c-1'], merges: [], privacy: new Set(), goneAt: new Map() },
      'live',
    ],
  }),
  ...attacksOn('sync/quarantine.ts', {
    isWatched: ({ ids }) => [ids.stream],
    seenAgain: ({ ids }) => [ids.stream, ['c-9'], NOW],
    noteSeen: ({ ids }) => [ids.stream, [{ id: 'c-9', raw: {} }], NOW],
    quarantine: ({ ids }) => [{ id: ids.pass, streamId: ids.stream, startedAt: NOW }, NOW],
    clearDeleted: { args: ({ ids }) => [ids.stream], harmless: 'nothing that is deleted is missing' },
    missingOf: ({ ids }) => [ids.stream],
    countMissing: () => [],
    unknownOf: ({ ids }) => [ids.stream, ids.pass, 10],
  }),
  ...attacksOn('sync/pass.store.ts', {
    // Of the victim's own stream one is under way.
    beginPass: () => [passOf(newId()), NOW],
    notePass: ({ ids }) => [passOf(ids.stream), NOW],
    leasePass: ({ ids }) => [ids.stream, LEASE],
    runningPass: ({ ids }) => [ids.stream],
    endedSince: ({ ids }) => [ids.stream, 'verify', new Date(0)],
    passBefore: ({ ids }) => [{ id: 'ffffffff-ffff-7fff-bfff-ffffffffffff', stream_id: ids.stream, kind: 'verify' }],
    lastProven: ({ ids }) => [ids.stream],
    lastVerified: () => [],
    savePass: ({ ids }) => [ids.pass, 'reader', { until: NOW, now: NOW, reasons: ['x'] }],
    markSeen: ({ ids }) => [ids.pass, ['c-7']],
    countSeen: ({ ids }) => [ids.pass],
    endPass: ({ ids }) => [ids.pass, 'reader', { state: 'proven', now: NOW }],
    interruptPass: ({ ids }) => [ids.pass, 'reader', { error: 'x' }],
    purgePasses: () => [NOW],
  }),
  ...attacksOn('sync/proof.store.ts', {
    plansOf: ({ ids }) => [ids.connection],
    connectionsToProve: () => [NOW],
    nextProofDue: () => [],
    planProof: ({ ids }) => [[ids.stream], { sweepAt: NOW }],
    hurrySweep: ({ ids }) => [ids.stream, new Date(0)],
  }),
];
