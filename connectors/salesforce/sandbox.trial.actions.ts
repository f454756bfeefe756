import type { ActionTrial, Refusals, Trial } from '../../src/kit/index.ts';
import type { Fields, SalesforceState } from './sandbox.state.ts';

const FROM = '2026-09-01T15:00:00Z';
const TO = '2026-09-01T16:00:00Z';
const NOBODY = '005000000000000AAA';

const at = (method: string, path: string): RegExp => new RegExp(`^${method} /services/data/[^/]+${path}$`);

/** Salesforce's side of each action. */
export function actionsOf(state: SalesforceState): Trial['actions'] {
  const person = (n: number): string =>
    state.create('Contact', { FirstName: 'Acted', LastName: `Upon ${n}`, Email: `acted${n}@example.com` }).Id;
  const about = (n: number) => ({ about: { contact: person(n) } });
  const made = (object: string): Pick<ActionTrial, 'done' | 'request' | 'link'> => ({
    done: () => state.all(object).map(({ Id }) => Id),
    request: at('POST', `/sobjects/${object}`),
    link: true,
  });
  const nobodys = { assignee: NOBODY, about: {} };
  const refused = (input: Fields) => [{ input: { title: 'Nobody', ...input, ...nobodys }, kind: 'invalid' as const }];
  return {
    create_task: {
      ...made('Task'),
      input: (n) => ({ title: `Call ${n}`, dueAt: FROM, ...about(n) }),
      refused: refused({ dueAt: FROM }),
    },
    add_note: {
      ...made('ContentNote'),
      request: at('POST', '/composite'),
      input: (n) => ({ body: `Called ${n}`, ...about(n) }),
      refused: [{ input: { body: 'For nobody', about: { contact: '003000000000000AAA' } }, kind: 'invalid' }],
    },
    create_calendar_event: {
      ...made('Event'),
      input: (n) => ({ title: `Visit ${n}`, startsAt: FROM, endsAt: TO, ...about(n) }),
      refused: refused({ startsAt: FROM, endsAt: TO }),
    },
    create_ticket: {
      ...made('Case'),
      input: (n) => ({ title: `Leak ${n}`, ...about(n) }),
      refused: refused({}),
    },
    update_field: fieldTrial(state, person),
    add_tag: tagTrial(state, person, 'add'),
    remove_tag: tagTrial(state, person, 'remove'),
    enrol_in_automation: {
      input: (n) => ({ automation: 'Welcome', ...about(n) }),
      done: () => state.flowRuns.map(({ flow, inputs }) => `${flow}:${inputs.recordId}`),
      request: at('POST', '/actions/custom/flow/[^/]+'),
      refused: [
        { input: { automation: 'Nothing', about: {} }, kind: 'not_found' },
        { input: { automation: 'Welcome', about: {}, inputs: { wrong: 1 } }, kind: 'invalid' },
        { input: { automation: 'no name', about: {} }, kind: 'invalid' },
      ],
    },
    send_email: {
      input: (n) => ({ to: `acted${n}@example.com`, subject: `Visit ${n}`, text: 'We come tomorrow.' }),
      done: () => state.emails.map(({ to, subject }) => `${to}:${subject}`),
      request: at('POST', '/actions/standard/emailSimple'),
      refused: [{ input: { to: 'bounced@example.com', subject: 'Visit', text: 'Hello' }, kind: 'recipient_invalid' }],
    },
    send_chat: {
      ...made('FeedItem'),
      input: (n) => ({ target: person(n), title: `Late ${n}`, text: 'Please call.' }),
      refused: [{ input: { target: '003000000000000AAA', title: 'Late', text: 'Call' }, kind: 'invalid' }],
    },
    record_opt_out: {
      input: (n) => {
        person(n);
        return { channel: 'email', address: `acted${n}@example.com` };
      },
      done: () =>
        state
          .all('Contact')
          .flatMap(({ HasOptedOutOfEmail: out, Email }) => (out ? [`HasOptedOutOfEmail:${Email}`] : [])),
      request: at('PATCH', '/composite/sobjects'),
      refused: [{ input: { channel: 'email', address: 'nobody@example.com' }, kind: 'not_found' }],
    },
  };
}

function fieldTrial(state: SalesforceState, person: (n: number) => string): ActionTrial {
  const asked: { id: string; title: string }[] = [];
  return {
    input: (n) => {
      const wanted = { id: person(n), title: `Title ${n}` };
      asked.push(wanted);
      return { object: 'contact', id: wanted.id, fields: { Title: wanted.title } };
    },
    done: () =>
      asked.filter(({ id, title }) => state.table('Contact').find(id)?.values.Title === title).map(({ id }) => id),
    request: at('PATCH', '/sobjects/[^/]+/[^/]+'),
    refused: [
      { input: { object: 'contact', id: '003000000000000AAA', fields: { Title: 'x' } }, kind: 'not_found' },
      { input: { object: 'Contact; DELETE', id: '003000000000000AAA', fields: { Title: 'x' } }, kind: 'invalid' },
    ],
  };
}

const TAG = 'Best customers';

function tagTrial(state: SalesforceState, person: (n: number) => string, verb: 'add' | 'remove'): ActionTrial {
  const asked: string[] = [];
  const topic = (): string =>
    state.all('Topic').find(({ Name }) => Name === TAG)?.Id ?? state.create('Topic', { Name: TAG }).Id;
  const isTagged = (id: string): boolean =>
    state.all('TopicAssignment').some(({ EntityId, TopicId }) => EntityId === id && TopicId === topic());
  return {
    input: (n) => {
      const contact = person(n);
      if (verb === 'remove') state.create('TopicAssignment', { TopicId: topic(), EntityId: contact });
      asked.push(contact);
      return { tag: TAG, about: { contact } };
    },
    done: () => asked.filter((id) => isTagged(id) === (verb === 'add')).map((id) => `${TAG}:${id}`),
    request: verb === 'add' ? at('POST', '/sobjects/TopicAssignment') : at('DELETE', '/sobjects/TopicAssignment/[^/]+'),
    refused: [{ input: { tag: TAG, about: {} }, kind: 'invalid' }],
  };
}

const refusal = (status: number, errorCode: string, message: string, usage?: string) =>
  ({
    kind: 'status',
    status,
    body: [{ message, errorCode }],
    ...(usage ? { headers: { 'sforce-limit-info': `api-usage=${usage}` } } : {}),
  }) as const;

/** Salesforce's refusals. None names a date. */
export const refusalsOf = (): Refusals => ({
  // Too many long calls at once: the allowance is far from used up.
  rateLimited: (until) =>
    until ? undefined : refusal(403, 'REQUEST_LIMIT_EXCEEDED', 'ConcurrentRequests Limit exceeded.', '1200/100000'),
  quotaExhausted: () => refusal(403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.', '100000/100000'),
  quotaPauseMinutes: 60,
  expired: () => refusal(401, 'INVALID_SESSION_ID', 'Session expired or invalid'),
  forbidden: {
    fault: () =>
      refusal(
        403,
        'INSUFFICIENT_ACCESS_OR_READONLY',
        'insufficient access rights on object id: this needs a permission',
      ),
  },
  invalid: (reason) => refusal(400, 'FIELD_CUSTOM_VALIDATION_EXCEPTION', reason),
  unavailable: () => refusal(503, 'SERVER_UNAVAILABLE', 'The server is unavailable. Try again later.'),
});
