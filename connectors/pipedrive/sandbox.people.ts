import type { Deed } from '../../src/kit/index.ts';
import { samplePeople, sampleStaff } from '../../src/kit/sandbox/index.ts';
import type { Fields, PipedriveCompany, Type } from './sandbox.state.ts';

interface Account {
  company: PipedriveCompany;
  change(type: Type, id: number, fields: Fields): Promise<void>;
  tell(action: 'create' | 'change' | 'delete', type: Type, id: number, into?: number): Promise<void>;
}

/** A small company: users, organizations with persons, deals, a field of its own. */
export function fill(company: PipedriveCompany): void {
  for (const { first, last, email } of sampleStaff) company.addUser(`${first} ${last}`, email);
  company.addField('dealFields', 'Installed on', 'date');
  const known = new Map<string, number>();
  samplePeople().forEach(({ first, last, email, phone, company: name }, at) => {
    const owner_id = company.users[at % company.users.length]!.id;
    const org_id = known.get(name) ?? company.create('organizations', { name, owner_id }).id;
    known.set(name, org_id);
    const emails = [{ value: email, primary: true, label: 'work' }];
    const phones = [{ value: phone, primary: true, label: 'mobile' }];
    const named = { name: `${first} ${last}`, first_name: first, last_name: last };
    const person = company.create('persons', { ...named, emails, phones, org_id, owner_id });
    if (at % 4 > 0) return;
    const sale = { title: `Order of ${name}`, value: 100 + at, currency: 'USD', status: 'open', pipeline_id: 1 };
    company.create('deals', { ...sale, stage_id: company.stages[0]!.id, person_id: person.id, org_id, owner_id });
  });
}

const first = (company: PipedriveCompany, type: Type): string => String(company.table(type).live()[0]?.id ?? '');

/** The record a form names. @throws Error when it is not there */
function named(company: PipedriveCompany, type: Type, id: string | undefined): number {
  const found = company.table(type).find(Number(id));
  if (!found) throw new Error(`There is no ${id} among the ${type}.`);
  return found.id;
}

/** What somebody who works in the company does. */
export const deedsOf = ({ company, change, tell }: Account): Deed[] => [
  {
    name: 'add-person',
    title: 'Add a person',
    fields: () => ({ name: 'Nora Noble', email: 'nora@noble.example' }),
    act: async ({ name, email }) => {
      const { id } = company.create('persons', { name, emails: [{ value: email, primary: true, label: 'work' }] });
      await tell('create', 'persons', id);
      return `Person ${id} was added.`;
    },
  },
  {
    name: 'win-deal',
    title: 'Win a deal',
    fields: () => ({ id: first(company, 'deals') }),
    act: async ({ id }) => {
      await change('deals', named(company, 'deals', id), { status: 'won' });
      return `Deal ${id} is won.`;
    },
  },
  {
    name: 'finish-activity',
    title: 'Mark an activity as done',
    fields: () => ({ id: first(company, 'activities') }),
    act: async ({ id }) => {
      await change('activities', named(company, 'activities', id), { done: true });
      return `Activity ${id} is done.`;
    },
  },
  {
    name: 'delete-person',
    title: 'Delete a person',
    fields: () => ({ id: first(company, 'persons') }),
    act: async ({ id }) => {
      company.remove('persons', named(company, 'persons', id));
      await tell('delete', 'persons', Number(id));
      return `Person ${id} was deleted.`;
    },
  },
  {
    name: 'merge-persons',
    title: 'Merge two persons',
    fields: () => {
      const [survivor, loser] = company.table('persons').live();
      return { survivor: String(survivor?.id ?? ''), loser: String(loser?.id ?? '') };
    },
    act: async ({ survivor, loser }) => {
      const [kept, gone] = [named(company, 'persons', survivor), named(company, 'persons', loser)];
      if (kept === gone) throw new Error('A person cannot be merged with itself.');
      company.merge('persons', kept, gone);
      await tell('delete', 'persons', gone, kept);
      return `Person ${gone} is part of ${kept} now.`;
    },
  },
];
