import type { Deed } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';
import type { GoogleCalendarState } from './sandbox.state.ts';
import type { TaskList } from './sandbox.tasks.ts';

interface People {
  state: GoogleCalendarState;
  tasks: TaskList;
  announce(): Promise<unknown>;
  answer(event: string, email: string, responseStatus: string): Promise<void>;
}

/** A few appointments with sample people, one a whole day long. */
export function fill({ state, tasks }: People): void {
  for (const [n, { first, email }] of samplePeople(6).entries()) {
    const day = `2026-09-${String(10 + n).padStart(2, '0')}`;
    state.primary.insert({
      summary: `Visit ${first}`,
      start: n === 0 ? { date: day } : { dateTime: `${day}T14:00:00-04:00`, timeZone: 'America/New_York' },
      end: n === 0 ? { date: '2026-09-11' } : { dateTime: `${day}T15:00:00-04:00`, timeZone: 'America/New_York' },
      attendees: [{ email }],
    });
  }
  tasks.insert({ title: 'Order seeds', due: '2026-09-12T00:00:00.000Z' });
}

/** What people can do there. */
export function deedsOf(people: People): Deed[] {
  const { state, tasks } = people;
  const invited = () => state.primary.living().find(({ attendees }) => (attendees ?? []).length > 0);
  const offer = () => ({ event: invited()?.id ?? '', guest: invited()?.attendees?.[0]?.email ?? '' });
  const answering = (name: string, title: string, status: string): Deed => ({
    ...{ name, title, fields: offer },
    act: async ({ event = '', guest = '' }) => {
      await people.answer(event, guest, status);
      return `${guest} ${status} ${event}.`;
    },
  });
  return [
    answering('accept', 'A guest accepts', 'accepted'),
    answering('decline', 'A guest declines', 'declined'),
    {
      name: 'move',
      title: 'Move an event',
      fields: () => ({ ...offer(), start: '2026-09-20T14:00:00Z', end: '2026-09-20T15:00:00Z' }),
      act: async ({ event = '', start = '', end = '' }) => {
        state.primary.change(event, { start: { dateTime: start, date: null }, end: { dateTime: end, date: null } });
        await people.announce();
        return `${event} is at ${start} now.`;
      },
    },
    {
      name: 'cancel',
      title: 'Remove an event',
      fields: () => ({ event: offer().event }),
      act: async ({ event = '' }) => {
        state.primary.remove(event);
        await people.announce();
        return `${event} is gone.`;
      },
    },
    {
      name: 'tick',
      title: 'Tick off a task',
      fields: () => ({ task: tasks.tasks.find(({ status }) => status === 'needsAction')?.id ?? '' }),
      act: async ({ task = '' }) => {
        tasks.change(task, { status: 'completed' });
        return `${task} is done.`;
      },
    },
    {
      name: 'forget-tokens',
      title: 'Forget all sync tokens',
      act: async () => {
        state.forgetTokens();
        return 'The next reading is told to read everything.';
      },
    },
  ];
}
