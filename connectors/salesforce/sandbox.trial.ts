import { listAt, type StreamTrial, type Trial, textAt } from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import type { Fields, SalesforceState } from './sandbox.state.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

interface Organisation {
  state: SalesforceState;
  server: SandboxServer;
  oauth: SandboxOAuth;
}

/** Salesforce's side of the cases every connector is tried with. It posts nothing: changes are found by asking. */
export function trialOf({ state, server, oauth }: Organisation): Trial {
  // Nobody deletes users.
  const { remove: _nobody, ...users } = objectTrial(state, 'User', 'Name', (n) => ({
    Name: `User ${n}`,
    IsActive: true,
  }));
  const invoice = {
    Status__c: 'Open',
    Amount__c: 10,
    Balance__c: 10,
    Due_Date__c: '2026-04-01',
    Invoice_Date__c: '2026-03-01',
  };
  return {
    streams: {
      users,
      deal_stages: stageTrial(state, 'OpportunityStage'),
      ticket_stages: stageTrial(state, 'CaseStatus'),
      accounts: objectTrial(state, 'Account', 'Name', (n) => ({ Name: `Account ${n}` })),
      contacts: objectTrial(state, 'Contact', 'LastName', (n) => ({ LastName: `Number ${n}` })),
      leads: objectTrial(state, 'Lead', 'LastName', (n) => ({
        LastName: `Lead ${n}`,
        Company: 'None',
        IsConverted: false,
      })),
      opportunities: objectTrial(state, 'Opportunity', 'Name', (n) => ({ Name: `Sale ${n}` })),
      cases: objectTrial(state, 'Case', 'Subject', (n) => ({ Subject: `Case ${n}` })),
      tasks: objectTrial(state, 'Task', 'Subject', (n) => ({ Subject: `Task ${n}`, Status: 'Completed' })),
      events: objectTrial(state, 'Event', 'Subject', (n) => ({
        Subject: `Event ${n}`,
        StartDateTime: DAY,
        EndDateTime: DAY,
      })),
      emails: objectTrial(state, 'EmailMessage', 'Subject', (n) => ({
        Subject: `Mail ${n}`,
        Incoming: true,
        MessageDate: DAY,
      })),
      jobs: objectTrial(state, 'WorkOrder', 'Subject', (n) => ({ Subject: `Job ${n}`, Status: 'New' })),
      subscriptions: objectTrial(state, 'Contract', 'Name', (n) => ({ Name: `Contract ${n}`, Status: 'Activated' })),
      invoices: objectTrial(state, 'Invoice__c', 'Name', (n) => ({ ...invoice, Name: `I-${n}` })),
    },
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
    actions: actionsOf(state),
    refusals: refusalsOf(),
    grants: grantsOf(oauth),
  };
}

const DAY = '2026-02-27T15:00:00.000+0000';
const MERGED = ['Account', 'Contact', 'Lead', 'Case'];
const LISTED = /^GET \/services\/data\/[^/]+\/(query|queryAll|query\/[^/]+)$/;

/** Of an answer to any query, the records of one object. */
const recordsOf =
  (object: string) =>
  (body: unknown): unknown[] =>
    listAt(body, 'records').filter((record) => textAt(record, 'attributes.type') === object);

function objectTrial(state: SalesforceState, object: string, field: string, make: (n: number) => Fields): StreamTrial {
  let made = 0;
  return {
    create: (count, at) => Array.from({ length: count }, () => state.create(object, make(++made), at?.getTime()).Id),
    change: (id, mark, at) => void state.change(object, id, { [field]: mark }, at?.getTime()),
    remove: (id) => void state.remove(object, id),
    ...(MERGED.includes(object) ? { merge: (from: string, into: string) => state.merge(object, from, into) } : {}),
    addField: (name) => {
      // What people add gets this ending there.
      state.addField(object, `${name}__c`);
      return `${name}__c`;
    },
    ids: () => state.all(object).map(({ Id }) => Id),
    listed: LISTED,
    field,
    records: recordsOf(object),
  };
}

const stageTrial = (state: SalesforceState, object: 'OpportunityStage' | 'CaseStatus'): StreamTrial => {
  const idOf = (word: string): string => state.all(object).find(({ ApiName }) => ApiName === word)!.Id;
  const words = (): string[] => state.all(object).map(({ ApiName }) => String(ApiName));
  return {
    create: (count) =>
      Array.from({ length: count }, () => {
        const word = `Word ${words().length + 1}`;
        const more = { SortOrder: words().length + 1, IsClosed: false, IsWon: false, IsActive: true };
        state.create(object, { MasterLabel: word, ApiName: word, ...more });
        return word;
      }),
    change: (word, mark) => void state.change(object, idOf(word), { MasterLabel: mark }),
    remove: (word) => state.purge(object, idOf(word)),
    ids: words,
    listed: LISTED,
    field: 'MasterLabel',
    records: recordsOf(object),
  };
};
