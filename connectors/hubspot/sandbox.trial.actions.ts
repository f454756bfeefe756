import type { ActionTrial, Clock, Refusals, RefusedInput, Trial } from '../../src/kit/index.ts';
import type { HubSpotState } from './sandbox.state.ts';

const FROM = '2026-09-01T15:00:00Z';
const TO = '2026-09-01T16:00:00Z';
const SENDER = { userId: '9000', email: 'sales@business.example' };
const LIST = '12';
const SCOPE = 'crm.objects.contacts.write';

/** HubSpot's side of each action. */
export function actionsOf(state: HubSpotState): Trial['actions'] {
  const person = (n: number): string =>
    state.create('contacts', { firstname: 'Acted', lastname: `Upon ${n}`, email: `acted${n}@example.com` }).id;
  const about = (n: number) => ({ about: { contact: person(n) } });
  const made = (type: string): Pick<ActionTrial, 'done' | 'request' | 'link' | 'refusesTwins'> => ({
    done: () => state.all(type).map(({ id }) => id),
    request: new RegExp(`^POST /crm/objects/[^/]+/${type}$`),
    link: true,
    refusesTwins: true,
  });
  const noOwner = { assignee: '999999', about: {} };
  const start = { dueAt: FROM };
  const slot = { startsAt: FROM, endsAt: TO };
  return {
    create_task: {
      ...made('tasks'),
      input: (n) => ({ title: `Call ${n}`, ...start, ...about(n) }),
      refused: [{ input: { title: 'Nobody', ...start, ...noOwner }, kind: 'invalid' }],
    },
    add_note: { ...made('notes'), input: (n) => ({ body: `Called ${n}`, ...about(n) }) },
    create_calendar_event: {
      ...made('meetings'),
      input: (n) => ({ title: `Visit ${n}`, ...slot, ...about(n) }),
      refused: [{ input: { title: 'Nobody', ...slot, ...noOwner }, kind: 'invalid' }],
    },
    create_ticket: {
      ...made('tickets'),
      input: (n) => ({ title: `Leak ${n}`, ...about(n) }),
      refused: [{ input: { title: 'Nobody', ...noOwner }, kind: 'invalid' }],
    },
    update_field: fieldTrial(state, person),
    add_tag: tagTrial(state, person, 'add'),
    remove_tag: tagTrial(state, person, 'remove'),
    enrol_in_automation: {
      input: (n) => ({ automation: '5', sender: SENDER, ...about(n) }),
      done: () => [...state.enrolments.values()].filter(({ sequenceId }) => sequenceId === '5').map(({ id }) => id),
      request: /^POST \/automation\/sequences\/[^/]+\/enrollments$/,
      get refused(): RefusedInput[] {
        const contact = person(0);
        state.enrol(contact, '6', { id: SENDER.userId, email: SENDER.email });
        return [{ input: { automation: '5', sender: SENDER, about: { contact } }, kind: 'invalid' }];
      },
    },
    send_email: {
      input: (n) => ({ to: `acted${n}@example.com`, subject: `Visit ${n}`, text: 'We come tomorrow.', emailId: 77 }),
      done: () => state.singleSends(),
      request: /^POST \/marketing\/[^/]+\/[^/]+\/single-send$/,
    },
    record_opt_out: {
      input: (n) => ({ channel: 'email', address: `acted${n}@example.com` }),
      done: () => [...new Set(state.optOuts.map(({ email, property }) => `${property}:${email}`))],
      request: /^POST \/communication-preferences\/[^/]+\/statuses\/[^/]+\/unsubscribe-all$/,
    },
  };
}

function fieldTrial(state: HubSpotState, person: (n: number) => string): ActionTrial {
  const asked: { id: string; title: string }[] = [];
  return {
    input: (n) => {
      const wanted = { id: person(n), title: `Title ${n}` };
      asked.push(wanted);
      return { object: 'contact', id: wanted.id, fields: { jobtitle: wanted.title } };
    },
    done: () =>
      asked.filter(({ id, title }) => state.find('contacts', id)?.properties.jobtitle === title).map(({ id }) => id),
    request: /^PATCH \/crm\/objects\//,
    refused: [{ input: { object: 'contact', id: '1', fields: { jobtitle: 'x' } }, kind: 'not_found' }],
  };
}

function tagTrial(state: HubSpotState, person: (n: number) => string, verb: 'add' | 'remove'): ActionTrial {
  const asked: string[] = [];
  return {
    input: (n) => {
      const contact = person(n);
      if (verb === 'remove') state.changeList(LIST, 'add', [contact]);
      asked.push(contact);
      return { tag: LIST, about: { contact } };
    },
    done: () => asked.filter((id) => state.isMember(LIST, id) === (verb === 'add')).map((id) => `${LIST}:${id}`),
    request: new RegExp(`^PUT /crm/lists/[^/]+/[^/]+/memberships/${verb}$`),
    refused: [{ input: { tag: 'best customers', about: { contact: '1' } }, kind: 'not_found' }],
  };
}

const refusal = (status: number, category: string, message: string, more: object = {}) =>
  ({
    kind: 'status',
    status,
    body: { status: 'error', message, correlationId: '00000000-0000-0000-0000-000000000000', category, ...more },
  }) as const;

/** HubSpot's refusals. */
export function refusalsOf(clock: Clock): Refusals {
  const limit = (policyName: string, until: Date | undefined) => ({
    ...refusal(429, 'RATE_LIMITS', 'You have reached your limit.', { errorType: 'RATE_LIMIT', policyName }),
    headers: until
      ? { 'retry-after': String(Math.ceil((until.getTime() - clock.now().getTime()) / 1000)) }
      : ({} as Record<string, string>),
  });
  return {
    rateLimited: (until) => limit('TEN_SECONDLY_ROLLING', until),
    quotaExhausted: (until) => limit('DAILY', until),
    expired: () => refusal(401, 'EXPIRED_AUTHENTICATION', 'The OAuth token used to make this call expired.'),
    forbidden: {
      permission: SCOPE,
      fault: () =>
        refusal(
          403,
          'MISSING_SCOPES',
          "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: https://developers.hubspot.com/scopes.",
          {
            errors: [
              {
                message: 'One or more of the following scopes are required.',
                context: { requiredGranularScopes: [SCOPE] },
              },
            ],
          },
        ),
    },
    invalid: (reason) => refusal(400, 'VALIDATION_ERROR', reason),
    unavailable: () => ({ kind: 'status', status: 502, body: '<html><h1>502 Bad Gateway</h1></html>' }),
  };
}
