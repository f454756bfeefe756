import type { Deed } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';
import type { Invitee, Organisation } from './sandbox.state.ts';

const HOUR_MS = 3_600_000;

interface Account {
  state: Organisation;
  tell(event: string, invitee: Invitee): Promise<void>;
}

const inHours = (state: Organisation, hours: number): Date => new Date(state.clock.now().getTime() + hours * HOUR_MS);

/** A few members and bookings. */
export function fill(state: Organisation): void {
  state.addMember('Maya Brandt');
  samplePeople(6).forEach(({ first, last, email, phone }, at) => {
    const person = { name: `${first} ${last}`, email, text_reminder_number: phone };
    state.book(person, inHours(state, 24 * (at + 1)));
  });
}

/** What customers and members do. */
export const deedsOf = ({ state, tell }: Account): Deed[] => {
  const newest = (): string => [...state.invitees.keys()].at(-1) ?? '';
  const named = (id: string | undefined): Invitee => {
    const found = state.invitees.get(id ?? '');
    if (!found) throw new Error(`There is no booking ${id}.`);
    return found;
  };
  return [
    {
      name: 'book',
      title: 'Somebody books',
      fields: () => ({ name: 'Nora Noble', email: 'nora@noble.example', hours: '48', link: '' }),
      act: async ({ name, email, hours, link = '' }) => {
        const from = link ? new URL(link).searchParams : new URLSearchParams();
        const tracking = { utm_source: from.get('utm_source'), utm_content: from.get('utm_content') };
        const made = state.book({ name, email, tracking }, inHours(state, Number(hours)));
        await tell('invitee.created', made);
        return `Booking ${state.keyOf(made)} was made.`;
      },
    },
    {
      name: 'cancel',
      title: 'Cancel a booking',
      fields: () => ({ booking: newest() }),
      act: async ({ booking }) => {
        state.cancel(named(booking), 'invitee');
        await tell('invitee.canceled', named(booking));
        return `Booking ${booking} was cancelled.`;
      },
    },
    {
      name: 'reschedule',
      title: 'Move a booking',
      fields: () => ({ booking: newest(), hours: '72' }),
      act: async ({ booking, hours }) => {
        const next = state.move(named(booking), inHours(state, Number(hours)));
        await tell('invitee.canceled', named(booking));
        await tell('invitee.created', next);
        return `Booking ${booking} goes on as ${state.keyOf(next)}.`;
      },
    },
    {
      name: 'no-show',
      title: 'Mark somebody who did not come',
      fields: () => ({ booking: newest() }),
      act: async ({ booking }) => {
        const no_show = { uri: `https://api.calendly.com/invitee_no_shows/${state.id()}`, created_at: state.now() };
        await tell('invitee_no_show.created', state.touch(named(booking), { no_show }));
        return `${booking} did not come.`;
      },
    },
  ];
};
