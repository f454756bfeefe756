import type { Deed } from '../../src/kit/index.ts';
import { samplePeople, sampleStaff } from '../../src/kit/sandbox/index.ts';
import type { Entry, Kind, ZendeskState } from './sandbox.state.ts';

interface Account {
  state: ZendeskState;
  tell(what: string, kind: Kind, id: number, event?: object): Promise<void>;
}

/** A small account: an agent, organizations with people, tickets, a rating. */
export function fill(state: ZendeskState): void {
  const agent = state.add('users', { name: 'Owen Fischer', email: sampleStaff[1].email, role: 'agent' });
  const organizations = new Map<string, number>();
  samplePeople().forEach(({ first, last, email, phone, company }, at) => {
    const known = organizations.get(company) ?? state.add('organizations', { name: company }).id;
    organizations.set(company, known);
    const user = state.add('users', { name: `${first} ${last}`, email, phone, organization_id: known });
    if (at % 3 > 0) return;
    const ticket = state.add('tickets', {
      ...{ subject: `A question of ${first}`, description: 'When do you come?', requester_id: user.id },
      ...{ organization_id: known, assignee_id: agent.id, status: at % 2 ? 'open' : 'solved' },
    });
    state.audit(ticket.id, user.id, { comment: { body: 'When do you come?', public: true } });
    if (at === 0) state.addRating({ ticket_id: ticket.id, requester_id: user.id, score: 'good' });
  });
}

/** @throws Error when there is none of that number */
function named(state: ZendeskState, kind: Kind, id: string | undefined): Entry {
  const found = state.tables[kind].get(Number(id));
  if (!found || state.isGone(kind, found)) throw new Error(`There is no ${id} among the ${kind}.`);
  return found;
}

const first = (state: ZendeskState, kind: Kind): string =>
  String(state.live(kind).find(({ role }) => role === undefined || role === 'end-user')?.id ?? '');

/** What people who work there, and their customers, do. */
export const deedsOf = ({ state, tell }: Account): Deed[] => [
  {
    name: 'solve-ticket',
    title: 'Solve a ticket',
    fields: () => ({ ticket: first(state, 'tickets') }),
    act: async ({ ticket }) => {
      const { id, status } = named(state, 'tickets', ticket);
      state.change('tickets', id, { status: 'solved' });
      state.audit(id, state.admin, {});
      await tell('ticket.status_changed', 'tickets', id, { current: 'SOLVED', previous: String(status).toUpperCase() });
      return `Ticket ${id} is solved.`;
    },
  },
  {
    name: 'answer-ticket',
    title: 'The customer writes on a ticket',
    fields: () => ({ ticket: first(state, 'tickets'), text: 'Thank you, that suits me.' }),
    act: async ({ ticket, text = '' }) => {
      const { id, requester_id: by } = named(state, 'tickets', ticket);
      const { comment } = state.audit(id, Number(by), { comment: { body: text, public: true } });
      state.change('tickets', id, {});
      const told = {
        id: String(comment!.id),
        body: text,
        is_public: true,
        author: { id: String(by), is_staff: false },
      };
      await tell('ticket.comment_added', 'tickets', id, { comment: told });
      return `The customer wrote on ticket ${id}.`;
    },
  },
  {
    name: 'rate-ticket',
    title: 'The customer rates a ticket',
    fields: () => ({ ticket: first(state, 'tickets'), score: 'good', comment: 'Friendly and quick.' }),
    act: async ({ ticket, score = 'good', comment = '' }) => {
      const { id, requester_id: by } = named(state, 'tickets', ticket);
      state.addRating({ ticket_id: id, requester_id: by, score, comment });
      state.change('tickets', id, {});
      await tell('ticket.custom_field_changed', 'tickets', id);
      return `Ticket ${id} was rated ${score}.`;
    },
  },
  {
    name: 'merge-users',
    title: 'Merge two users',
    fields: () => {
      const [into, from] = state.live('users').filter(({ role }) => role === 'end-user');
      return { into: String(into?.id ?? ''), from: String(from?.id ?? '') };
    },
    act: async (fields) => {
      const [into, from] = [named(state, 'users', fields.into), named(state, 'users', fields.from)];
      if (into === from) throw new Error('A user cannot be merged with itself.');
      state.remove('users', from.id);
      await tell('user.merged', 'users', from.id, { user: { id: String(into.id) } });
      return `User ${from.id} is part of ${into.id} now.`;
    },
  },
];
