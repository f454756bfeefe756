import type { Deed } from '../../src/kit/index.ts';
import { samplePeople, sampleStaff } from '../../src/kit/sandbox/index.ts';
import { GOVERNED, type ZohoOrg } from './sandbox.state.ts';
import type { Fields } from './sandbox.table.ts';
import type { Operation } from './sandbox.watch.ts';

interface Account {
  org: ZohoOrg;
  change(module: string, id: string, fields: Fields): Promise<void>;
  tell(operation: Operation, module: string, ids: readonly string[]): Promise<void>;
}

/** A small organisation: staff, accounts with contacts, deals in a Blueprint, a case. */
export function fill(org: ZohoOrg): void {
  for (const { first, last, email } of sampleStaff) org.addUser(first, last, email);
  const accounts = new Map<string, string>();
  samplePeople().forEach(({ first, last, email, phone, company }, at) => {
    const Owner = { id: org.users[at % org.users.length]!.id };
    const account = accounts.get(company) ?? org.create('Accounts', { Account_Name: company, Owner }).id;
    accounts.set(company, account);
    const named = { First_Name: first, Last_Name: last, Full_Name: `${first} ${last}` };
    const Account_Name = { id: account, name: company };
    const contact = org.create('Contacts', { ...named, Email: email, Mobile: phone, Owner, Account_Name });
    if (at % 4 > 0) return;
    const sale = { Deal_Name: `Order of ${company}`, Amount: 100 + at, Stage: 'Negotiation', Owner, Account_Name };
    org.create('Deals', { ...sale, Contact_Name: { id: contact.id }, [GOVERNED]: 'Scheduled' });
  });
  org.create('Cases', { Subject: 'A question', Status: 'New', Case_Origin: 'Web' });
}

const first = (org: ZohoOrg, module: string): string => org.table(module).live()[0]?.id ?? '';

/** The record a form names. @throws Error when it is not there */
function named(org: ZohoOrg, module: string, id: string | undefined): string {
  const found = org.table(module).find(id ?? '');
  if (!found) throw new Error(`There is no ${id} among the ${module}.`);
  return found.id;
}

/** What somebody who works in the organisation does. */
export const deedsOf = ({ org, change, tell }: Account): Deed[] => [
  {
    name: 'add-contact',
    title: 'Add a contact',
    fields: () => ({ First_Name: 'Nora', Last_Name: 'Noble', Email: 'nora@noble.example' }),
    act: async (fields) => {
      const { id } = org.create('Contacts', fields);
      await tell('insert', 'Contacts', [id]);
      return `Contact ${id} was added.`;
    },
  },
  {
    name: 'change-record',
    title: 'Change a record',
    fields: () => ({ module: 'Contacts', id: first(org, 'Contacts'), field: 'Phone', value: '+16145550199' }),
    act: async ({ module = '', id, field = '', value = '' }) => {
      await change(module, named(org, module, id), { [field]: value });
      return `${field} of ${id} among the ${module} is now ${value}.`;
    },
  },
  {
    name: 'win-deal',
    title: 'Win a deal',
    fields: () => ({ id: first(org, 'Deals') }),
    act: async ({ id }) => {
      await change('Deals', named(org, 'Deals', id), { Stage: 'Closed Won' });
      return `Deal ${id} is won.`;
    },
  },
  {
    name: 'finish-task',
    title: 'Finish a task',
    fields: () => ({ id: first(org, 'Tasks') }),
    act: async ({ id }) => {
      await change('Tasks', named(org, 'Tasks', id), { Status: 'Completed' });
      return `Task ${id} is done.`;
    },
  },
  {
    name: 'delete-contact',
    title: 'Delete a contact',
    fields: () => ({ id: first(org, 'Contacts') }),
    act: async ({ id }) => {
      org.remove('Contacts', named(org, 'Contacts', id));
      await tell('delete', 'Contacts', [id!]);
      return `Contact ${id} was deleted.`;
    },
  },
];
