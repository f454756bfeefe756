import type { ActionTrial, Clock, Refusals, Trial } from '../../src/kit/index.ts';
import type { ZendeskState } from './sandbox.state.ts';

const DUE = '2026-09-01T15:00:00Z';
const CREATE = /^POST \/api\/v2\/tickets$/;
const UPDATE = /^PUT \/api\/v2\/tickets\/\d+$/;

/** Zendesk's side of each action. */
export function actionsOf(state: ZendeskState): Trial['actions'] {
  const person = (n: number): string =>
    String(state.add('users', { name: `Acted Upon ${n}`, email: `acted${n}@example.com` }).id);
  const ticket = (n: number, more: object = {}): string =>
    String(state.add('tickets', { subject: `Before ${n}`, requester_id: state.admin, ...more }).id);
  const made = (isTask: boolean): Pick<ActionTrial, 'done' | 'request' | 'link' | 'refusesTwins'> => ({
    done: () =>
      [...state.tables.tickets.values()]
        .filter(({ external_id: ours, type }) => ours !== null && (type === 'task') === isTask)
        .map(({ id }) => String(id)),
    request: CREATE,
    link: true,
    refusesTwins: true,
  });
  return {
    create_ticket: {
      ...made(false),
      input: (n) => ({ title: `Leak ${n}`, priority: 'high', about: { contact: person(n) } }),
      get refused() {
        const suspended = String(state.add('users', { name: 'Gone Wrong', suspended: true }).id);
        return [
          { input: { title: 'Whose?', about: { contact: '1' } }, kind: 'invalid' as const },
          { input: { title: 'Suspended', about: { contact: suspended } }, kind: 'invalid' as const },
          { input: { title: 'No such status', stage: 'half open', about: {} }, kind: 'invalid' as const },
        ];
      },
    },
    create_task: {
      ...made(true),
      input: (n) => ({ title: `Call ${n}`, dueAt: DUE, about: { contact: person(n) } }),
      refused: [{ input: { title: 'Nobody', dueAt: DUE, assignee: '1', about: {} }, kind: 'invalid' }],
    },
    add_note: {
      input: (n) => ({ body: `Called ${n}`, about: { ticket: ticket(n) } }),
      done: () => state.audits.filter(({ custom }) => custom.rapport).map(({ id }) => String(id)),
      request: UPDATE,
      link: true,
      get refused() {
        return [
          { input: { body: 'Too late', about: { ticket: ticket(0, { status: 'closed' }) } }, kind: 'invalid' as const },
          { input: { body: 'About nothing', about: {} }, kind: 'invalid' as const },
        ];
      },
    },
    update_field: fieldTrial(state, ticket),
    add_tag: tagTrial(state, person, 'add'),
    remove_tag: tagTrial(state, person, 'remove'),
  };
}

function fieldTrial(state: ZendeskState, ticket: (n: number) => string): ActionTrial {
  const asked: { id: string; subject: string }[] = [];
  return {
    input: (n) => {
      const wanted = { id: ticket(n), subject: `Title ${n}` };
      asked.push(wanted);
      return { object: 'ticket', id: wanted.id, fields: { subject: wanted.subject } };
    },
    done: () =>
      asked.filter(({ id, subject }) => state.tables.tickets.get(Number(id))?.subject === subject).map(({ id }) => id),
    request: UPDATE,
    link: true,
    refused: [
      { input: { object: 'ticket', id: '1', fields: { subject: 'x' } }, kind: 'not_found' },
      { input: { object: 'deal', id: '1', fields: { subject: 'x' } }, kind: 'invalid' },
    ],
  };
}

function tagTrial(state: ZendeskState, person: (n: number) => string, verb: 'add' | 'remove'): ActionTrial {
  const asked: string[] = [];
  const tag = 'best_customers';
  return {
    input: (n) => {
      const contact = person(n);
      if (verb === 'remove') state.change('users', Number(contact), { tags: [tag] });
      asked.push(contact);
      return { tag: 'best customers', about: { contact } };
    },
    done: () =>
      asked
        .filter((id) => (state.tables.users.get(Number(id))!.tags as string[]).includes(tag) === (verb === 'add'))
        .map((id) => `${tag}:${id}`),
    request: new RegExp(`^${verb === 'add' ? 'PUT' : 'DELETE'} /api/v2/users/\\d+/tags$`),
    link: true,
    refused: [{ input: { tag, about: { contact: '1' } }, kind: 'not_found' }],
  };
}

const refusal = (status: number, body: object) => ({ kind: 'status', status, body }) as const;

/** Zendesk's refusals. */
export function refusalsOf(clock: Clock): Refusals {
  const limit = { error: 'APIRateLimitExceeded', description: 'Number of allowed API requests per minute exceeded' };
  return {
    rateLimited: (until) => ({
      ...refusal(429, limit),
      headers: until ? { 'retry-after': String(Math.ceil((until.getTime() - clock.now().getTime()) / 1000)) } : {},
    }),
    expired: () => refusal(401, { error: 'invalid_token', error_description: 'The access token provided is expired.' }),
    forbidden: {
      fault: () => refusal(403, { error: { title: 'Forbidden', message: 'You do not have access to this page.' } }),
    },
    invalid: (reason) =>
      refusal(422, {
        error: 'RecordInvalid',
        description: 'Record validation errors',
        details: { base: [{ description: reason, error: 'InvalidValue' }] },
      }),
    unavailable: () => refusal(503, { error: 'ServiceUnavailable', description: 'Please try again later' }),
  };
}
