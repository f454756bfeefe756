import type { Deed } from '../../src/kit/index.ts';
import { samplePeople, sampleStaff } from '../../src/kit/sandbox/index.ts';
import type { SalesforceState } from './sandbox.state.ts';

/** A small organisation: staff, accounts with contacts, opportunities, a case and a lead. */
export function fill(state: SalesforceState): void {
  const owners = sampleStaff.map(
    ({ first, last, email }) => state.create('User', { Name: `${first} ${last}`, Email: email, IsActive: true }).Id,
  );
  const accounts = new Map<string, string>();
  samplePeople().forEach(({ first, last, email, phone, company }, at) => {
    const OwnerId = owners[at % owners.length];
    const AccountId = accounts.get(company) ?? state.create('Account', { Name: company, Type: 'Customer', OwnerId }).Id;
    accounts.set(company, AccountId);
    const person = { FirstName: first, LastName: last, Email: email, MobilePhone: phone };
    const { Id } = state.create('Contact', { ...person, AccountId, OwnerId });
    if (at % 4 > 0) return;
    const sale = { Name: `Order of ${company}`, AccountId, Amount: 100 + at, CloseDate: '2026-12-31', OwnerId };
    const deal = state.create('Opportunity', sale);
    state.create('OpportunityContactRole', { OpportunityId: deal.Id, ContactId: Id, IsPrimary: true });
  });
  state.create('Case', { Subject: 'A question', Origin: 'Phone', AccountId: [...accounts.values()][0] });
  state.create('Lead', {
    LastName: 'Keller',
    Company: 'Keller Works',
    Email: 'keller@example.com',
    IsConverted: false,
  });
}

const first = (state: SalesforceState, object: string): string => state.all(object)[0]?.Id ?? '';

/** What somebody who works in the organisation does. */
export const deedsOf = (state: SalesforceState): Deed[] => {
  const changed = (object: string, id: string | undefined, fields: Record<string, unknown>): string => {
    if (!state.change(object, id ?? '', fields)) throw new Error(`There is no ${object} ${id}.`);
    return `${object} ${id} was changed; the hub sees it when it reads next.`;
  };
  return [
    {
      name: 'add-contact',
      title: 'Add a contact',
      fields: () => ({ FirstName: 'Nora', LastName: 'Noble', Email: 'nora@noble.example' }),
      act: async (fields) => `Contact ${state.create('Contact', fields).Id} was added.`,
    },
    {
      name: 'change-record',
      title: 'Change a record',
      fields: () => ({ object: 'Contact', id: first(state, 'Contact'), field: 'Phone', value: '+16145550199' }),
      act: async ({ object = '', id, field = '', value }) => changed(object, id, { [field]: value }),
    },
    {
      name: 'complete-task',
      title: 'Complete a task',
      fields: () => ({ id: first(state, 'Task') }),
      act: async ({ id }) => changed('Task', id, { Status: 'Completed' }),
    },
    {
      name: 'close-case',
      title: 'Close a case',
      fields: () => ({ id: first(state, 'Case') }),
      act: async ({ id }) => changed('Case', id, { Status: 'Closed' }),
    },
    {
      name: 'win-opportunity',
      title: 'Win an opportunity',
      fields: () => ({ id: first(state, 'Opportunity') }),
      act: async ({ id }) => changed('Opportunity', id, { StageName: 'Closed Won' }),
    },
    {
      name: 'delete-contact',
      title: 'Delete a contact',
      fields: () => ({ id: first(state, 'Contact') }),
      act: async ({ id = '' }) => {
        if (!state.remove('Contact', id)) throw new Error(`There is no contact ${id}.`);
        return `Contact ${id} is in the recycle bin.`;
      },
    },
    {
      name: 'merge-contacts',
      title: 'Merge two contacts',
      fields: () => {
        const [survivor, loser] = state.all('Contact');
        return { survivor: survivor?.Id ?? '', loser: loser?.Id ?? '' };
      },
      act: async ({ survivor = '', loser = '' }) => {
        const known = state.all('Contact').map(({ Id }) => Id);
        if (survivor === loser || !known.includes(survivor) || !known.includes(loser))
          throw new Error('Name two contacts that are there.');
        state.merge('Contact', loser, survivor);
        return `Contact ${loser} is part of ${survivor} now.`;
      },
    },
  ];
};
