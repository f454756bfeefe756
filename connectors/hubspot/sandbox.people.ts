import type { Deed } from '../../src/kit/index.ts';
import { samplePeople, sampleStaff } from '../../src/kit/sandbox/index.ts';
import type { HubSpotState, Properties } from './sandbox.state.ts';

interface Account {
  state: HubSpotState;
  change(type: string, id: string, properties: Properties): Promise<void>;
  tell(what: string, type: string, id: string, more?: object): Promise<void>;
}

/** A small account: staff, companies with contacts, deals and a ticket. */
export function fill(state: HubSpotState): void {
  const owners = sampleStaff.map(({ first, last, email }) => state.addOwner(first, last, email).id);
  const companies = new Map<string, string>();
  samplePeople().forEach(({ first, last, email, phone, company }, at) => {
    const owner = owners[at % owners.length]!;
    const contact = state.create('contacts', {
      firstname: first,
      lastname: last,
      email,
      mobilephone: phone,
      lifecyclestage: 'customer',
      hubspot_owner_id: owner,
    });
    const known = companies.get(company) ?? state.create('companies', { name: company }).id;
    companies.set(company, known);
    state.attach('contacts', contact.id, known);
    if (at % 4 > 0) return;
    const sale = { dealname: `Order of ${company}`, amount: `${100 + at}.00`, pipeline: 'default' };
    const deal = state.create('deals', { ...sale, dealstage: 'contractsent', hubspot_owner_id: owner });
    state.attach('deals', deal.id, contact.id);
  });
  state.create('tickets', { subject: 'A question', hs_pipeline: '0', hs_pipeline_stage: '1' });
}

const first = (state: HubSpotState, type: string): string =>
  state.all(type).find((record) => !record.archived)?.id ?? '';

/** The record a form names. @throws Error when it is not there */
function named(state: HubSpotState, type: string, id: string | undefined): string {
  const found = state.find(type, id ?? '');
  if (!found || found.archived) throw new Error(`There is no ${id} among the ${type}.`);
  return found.id;
}

/** What somebody who works in the account does. */
export const deedsOf = (sandbox: Account): Deed[] => {
  const { state } = sandbox;
  return [
    {
      name: 'add-contact',
      title: 'Add a contact',
      fields: () => ({ firstname: 'Nora', lastname: 'Noble', email: 'nora@noble.example' }),
      act: async (properties) => {
        const { id } = state.create('contacts', properties);
        await sandbox.tell('creation', 'contacts', id);
        return `Contact ${id} was added.`;
      },
    },
    {
      name: 'change-record',
      title: 'Change a record',
      fields: () => ({ type: 'contacts', id: first(state, 'contacts'), property: 'phone', value: '+16145550199' }),
      act: async ({ type = '', id, property = '', value = '' }) => {
        await sandbox.change(type, named(state, type, id), { [property]: value });
        return `${property} of ${id} among the ${type} is now ${value}.`;
      },
    },
    {
      name: 'win-deal',
      title: 'Win a deal',
      fields: () => ({ id: first(state, 'deals') }),
      act: async ({ id }) => {
        const won = { dealstage: 'closedwon', hs_is_closed: 'true', hs_is_closed_won: 'true' };
        await sandbox.change('deals', named(state, 'deals', id), won);
        return `Deal ${id} is won.`;
      },
    },
    {
      name: 'delete-contact',
      title: 'Delete a contact',
      fields: () => ({ id: first(state, 'contacts') }),
      act: async ({ id }) => {
        state.archive('contacts', named(state, 'contacts', id));
        await sandbox.tell('deletion', 'contacts', id!);
        return `Contact ${id} was deleted.`;
      },
    },
    {
      name: 'merge-contacts',
      title: 'Merge two contacts',
      fields: () => {
        const [survivor, loser] = state.all('contacts').filter((record) => !record.archived);
        return { survivor: survivor?.id ?? '', loser: loser?.id ?? '' };
      },
      act: async ({ survivor, loser }) => {
        const [kept, gone] = [named(state, 'contacts', survivor), named(state, 'contacts', loser)];
        if (kept === gone) throw new Error('A contact cannot be merged with itself.');
        state.merge('contacts', kept, gone);
        await sandbox.tell('merge', 'contacts', kept, {
          primaryObjectId: Number(kept),
          mergedObjectIds: [Number(gone)],
        });
        return `Contact ${gone} is part of ${kept} now.`;
      },
    },
  ];
};
