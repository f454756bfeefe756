import type { ActionTrial, Refusals, Trial } from '../../src/kit/index.ts';
import type { PipedriveCompany, Type } from './sandbox.state.ts';

const FROM = '2026-09-01T15:00:00Z';
const TO = '2026-09-01T16:00:00Z';
const HOUR_MS = 3_600_000;

/** Pipedrive's side of each action. */
export function actionsOf(company: PipedriveCompany): Trial['actions'] {
  // They were there before: whatever a list shows late, it shows them.
  const person = (n: number): string => {
    const emails = [{ value: `acted${n}@example.com`, primary: true, label: 'work' }];
    return String(company.create('persons', { name: `Upon ${n}`, emails }, company.now() - HOUR_MS).id);
  };
  const about = (n: number) => ({ about: { contact: person(n) } });
  const typed = (type: string) => () =>
    company
      .table('activities')
      .rows.filter(({ fields }) => fields.type === type)
      .map(({ id }) => String(id));
  const made: Pick<ActionTrial, 'request' | 'link'> = { request: /^POST \/api\/v2\/activities$/, link: true };
  const noOwner = { assignee: '999999', about: {} };
  return {
    create_task: {
      ...made,
      done: typed('task'),
      input: (n) => ({ title: `Call ${n}`, dueAt: FROM, ...about(n) }),
      refused: [{ input: { title: 'Nobody', dueAt: FROM, ...noOwner }, kind: 'invalid' }],
    },
    create_calendar_event: {
      ...made,
      done: typed('meeting'),
      input: (n) => ({ title: `Visit ${n}`, startsAt: FROM, endsAt: TO, attendees: ['ann@example.com'], ...about(n) }),
      refused: [{ input: { title: 'Nobody', startsAt: FROM, endsAt: TO, ...noOwner }, kind: 'invalid' }],
    },
    add_note: {
      input: (n) => ({ body: `Called ${n}`, ...about(n) }),
      done: () => company.table('notes').rows.map(({ id }) => String(id)),
      request: /^POST \/v1\/notes$/,
      link: true,
      refused: [{ input: { body: 'About nobody', about: {} }, kind: 'invalid' }],
    },
    update_field: fieldTrial(company, person),
    add_tag: labelTrial(company, person, 'add'),
    remove_tag: labelTrial(company, person, 'remove'),
    record_opt_out: optOutTrial(company, person),
  };
}

const fieldsOf = (company: PipedriveCompany, type: Type, id: string): Record<string, unknown> =>
  company.table(type).find(Number(id))?.fields ?? {};

function fieldTrial(company: PipedriveCompany, person: (n: number) => string): ActionTrial {
  const asked: { id: string; value: string }[] = [];
  let code: string | undefined;
  return {
    // By the label people gave the field; what is written is its code.
    input: (n) => {
      code ??= company.addField('personFields', 'Warranty note');
      const one = { id: person(n), value: `Note ${n}` };
      asked.push(one);
      return { object: 'contact', id: one.id, fields: { 'warranty note': one.value } };
    },
    done: () =>
      asked
        .filter(({ id, value }) => {
          const custom = fieldsOf(company, 'persons', id).custom_fields as Record<string, unknown> | undefined;
          return custom?.[code!] === value;
        })
        .map(({ id }) => id),
    request: /^PATCH \/api\/v2\/persons\/\d+$/,
    link: true,
    refused: [
      { input: { object: 'contact', id: '1', fields: { name: 'x' } }, kind: 'not_found' },
      { input: { object: 'contact', id: '1', fields: { 'No such field': 'x' } }, kind: 'invalid' },
      { input: { object: 'deal', id: '1', fields: { stage: 'No such stage' } }, kind: 'invalid' },
    ],
  };
}

function optOutTrial(company: PipedriveCompany, person: (n: number) => string): ActionTrial {
  const asked: string[] = [];
  return {
    input: (n) => {
      asked.push(person(n));
      return { channel: 'email', address: `acted${n}@example.com` };
    },
    done: () => asked.filter((id) => fieldsOf(company, 'persons', id).marketing_status === 'unsubscribed'),
    request: /^PATCH \/api\/v2\/persons\/\d+$/,
    link: true,
    refused: [{ input: { channel: 'email', address: 'nobody@nowhere.example' }, kind: 'not_found' }],
  };
}

function labelTrial(company: PipedriveCompany, person: (n: number) => string, verb: 'add' | 'remove'): ActionTrial {
  const asked: string[] = [];
  const has = (id: string): boolean =>
    ((fieldsOf(company, 'persons', id).label_ids ?? []) as number[]).includes(company.addLabel('personFields', 'VIP'));
  return {
    input: (n) => {
      const contact = person(n);
      const labels = verb === 'remove' ? [company.addLabel('personFields', 'VIP')] : [];
      company.update('persons', Number(contact), { label_ids: labels }, company.now() - HOUR_MS);
      asked.push(contact);
      return { tag: 'VIP', about: { contact } };
    },
    done: () => asked.filter((id) => has(id) === (verb === 'add')).map((id) => `VIP:${id}`),
    request: /^PATCH \/api\/v2\/persons\/\d+$/,
    refused: [{ input: { tag: 'VIP', about: { contact: '1' } }, kind: 'not_found' }],
  };
}

const refusal = (status: number, error: string, more: object = {}, headers: Record<string, string> = {}) =>
  ({
    kind: 'status',
    status,
    headers,
    body: { success: false, error, data: null, additional_data: null, ...more },
  }) as const;

/** Pipedrive's refusals; it never says when to come back. */
export const refusals: Refusals = {
  rateLimited: (until) =>
    until ? undefined : refusal(429, 'Rate limit exceeded', {}, { 'x-ratelimit-remaining': '0' }),
  expired: () => refusal(401, 'Unauthorized access'),
  forbidden: {
    permission: 'activities:full',
    fault: () => refusal(403, 'Scope and URL mismatch', { error_info: 'activities:full is missing' }),
  },
  invalid: (reason) => refusal(400, reason, { code: 'ERR_SCHEMA_VALIDATION_FAILED' }),
  unavailable: () => ({ kind: 'status', status: 503, body: '<html><h1>503 Service Unavailable</h1></html>' }),
};
