import { newId } from '../../../src/base/ids.ts';
import type { Row } from './catalog.ts';
import { type Facts, type Flavour, type Ids, LONG_AGO } from './facts.ts';

/** What both tenants know alike: business keys collide on purpose, ids and texts never do. */
export function peopleFacts(ids: Ids, { mark, zone, due }: Flavour): Facts {
  const ann = {
    email: 'ann@example.com',
    phone: '+14155550101',
    emails: ['ann@example.com'],
    phones: ['+14155550101'],
  };
  const seat = { time_zone: zone, country: 'US', region: 'NY' };
  const place = { ...seat, locale: 'en' };
  const there = { zone: null, working_hours: null, absent_until: null, departed_on: null };
  const source = { stream_id: ids.stream, mapping_version: 'm1' };
  const provenance = { name: { stream: ids.stream, record: 'c-1', rule: `${mark}-rule` } };
  const key = (kind: string, name: string, entity_id: string): Row => ({ kind, key: name, entity_id });
  return {
    customer: [
      {
        id: ids.customer,
        provenance,
        ...ann,
        ...place,
        company_id: ids.company,
        owner_id: ids.owner,
        email_opt_out: false,
        custom: { hubspot: { [`${mark} field`]: 'x' } },
      },
      {
        id: ids.customer2,
        provenance,
        ...place,
        email: 'bob@example.com',
        emails: ['bob@example.com'],
        phone: null,
        phones: null,
      },
    ],
    contact_projection: [
      {
        ...source,
        ...ann,
        ...place,
        remote_id: 'c-1',
        entity_id: ids.customer,
        company_id: ids.company,
        owner_id: ids.owner,
        keys: ['email:ann@example.com', 'email:shared@example.com', 'phone:+14155550101'],
      },
      {
        ...source,
        ...place,
        remote_id: 'c-2',
        entity_id: ids.customer2,
        email: 'bob@example.com',
        keys: ['email:bob@example.com'],
      },
      // It came with who was merged away.
      { ...source, ...place, remote_id: 'c-3', entity_id: ids.customer, email: null, keys: [] },
      // It came to them at the moment they were merged away.
      { ...source, ...place, remote_id: 'c-4', entity_id: ids.merged, email: null, keys: [] },
    ],
    record_home: [{ kind: 'contact', stream_id: ids.stream, remote_id: 'c-3', entity_id: ids.merged }],
    not_same: [
      {
        kind: 'contact',
        a_id: ids.customer2,
        b_id: ids.customer,
        keys: ['email:ann@example.com'],
        reason: `${mark} said so`,
      },
    ],
    company: [
      { id: ids.company, provenance, ...seat, domain: 'acme.example' },
      { id: ids.company2, provenance, ...seat, domain: 'other.example' },
    ],
    company_projection: [
      {
        ...source,
        ...seat,
        remote_id: 'k-1',
        entity_id: ids.company,
        domain: 'acme.example',
        keys: ['domain:acme.example'],
      },
      {
        ...source,
        ...seat,
        remote_id: 'k-2',
        entity_id: ids.company2,
        domain: 'other.example',
        keys: ['domain:other.example'],
      },
    ],
    owner: [
      { ...source, remote_id: 'o-1', entity_id: ids.owner, email: 'olga@example.com', time_zone: null },
      {
        ...source,
        remote_id: 'o-2',
        entity_id: ids.goneOwner,
        email: 'gone@example.com',
        time_zone: null,
        active: false,
      },
    ],
    identity_key: [
      key('contact', 'email:ann@example.com', ids.customer),
      key('contact', 'phone:+14155550101', ids.customer),
      key('contact', 'email:bob@example.com', ids.customer2),
      key('contact', 'email:shared@example.com', ids.customer2),
      // No record has this key any more.
      key('contact', 'email:old@example.com', ids.customer),
      key('company', 'domain:acme.example', ids.company),
    ],
    merge_event: [
      {
        id: ids.mergeEvent,
        kind: 'contact',
        survivor_id: ids.customer,
        absorbed_id: ids.merged,
        evidence: { key: 'x', keys: [] },
        kept: null,
        undone_at: null,
        // Only the platform's own merges are undone with it.
        decided_by: 'vendor:hubspot',
      },
      {
        id: newId(),
        kind: 'contact',
        survivor_id: ids.customer,
        absorbed_id: newId(),
        decided_by: `remap:${ids.remapRun}`,
        evidence: {},
        undone_at: null,
      },
    ],
    entity_alias: [{ old_id: ids.merged, entity_id: ids.customer }],
    customer_stale: [
      { reader: 'score', customer_id: ids.customer2 },
      { reader: 'segments', customer_id: '00000000-0000-0000-0000-000000000000' },
      { reader: 'dates', customer_id: ids.customer },
    ],
    merge_suggestion: [
      { id: ids.suggestion, kind: 'contact', entity_id: ids.customer, other_id: ids.customer2, decided_at: null },
    ],
    staff: [
      { id: ids.staff, email: 'olga@example.com', ...there, deputy_id: ids.deputy, roles: ['accounts', 'admin'] },
      { id: ids.deputy, email: 'dora@example.com', ...there, roles: ['deputy'] },
      { id: newId(), email: 'gone@example.com', ...there, roles: [] },
    ],
    consent: [
      { customer_id: ids.customer, channel: 'email', topic: '*', state: 'granted', recorded_at: LONG_AGO },
      { customer_id: ids.customer2, channel: 'email', topic: '*', state: 'denied', recorded_at: LONG_AGO },
    ],
    consent_event: [{ id: newId(), customer_id: ids.customer, channel: 'email', topic: '*', state: 'granted' }],
    suppression: [
      {
        channel: 'email',
        address_hash: Buffer.from('hash'),
        scope: 'marketing',
        reason: 'stop_reply',
        lifted_at: null,
      },
    ],
    contact_guard: [{ subject_id: ids.customer2 }],
    contact_preference: [{ customer_id: ids.customer, paused_until: null, at_most_messages: 1, at_most_days: 30 }],
    keyword_answer: [{ channel: 'sms', address_hash: Buffer.from('hash'), word: 'help', answered_at: LONG_AGO }],
    touch: [
      {
        request_id: ids.committed,
        customer_id: ids.customer,
        company_id: ids.company,
        channel: 'email',
        class: 'marketing',
        at: due,
        copy_of: null,
      },
    ],
    membership: [
      { user_id: ids.user, role: 'owner' },
      { user_id: ids.colleague, role: 'viewer' },
      { user_id: newId(), role: 'owner' },
    ],
    api_key: [{ id: ids.apiKey, role: 'viewer', scopes: ['read'], last_used_on: '2026-02-01' }],
    setting: [
      {
        key: 'business',
        value: { name: `${mark}-business`, zone, country: 'US', currency: 'USD' },
      },
      { key: 'delivery', value: { connections: {}, chatChannel: `${mark}-channel` } },
      { key: 'progressWriteBack', value: { to: [{ connection: ids.connection, nextStep: `${mark}_next` }] } },
      { key: 'scoreWriteBack', value: { to: [{ connection: ids.connection, fields: { score: `${mark}_score` } }] } },
    ],
    template: [
      { key: 'chase', channel: 'email', locale: 'en', subject: `${mark} subject`, body: `${mark} body`, native: null },
      { key: 'private', channel: 'email', locale: 'en', native: null },
    ],
    kill_switch: [{ scope: 'channel:sms' }],
    audit_event: [
      { id: newId(), action: 'first', customer_id: ids.customer, seq: 1 },
      { id: ids.event, action: 'second', customer_id: ids.customer, seq: null, previous_hash: null, hash: null },
    ],
  };
}

/** Rows of the tables that are looked into before a tenant is known. */
export const coordinatorFacts = (ids: Ids, { mark }: Flavour): Facts => ({
  session: [{ user_id: ids.user, token_hash: `${mark}-session` }],
  api_key_route: [{ api_key_id: ids.apiKey, token_hash: `${mark}-key` }],
  link_route: [{ token_hash: `${mark}-link`, purpose: 'unsubscribe' }],
  tenant_due: [{ kind: 'sync', next_due: new Date('2030-01-01'), look_at: new Date('2030-01-01') }],
  account_route: [{ connector: 'hubspot', account_id: `${mark}-account`, connection_id: ids.connection }],
  oauth_state: [{ state_hash: `${mark}-state`, connector: 'hubspot', features: [], settings: {} }],
});
