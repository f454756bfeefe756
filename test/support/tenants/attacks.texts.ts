import { linksFor } from '../../../src/actions/links.ts';
import { NOW } from './facts.ts';
import { attacksOn, type Surroundings } from './functions.ts';
import type { Tenant } from './seed.ts';

/** A message of the victim to its customer. */
const message = ({ ids, named }: Tenant) => ({
  request: {
    ...named('action_request'),
    ...{ kind: 'send_email', channel: 'email', recipient: 'ann@example.com', class: 'marketing', topic: 'x' },
    ...{ customer_id: ids.customer, run_id: ids.run, created_at: NOW },
    plan: { type: 'message', template: 'chase', then: [] },
  },
  contexts: {
    people: new Map([[ids.customer, { id: ids.customer, name: 'x', locale: 'en' }]]),
    overdue: new Map(),
    today: '2026-03-02',
    language: 'en',
    of: () => ({}),
  },
  templates: [{ key: 'chase', channel: 'email', locale: 'en', subject: 'x', body: 'x', native: null, version: 1 }],
  now: NOW,
  links: [],
});

const content = (victim: Tenant, { deps }: Surroundings) => [deps.content, message(victim)];

/** Attacks on what texts are written from. */
export const TEXTS = [
  ...attacksOn('actions/circumstances.ts', {
    loadCircumstances: ({ ids }) => [
      {
        ...{ customerIds: [ids.customer], runIds: [ids.run], escalationIds: [ids.escalation] },
        ...{ now: NOW, today: '2026-03-02' },
      },
    ],
  }),
  ...attacksOn('actions/footer.ts', {
    footFor: {
      args: () => [{ unsubscribe: 'u', preferences: 'p', why: 'w' }, 'en'],
      look: (foot) => foot('text'),
    },
  }),
  ...attacksOn('actions/preview.ts', {
    previewText: {
      args: ({ ids }) => [
        { channel: 'email', draft: { subject: 'x', body: '{{ customer.name }}' }, enrolmentId: ids.run },
        { publicUrl: 'http://hub', now: NOW },
      ],
      refuses: /There is no enrolment/,
    },
  }),
  ...attacksOn('actions/message.ts', {
    messageContent: (victim, around) => [...content(victim, around), message(victim).request.plan],
    marketingMail: (victim, around) => [...content(victim, around), { text: 'x' }],
  }),
  ...attacksOn('actions/links.ts', {
    keepLinks: (victim, { deps }) => [[linksFor(deps.content, victim.tenantId, message(victim).request as never).row]],
  }),
  ...attacksOn('actions/setting-effects.ts', { settingEffects: () => ['business', NOW] }),
  ...attacksOn('settings/store.ts', { removeSetting: () => ['business'] }),
  ...attacksOn('mapping/store.ts', { overriddenConnectors: () => [] }),
  ...attacksOn('sequences/store.ts', {
    deleteTemplate: () => ['chase', 'email', 'en'],
    notePlaybook: ({ ids }) => [ids.sequence, 'overdue-chase'],
  }),
  ...attacksOn('transfer/apply.ts', { exportFiles: (_victim, { deps }) => [deps, false] }),
  ...attacksOn('transfer/names.ts', {
    segmentBook: {
      args: () => [],
      look: (book, { ids }) => {
        const { segment } = book.named({ segment: ids.openSegment });
        return segment === ids.openSegment ? 'unknown' : segment;
      },
    },
  }),
];
