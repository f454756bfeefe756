import { newId } from '../../../src/base/ids.ts';
import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';

const DAY = '2026-03-02';
const LATER = new Date(NOW.getTime() + 60_000);

/** Attacks on users, keys, settings, the audit trail, connections and mappings. */
export const ACCESS = [
  ...attacksOn('access/store.ts', {
    roleOf: ({ ids }) => [ids.user],
    insertMembership: ({ ids }) => [ids.user, 'admin', NOW],
    updateMembership: ({ ids }) => [ids.user, 'viewer', 1],
    deleteMembership: ({ ids }) => [ids.user],
    countOwners: () => [],
    listUsers: () => [],
    insertApiKey: () => [
      { id: newId(), name: 'n', prefix: 'p', role: 'viewer', scopes: ['read'], created_by: 'x', tokenHash: newId() },
      NOW,
    ],
    findApiKey: ({ ids }) => [ids.apiKey],
    noteApiKeyUse: ({ ids }) => [ids.apiKey, DAY],
    listApiKeys: () => [],
    revokeApiKey: ({ ids }) => [ids.apiKey, NOW],
  }),
  ...attacksOn('base/database.ts', {
    insertRows: ({ ids }) => ['contact_guard', [{ name: 'subject_id', type: 'uuid' }], [{ subject_id: ids.customer }]],
  }),
  ...attacksOn('settings/store.ts', {
    readSetting: () => ['business'],
    setting: () => ['delivery'],
    writeSetting: () => ['business', { name: 'x' }, { expected: 1, by: 'x', at: NOW }],
    tenantZone: () => [],
  }),
  ...attacksOn('audit/store.ts', {
    appendEvents: ({ ids }) => [
      [{ actor: 'x', action: 'x', subject: { kind: 'customer', id: ids.customer }, customerId: ids.customer, at: NOW }],
    ],
    listEvents: ({ ids }) => [{ customerId: ids.customer, limit: 10 }],
    lastSealed: () => [],
    unsealedEvents: () => [10],
    sealEvents: ({ ids }) => {
      const bytes = Buffer.from('a');
      return [[{ id: ids.event, seq: 9, previousHash: bytes, hash: bytes, digest: bytes }]];
    },
    sealedEvents: () => [0, 10],
  }),
  ...attacksOn('connections/credential.store.ts', {
    loadCredential: ({ ids }) => [ids.connection],
    putCredential: ({ ids }) => [ids.connection, Buffer.from('stolen'), null, NOW],
    takeLease: ({ ids }) => [ids.connection, { owner: 'x', until: LATER, version: 1, now: NOW }],
    settleLease: ({ ids }) => [
      ids.connection,
      { owner: 'reader', version: 1, sealed: Buffer.from('stolen'), expiresAt: null, now: NOW },
    ],
    replaceSecrets: ({ ids }) => [ids.connection, { sealed: Buffer.from('stolen'), version: 1, now: LATER }],
    dropLease: ({ ids }) => [ids.connection, 'reader'],
    deleteCredential: ({ ids }) => [ids.connection],
  }),
  ...attacksOn('connections/store.ts', {
    findConnection: ({ ids }) => [ids.connection],
    notePrepareAt: ({ ids }) => [ids.connection, LATER],
    preparesDue: () => [NOW],
    findConnectionByAccount: ({ mark }) => ['hubspot', `${mark}-account`],
    listConnections: () => [true],
    insertConnection: ({ named }) => [{ ...named('connection'), id: newId(), account_id: 'other', created_at: NOW }],
    renewConnection: ({ ids }) => [
      ids.connection,
      { account: { id: 'x' }, settings: {}, features: [], scopes: [], now: NOW },
    ],
    updateConnection: ({ ids }) => [ids.connection, { name: 'x', settings: {}, expected: 1, now: NOW }],
    setConnectionState: ({ ids }) => [ids.connection, 'paused', 'x', NOW],
    noteAccount: ({ ids, mark }) => [ids.connection, { id: `${mark}-account`, name: 'x' }],
    noteNotice: ({ ids }) => [ids.connection, 'x'],
    noteWaiting: ({ ids }) => [ids.connection, 'x'],
    noteSilent: ({ ids }) => [ids.connection, 'x'],
    noteSuccess: ({ ids }) => [ids.connection, NOW],
    addCalls: ({ ids }) => [ids.connection, DAY, 'hook', 5],
    callsOfDay: ({ ids }) => [ids.connection, DAY],
  }),
  ...attacksOn('mapping/store.ts', {
    loadOverrides: ({ ids }) => ['hubspot', ids.connection],
    saveOverride: ({ ids }) => [
      { connector: 'hubspot', connectionId: ids.connection, mapping: {}, by: 'x', at: NOW },
      1,
    ],
    registerFields: ({ ids }) => [ids.stream, [{ name: 'x', label: 'x', type: 'text', custom: true }], NOW],
    listFields: ({ ids }) => [ids.stream],
  }),
];
