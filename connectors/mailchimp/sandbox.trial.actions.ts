import type { ActionTrial, Clock, Refusals, Trial } from '../../src/kit/index.ts';
import type { Member } from './sandbox.audience.ts';
import type { MailchimpState } from './sandbox.state.ts';

const MEMBER = '/3\\.0/lists/[^/]+/members/[^/]+';
const TAG = 'Maintenance Due';

/** Mailchimp's side of each action. */
export function actionsOf(state: MailchimpState, _clock: Clock): Trial['actions'] {
  const { audience } = state;
  let people = 0;
  const person = (status: Member['status'] = 'subscribed'): string =>
    audience.add(`acted${++people}@people.example`, { FNAME: 'Acted' }, status).id;
  const about = () => ({ about: { contact: person() } });
  return {
    add_tag: tagTrial(state, person, true),
    remove_tag: tagTrial(state, person, false),
    update_field: fieldTrial(state, person),
    add_note: {
      input: (n) => ({ body: `Called ${n}`, ...about() }),
      done: () => [...audience.notes.values()].flat().map(({ id }) => String(id)),
      request: new RegExp(`^POST ${MEMBER}/notes$`),
      get refused() {
        const long = { body: 'long '.repeat(300), ...about() };
        return [
          { input: long, kind: 'invalid' as const },
          { input: { body: 'To nobody', about: { contact: 'nobody' } }, kind: 'not_found' as const },
        ];
      },
    },
    enrol_in_automation: {
      input: (n) => ({ automation: 'event:maintenance_due', properties: { visit: `v${n}` }, ...about() }),
      done: () =>
        [...audience.events].flatMap(([id, events]) =>
          events.map(({ name, properties }) => `event:${name}:${id}:${properties.rapport_action_id}`),
        ),
      request: new RegExp(`^POST ${MEMBER}/events$`),
      get refused() {
        return [
          { input: { automation: 'the summer journey', ...about() }, kind: 'invalid' as const },
          {
            input: { automation: 'journey:12/34', about: { contact: person('unsubscribed') } },
            kind: 'recipient_opted_out' as const,
          },
          { input: { automation: 'journey:9/9', ...about() }, kind: 'not_found' as const },
        ];
      },
    },
    record_opt_out: {
      input: () => {
        const contact = person();
        return { channel: 'email', address: audience.members.get(contact)!.email_address, contact };
      },
      done: () => [...audience.members.values()].filter(({ status }) => status === 'unsubscribed').map(({ id }) => id),
      request: new RegExp(`^PATCH ${MEMBER}$`),
      link: true,
    },
  };
}

function fieldTrial({ audience }: MailchimpState, person: () => string): ActionTrial {
  const asked: { id: string; name: string }[] = [];
  return {
    input: (n) => {
      const wanted = { id: person(), name: `Name ${n}` };
      asked.push(wanted);
      return { object: 'contact', id: wanted.id, fields: { FNAME: wanted.name } };
    },
    done: () =>
      asked.filter(({ id, name }) => audience.members.get(id)?.merge_fields.FNAME === name).map(({ id }) => id),
    request: new RegExp(`^PATCH ${MEMBER}$`),
    link: true,
    get refused() {
      return [
        { input: { object: 'contact', id: 'nobody', fields: { FNAME: 'x' } }, kind: 'not_found' as const },
        { input: { object: 'contact', id: person(), fields: { BIRTHDAY: '1990-05-06' } }, kind: 'invalid' as const },
        { input: { object: 'contact', id: person(), fields: { status: 'subscribed' } }, kind: 'invalid' as const },
      ];
    },
  };
}

function tagTrial(state: MailchimpState, person: () => string, active: boolean): ActionTrial {
  const { audience } = state;
  const asked: string[] = [];
  return {
    input: () => {
      const contact = person();
      if (!active) audience.tag(audience.members.get(contact)!, TAG, true);
      asked.push(contact);
      return { tag: TAG, about: { contact } };
    },
    done: () =>
      asked
        .filter((id) => audience.members.get(id)!.tags.some(({ name }) => name === TAG) === active)
        .map((id) => `${TAG}:${id}`),
    request: new RegExp(`^POST ${MEMBER}/tags$`),
    refused: [
      { input: { tag: TAG, about: { contact: 'nobody' } }, kind: 'not_found' },
      { input: { tag: TAG, about: {} }, kind: 'invalid' },
    ],
  };
}

const refusal = (status: number, title: string, detail: string) =>
  ({
    kind: 'status',
    status,
    headers: { 'content-type': 'application/problem+json' },
    body: {
      type: 'https://mailchimp.com/developer/marketing/docs/errors/',
      title,
      status,
      detail,
      instance: '995c5cb0',
    },
  }) as const;

/** Mailchimp's refusals. It never says when to come back. */
export function refusalsOf(): Refusals {
  return {
    rateLimited: (until) =>
      until
        ? undefined
        : refusal(429, 'Too Many Requests', 'You have exceeded the limit of 10 simultaneous connections.'),
    revoked: () => refusal(401, 'API Key Invalid', 'Your API key may be invalid, or the access was taken away.'),
    forbidden: { fault: () => refusal(403, 'Forbidden', 'You are not permitted to access this resource.') },
    invalid: (reason) => refusal(400, 'Invalid Resource', reason),
    unavailable: () => ({ kind: 'status', status: 503, body: '<html><h1>503 Service Unavailable</h1></html>' }),
  };
}
