import { surveyOf } from './facts.surveys.ts';
import { definitionOf, type Ids } from './facts.ts';

/** Whose thing is behind `/v1/<resource>/{id}`. */
export const RESOURCES: Record<string, (ids: Ids) => string> = {
  users: (ids) => ids.colleague,
  'api-keys': (ids) => ids.apiKey,
  connections: (ids) => ids.connection,
  customers: (ids) => ids.customer,
  parked: (ids) => ids.parked,
  triggers: (ids) => ids.trigger,
  sequences: (ids) => ids.sequence,
  segments: (ids) => ids.openSegment,
  surveys: (ids) => ids.survey,
  enrolments: (ids) => ids.run,
  staff: (ids) => ids.staff,
  escalations: (ids) => ids.escalation,
  holds: (ids) => ids.hold,
  actions: (ids) => ids.unknown,
  deletions: (ids) => ids.heldBatch,
  'write-breakers': (ids) => ids.breaker,
  merges: (ids) => ids.mergeEvent,
  erasures: (ids) => ids.erasure,
  'merge-suggestions': (ids) => ids.suggestion,
  campaigns: (ids) => ids.campaign,
  // The path names a platform, which is everybody's; whose records it is about stands beside it.
  mappings: (ids) => ids.connection,
};

/** Where one address of a resource is about another thing than the rest. */
export const OTHERS: Record<string, (ids: Ids) => string> = {
  'POST /v1/deletions/{id}/undo': (ids) => ids.doneBatch,
  'DELETE /v1/surveys/{id}': (ids) => ids.unasked,
};

/** Names instead of ids: every business has its own thing of that name, or the name is everybody's. */
export const NAMED: Record<string, string> = {
  settings: '/v1/settings/business',
  templates: '/v1/templates/private/email/en',
  'kill-switches': '/v1/kill-switches/channel:sms',
  playbooks: '/v1/playbooks/overdue-chase/install',
  connectors: '/v1/connectors/hubspot/mapping',
  imports: '/v1/imports/contacts',
};

/** A body that would be taken, for the operations that need one. */
export const BODIES: Record<string, (ids: Ids) => unknown> = {
  'PATCH /v1/users/{id}': () => ({ role: 'viewer' }),
  'PATCH /v1/connections/{id}': () => ({ name: 'Stolen' }),
  'POST /v1/connections/{id}/sync': () => ({ full: true }),
  'POST /v1/connections/{id}/verify': () => ({}),
  'PUT /v1/connections/{id}/quota': () => ({ calls: 1 }),
  'PUT /v1/connections/{id}/mapping': () => ({}),
  'PUT /v1/connectors/{id}/mapping': () => ({}),
  'PATCH /v1/triggers/{id}': () => ({ title: 'Stolen' }),
  'PUT /v1/surveys/{id}': () => surveyOf('asked', 'Stolen'),
  'POST /v1/surveys/{id}/invitations': (ids) => ({ customerId: ids.customer }),
  'PATCH /v1/segments/{id}': () => ({ settleMinutes: 3 }),
  'PUT /v1/sequences/{id}': () => definitionOf('chase', 'Stolen'),
  'POST /v1/sequences/{id}/switch': () => ({ on: false }),
  'POST /v1/sequences/{id}/publish': () => ({ running: 'finish' }),
  'POST /v1/sequences/{id}/try': (ids) => ({ customer: ids.customer }),
  'PUT /v1/sequences/{id}/mode': () => ({ mode: 'shadow' }),
  'PATCH /v1/staff/{id}': () => ({ name: 'Stolen' }),
  'POST /v1/customers/{id}/promises': () => ({ promisedOn: '2026-03-05' }),
  'POST /v1/customers/{id}/disputes': () => ({ note: 'Stolen' }),
  'PUT /v1/customers/{id}/dates/{kind}': () => ({ value: '2000-01-01' }),
  'POST /v1/customers/{id}/erasure': (ids) => ({ ground: 'objection', confirm: ids.customer }),
  'POST /v1/holds/{id}/close': () => ({ outcome: 'Stolen' }),
  'POST /v1/actions/{id}/settle': () => ({ as: 'skipped', reason: 'Stolen' }),
  'POST /v1/customers/{id}/split': (ids) => ({
    records: [{ streamId: ids.stream, remoteId: 'c-1' }],
    reason: 'Stolen',
  }),
  'POST /v1/mappings/{connector}/preview': (ids) => ({ connectionId: ids.connection, ids: { contacts: ['c-1'] } }),
  'POST /v1/mappings/{connector}/apply': (ids) => ({ connectionId: ids.connection }),
  'POST /v1/mappings/{connector}/rollback': (ids) => ({ connectionId: ids.connection, to: 0 }),
  'POST /v1/merges/{id}/undo': () => ({ reason: 'Stolen' }),
  'POST /v1/merge-suggestions/{id}/refuse': () => ({ reason: 'Stolen' }),
  'POST /v1/customers/{id}/consent': () => ({ channel: 'email', state: 'denied', evidence: 'Stolen' }),
  'PUT /v1/customers/{id}/vip': () => ({ vip: true }),
  'POST /v1/customers/{id}/unhappy/clear': () => ({ reason: 'Stolen' }),
  'PUT /v1/settings/{key}': () => ({ name: 'Stolen' }),
  'PUT /v1/templates/{key}/{channel}/{locale}': () => ({ body: 'Stolen' }),
  'PATCH /v1/campaigns/{id}': () => ({ title: 'Stolen' }),
  'POST /v1/campaigns/{id}/start': () => ({ token: 'stolen' }),
  'POST /v1/campaigns/{id}/pause': () => ({ reason: 'Stolen' }),
  'POST /v1/campaigns/{id}/stop': () => ({ reason: 'Stolen' }),
  'POST /v1/campaigns/{id}/undo': () => ({ reason: 'Stolen' }),
  'POST /v1/campaigns/{id}/enrolments': (ids) => ({ customers: [ids.customer], reason: 'Stolen' }),
  'PUT /v1/kill-switches/{scope}': () => ({ reason: 'Stolen' }),
};
