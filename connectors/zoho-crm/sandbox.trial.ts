import { listAt, type SignedPost, type StreamTrial, type Trial, type TrialEvent, textAt } from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import type { ZohoOrg } from './sandbox.state.ts';
import type { Fields } from './sandbox.table.ts';
import { actionsOf, refusals } from './sandbox.trial.actions.ts';
import { noChannel, postOf } from './sandbox.watch.ts';

interface Account {
  org: ZohoOrg;
  server: SandboxServer;
  oauth: SandboxOAuth;
  hookUrl?: string | undefined;
}

const MODULES: Record<string, { module: string; field: string; make: (n: number) => Fields }> = {
  accounts: { module: 'Accounts', field: 'Account_Name', make: (n) => ({ Account_Name: `Company ${n}` }) },
  contacts: { module: 'Contacts', field: 'Last_Name', make: (n) => ({ Last_Name: `Number ${n}` }) },
  leads: { module: 'Leads', field: 'Last_Name', make: (n) => ({ Last_Name: `Lead ${n}` }) },
  deals: { module: 'Deals', field: 'Deal_Name', make: (n) => ({ Deal_Name: `Deal ${n}`, Stage: 'Negotiation' }) },
  cases: { module: 'Cases', field: 'Subject', make: (n) => ({ Subject: `Case ${n}`, Status: 'New' }) },
  invoices: {
    module: 'Invoices',
    field: 'Invoice_Number',
    make: (n) => ({ Invoice_Number: `I-${n}`, Status: 'Created', Grand_Total: 10, Due_Date: '2026-03-20' }),
  },
  jobs: { module: 'Sales_Orders', field: 'Subject', make: (n) => ({ Subject: `Order ${n}`, Status: 'Created' }) },
  tasks: { module: 'Tasks', field: 'Subject', make: (n) => ({ Subject: `Task ${n}`, Status: 'Not Started' }) },
  events: {
    module: 'Events',
    field: 'Event_Title',
    make: (n) => ({ Event_Title: `Visit ${n}`, Start_DateTime: '2026-03-05T10:00:00-05:00' }),
  },
};

/** Zoho's side of the cases every connector is tried with. */
export function trialOf(account: Account): Trial {
  const { org, server, oauth } = account;
  const modules = Object.entries(MODULES).map(([name, kind]) => [name, moduleTrial(org, kind)] as const);
  return {
    streams: { ...Object.fromEntries(modules), owners: ownerTrial(org), deal_stages: stageTrial(org) },
    hook: hooksOf(account),
    forged: (post) => [forged(post, undefined), forged(post, ''), forged(post, 'x'.repeat(32)), { ...post, body: '' }],
    subscriptions: () =>
      [...org.channels.values()].map(({ channel_id: id, expiresAt }) => ({ id, endsAt: new Date(expiresAt) })),
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
    actions: actionsOf(org),
    refusals,
    grants: grantsOf(oauth),
  };
}

const forged = (post: SignedPost, token: string | undefined): SignedPost => ({
  ...post,
  body: JSON.stringify({ ...JSON.parse(post.body), token }),
});

function moduleTrial(org: ZohoOrg, { module, field, make }: (typeof MODULES)[string]): StreamTrial {
  let made = 0;
  return {
    create: (count, at) => Array.from({ length: count }, () => org.create(module, make(++made), at?.getTime()).id),
    change: (id, mark, at) => void org.update(module, id, { [field]: mark }, at?.getTime()),
    remove: (id) => org.remove(module, id),
    addField: (name) => {
      org.addField(module, name);
      return name;
    },
    ids: () =>
      org
        .table(module)
        .live()
        .map(({ id }) => id),
    announced: true,
    listed: new RegExp(`^(GET /crm/v8/${module}|POST /crm/v8/coql)$`),
    field,
    records: (body) => listAt(body, 'data').filter((record) => textAt(record, 'id') !== undefined),
  };
}

const ownerTrial = (org: ZohoOrg): StreamTrial => ({
  create: (count) =>
    Array.from({ length: count }, () => {
      const n = org.users.length;
      return org.addUser('User', `Number ${n}`, `user${n}@business.example`).id;
    }),
  change: (id, mark) => {
    org.users.find((user) => user.id === id)!.full_name = mark;
  },
  remove: (id) => {
    org.users.find((user) => user.id === id)!.status = 'deleted';
  },
  ids: () => org.users.filter(({ status }) => status === 'active').map(({ id }) => id),
  listed: /^GET \/crm\/v8\/users$/,
  field: 'full_name',
  records: (body) => listAt(body, 'users'),
});

const stageTrial = (org: ZohoOrg): StreamTrial => ({
  create: (count) => Array.from({ length: count }, () => org.addStage(`Stage ${org.stages.length}`).actual_value),
  change: (id, mark) => {
    org.stages.find((stage) => stage.actual_value === id)!.display_value = mark;
  },
  remove: (id) => {
    org.stages.find((stage) => stage.actual_value === id)!.type = 'unused';
  },
  ids: () => org.stages.filter(({ type }) => type === 'used').map(({ actual_value }) => actual_value),
  listed: /^GET \/crm\/v8\/settings\/fields$/,
  field: 'display_value',
  records: (body) =>
    listAt(
      listAt(body, 'fields').find((field) => textAt(field, 'api_name') === 'Stage'),
      'pick_list_values',
    ),
});

/** A post of the channel the connection set up; an event is known by record and moment, so each keeps its moment. */
function hooksOf(account: Account): (event: TrialEvent, at: Date) => SignedPost {
  const moments = new Map<string, number>();
  return ({ stream, id, change, event }, at) => {
    const moment = moments.get(event) ?? at.getTime() + moments.size;
    moments.set(event, moment);
    const url = account.hookUrl ?? '';
    const channel = [...account.org.channels.values()].find(({ notify_url }) => notify_url === url) ?? noChannel(url);
    const { module } = MODULES[stream]!;
    return postOf(channel, change === 'deleted' ? 'delete' : 'update', module, [id], moment);
  };
}
