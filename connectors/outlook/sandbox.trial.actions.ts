import { type Clock, listAt, type Refusals, type Trial } from '../../src/kit/index.ts';
import { addContact } from './sandbox.people.ts';
import type { Mailbox } from './sandbox.state.ts';

const FROM = '2026-09-01T15:00:00Z';
const TO = '2026-09-01T16:00:00Z';

/** Outlook's side of each action. */
export function actionsOf(mailbox: Mailbox): Trial['actions'] {
  const person = (n: number): string => addContact(mailbox, { displayName: `Acted Upon ${n}` }).id;
  const tagged: { id: string; tag: string }[] = [];
  const untagged: { id: string; tag: string }[] = [];
  const titled: { id: string; title: string }[] = [];
  const categories = (id: string): string[] => listAt<string>(mailbox.find('contact', id), 'categories');
  const gone = 'AAMkAGIgone=';
  return {
    send_email: {
      input: (n) => ({ to: `acted${n}@example.com`, subject: `Visit ${n}`, text: 'We come tomorrow.' }),
      done: () => mailbox.sent,
      request: /^POST \/v1\.0\/me\/messages\/[^/]+\/send$/,
      link: true,
      refused: [
        {
          input: { to: 'nobody@nowhere.invalid', subject: 'Visit', text: 'We come tomorrow.' },
          kind: 'recipient_invalid',
        },
      ],
    },
    create_calendar_event: {
      input: (n) => ({
        ...{ title: `Visit ${n}`, startsAt: FROM, endsAt: TO, attendees: [`acted${n}@example.com`], about: {} },
      }),
      done: () => mailbox.all('event').flatMap(({ id, transactionId }) => (transactionId ? [id] : [])),
      request: /^POST \/v1\.0\/me\/events$/,
      link: true,
      refused: [{ input: { title: 'Backwards', startsAt: TO, endsAt: FROM, about: {} }, kind: 'invalid' }],
    },
    create_task: {
      input: (n) => ({ title: `Call ${n}`, dueAt: FROM, about: {} }),
      done: () => mailbox.all('todoTask').flatMap(({ id, linkedResources }) => (linkedResources ? [id] : [])),
      request: /^POST \/v1\.0\/me\/todo\/lists\/[^/]+\/tasks$/,
      refused: [{ input: { title: 'Nowhere', dueAt: FROM, list: 'gone', about: {} }, kind: 'not_found' }],
    },
    update_field: {
      input: (n) => {
        const wanted = { id: person(n), title: `Title ${n}` };
        titled.push(wanted);
        return { object: 'contact', id: wanted.id, fields: { jobTitle: wanted.title } };
      },
      done: () => titled.filter(({ id, title }) => mailbox.find('contact', id)?.jobTitle === title).map(({ id }) => id),
      request: /^PATCH \/v1\.0\/me\/contacts\/[^/]+$/,
      refused: [
        { input: { object: 'contact', id: gone, fields: { jobTitle: 'x' } }, kind: 'not_found' },
        { input: { object: 'contact', id: gone, fields: { shoeSize: '9' } }, kind: 'invalid' },
      ],
    },
    add_tag: {
      input: (n) => {
        const wanted = { id: person(n), tag: `VIP ${n}` };
        tagged.push(wanted);
        return { tag: wanted.tag, about: { contact: wanted.id } };
      },
      done: () => tagged.filter(({ id, tag }) => categories(id).includes(tag)).map(({ id, tag }) => `${id}:${tag}`),
      request: /^PATCH \/v1\.0\/me\/contacts\/[^/]+$/,
      refused: [{ input: { tag: 'VIP', about: { contact: gone } }, kind: 'not_found' }],
    },
    remove_tag: {
      input: (n) => {
        const wanted = { id: person(n), tag: `Old ${n}` };
        mailbox.update('contact', wanted.id, { categories: [wanted.tag, 'Kept'] });
        untagged.push(wanted);
        return { tag: wanted.tag, about: { contact: wanted.id } };
      },
      done: () => untagged.filter(({ id, tag }) => !categories(id).includes(tag)).map(({ id, tag }) => `${id}:${tag}`),
      request: /^PATCH \/v1\.0\/me\/contacts\/[^/]+$/,
    },
  };
}

const refusal = (status: number, code: string, message: string) =>
  ({
    kind: 'status',
    status,
    body: {
      error: {
        ...{ code, message },
        innerError: { date: '2026-03-02T15:00:00Z', 'request-id': '00000000-0000-0000-0000-000000000000' },
      },
    },
  }) as const;

/** Graph's refusals. */
export function refusalsOf(clock: Clock): Refusals {
  return {
    rateLimited: (until) => ({
      ...refusal(429, 'ApplicationThrottled', 'Application is over its MailboxConcurrency limit.'),
      headers: until
        ? { 'retry-after': String(Math.ceil((until.getTime() - clock.now().getTime()) / 1000)) }
        : ({} as Record<string, string>),
    }),
    expired: () => refusal(401, 'InvalidAuthenticationToken', 'Access token has expired or is not yet valid.'),
    forbidden: { fault: () => refusal(403, 'ErrorAccessDenied', 'Access is denied: the permission is missing.') },
    invalid: (reason) => refusal(400, 'ErrorInvalidRequest', reason),
    unavailable: () => refusal(503, 'serviceUnavailable', 'The service is temporarily unavailable.'),
  };
}
