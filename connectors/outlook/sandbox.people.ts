import type { Deed } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';
import { addMail } from './sandbox.mail.ts';
import { addEvent } from './sandbox.routes.ts';
import { type Item, type Kind, type Mailbox, typeOf } from './sandbox.state.ts';
import type { Subscriptions } from './sandbox.subscriptions.ts';

/** A contact as people enter one. */
export const addContact = (mailbox: Mailbox, given: Record<string, unknown>, at?: string): Item =>
  mailbox.create('contact', { '@odata.type': typeOf('contact'), categories: [], emailAddresses: [], ...given }, at);

/** An hour of the calendar, so many days from now. */
export function slotIn(mailbox: Mailbox, days: number): { start: object; end: object } {
  const start = mailbox.clock.now().getTime() + days * 86_400_000;
  const at = (ms: number): object => ({
    dateTime: `${new Date(ms).toISOString().slice(0, 19)}.0000000`,
    timeZone: 'UTC',
  });
  return { start: at(start), end: at(start + 3_600_000) };
}

/** A mailbox with some contacts, appointments and mails. */
export function fill(mailbox: Mailbox): void {
  samplePeople().forEach(({ first, last, email, phone, company }, n) => {
    const emailAddresses = [{ name: `${first} ${last}`, address: email }];
    addContact(mailbox, {
      ...{ givenName: first, surname: last, displayName: `${first} ${last}`, emailAddresses },
      ...{ mobilePhone: phone, companyName: company },
    });
    if (n % 3 > 0) return;
    const attendees = [{ emailAddress: { address: email }, type: 'required' }];
    addEvent(mailbox, { subject: `Visit at ${company}`, attendees, ...slotIn(mailbox, n + 1) });
  });
}

const newest = (mailbox: Mailbox, kind: Kind): string => mailbox.all(kind).at(-1)?.id ?? '';

/** What the mailbox's owner and the people outside do. */
export const deedsOf = (mailbox: Mailbox, subscriptions: Subscriptions): Deed[] => [
  {
    name: 'add-contact',
    title: 'Add a contact',
    fields: () => ({ name: 'Nora Noble', email: 'nora@noble.example' }),
    act: async ({ name = '', email = '' }) => {
      const item = addContact(mailbox, { displayName: name, emailAddresses: [{ name, address: email }] });
      await subscriptions.tell('contact', item, 'created');
      return `Contact ${item.id} was added.`;
    },
  },
  {
    name: 'receive-mail',
    title: 'Somebody writes',
    fields: () => ({ from: 'nora@noble.example', subject: 'Re: Your visit', text: 'That suits me.' }),
    act: async ({ from = '', subject = '', text = '' }) => {
      const uniqueBody = { contentType: 'text', content: text };
      const item = addMail(mailbox, {
        from: { emailAddress: { address: from } },
        subject,
        bodyPreview: text,
        uniqueBody,
      });
      await subscriptions.tell('message', item, 'created');
      return `Mail ${item.id} arrived.`;
    },
  },
  {
    name: 'answer-invitation',
    title: 'A guest answers an invitation',
    fields: () => ({ event: newest(mailbox, 'event'), response: 'declined' }),
    act: async ({ event = '', response = '' }) => {
      const guests = (mailbox.find('event', event)?.attendees ?? []) as object[];
      const attendees = guests.map((guest) => ({ ...guest, status: { response, time: mailbox.now() } }));
      const item = mailbox.update('event', event, { attendees });
      if (!item) throw new Error(`There is no appointment ${event}.`);
      await subscriptions.tell('event', item, 'updated');
      return `The guests of ${event} said ${response}.`;
    },
  },
  {
    name: 'complete-task',
    title: 'Tick a task off',
    fields: () => ({ task: newest(mailbox, 'todoTask') }),
    act: async ({ task = '' }) => {
      const item = mailbox.update('todoTask', task, { status: 'completed' });
      if (!item) throw new Error(`There is no task ${task}.`);
      await subscriptions.tell('todoTask', item, 'updated');
      return `Task ${task} is done.`;
    },
  },
];
