import { newId } from '../../../src/base/ids.ts';
import type { ErasureRow } from '../../../src/privacy/store.ts';
import { sourceFor } from './attacks.model.ts';
import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';
import type { Tenant } from './seed.ts';

/** A person of the victim, as an attacker would have to know them. */
const scopeFor = ({ ids }: Tenant) => ({
  ids: [ids.customer],
  streams: [ids.stream],
  remotes: ['c-1'],
  own: 1,
  terms: ['ann@example.com'],
  names: ['ann miller'],
  keys: ['email:ann@example.com'],
  companies: [],
});

const open = (victim: Tenant): Partial<ErasureRow> => ({
  id: victim.ids.erasure,
  customer_id: victim.ids.customer,
  requested_by: 'x',
  scope: scopeFor(victim),
  hashes: [],
});

const prepared = { record: { id: 'c-1', raw: {} }, hash: Buffer.alloc(1), entities: [], issues: [] };

/** Attacks on what is set by hand for a customer, and on what the law lets a person ask for. */
export const PRIVACY = [
  ...attacksOn('model/overrides.ts', {
    loadOverrides: { args: ({ ids }) => [[ids.customer]], look: (found) => [...found.values()] },
    putOverride: ({ ids }) => [
      {
        ...{ customer_id: ids.customer, field: 'birthday', value: '2000-01-01', source: 'staff' },
        ...{ set_by: 'x', note: null, set_at: NOW },
      },
    ],
    dropOverride: ({ ids }) => [ids.customer, 'birthday'],
  }),
  ...attacksOn('model/yearly.ts', { datesOf: ({ ids }) => [{ id: ids.customer, birthday: null }] }),
  ...attacksOn('audit/redaction.ts', {
    redactEvents: ({ ids }) => [
      [{ id: ids.event, hash: Buffer.alloc(32) }],
      { actor: 'x', subject: { kind: 'erasure', id: ids.erasure }, at: NOW },
    ],
  }),
  ...attacksOn('sync/erased.ts', {
    withoutErased: {
      args: (victim, { deps }) => [deps, sourceFor(victim, deps), victim.ids.stream, [prepared], NOW],
      harmless: 'the keyed hash of no record stands there',
    },
    erasedIds: {
      args: ({ ids }, { deps }) => [deps, ids.stream, ['c-1']],
      harmless: 'the keyed hash of no record stands there',
    },
    erasedHints: {
      args: ({ ids }, { deps }) => [deps, ids.connection, [{ stream: 'contacts', remote_id: 'c-1' }]],
      harmless: 'the keyed hash of no record stands there',
    },
  }),
  ...attacksOn('privacy/scope.ts', { scopeOf: ({ ids }) => [ids.customer] }),
  ...attacksOn('privacy/own.ts', {
    eraseConsentHistory: (victim) => [open(victim)],
    eraseAnswers: {
      args: (victim) => [{ open: () => `to ${victim.ids.customer}` }, open(victim)],
    },
    eraseTrail: (victim) => [open(victim), NOW],
    erasePosts: { args: (victim) => [open(victim)], harmless: 'no post names the person' },
    eraseLinks: { args: (victim) => [open(victim)], harmless: 'no link is of the person' },
  }),
  ...attacksOn('privacy/store.ts', {
    findErasure: ({ ids }) => [ids.erasure],
    erasureOf: ({ ids }) => [ids.customer2],
    listErasures: () => [undefined, 10],
    openErasures: () => [],
    insertErasure: (victim) => [
      {
        ...{ id: newId(), customer_id: victim.ids.customer, ground: 'objection', requested_by: 'x' },
        ...{ requested_at: NOW, hashes: [], scope: scopeFor(victim) },
      },
    ],
    noteStep: ({ ids }) => [ids.erasure, 9, {}],
    endErasure: ({ ids }) => [ids.erasure, [], NOW],
    insertBlocks: ({ ids }) => [ids.erasure, 'record', [Buffer.alloc(32)], NOW],
    liftBlocks: ({ ids }) => [ids.erasure, 'x', NOW],
    hitsOf: { args: ({ ids }) => [[ids.erasure]], look: (hits) => [...hits.values()] },
    toErasures: ({ ids, named }) => [
      [{ ...named('erasure'), id: ids.erasure, requested_at: NOW, done_at: null, lifted_at: null }],
    ],
  }),
];
