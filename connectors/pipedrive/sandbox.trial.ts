import {
  basicAuth,
  listAt,
  type SignedPost,
  type StreamTrial,
  type Trial,
  type TrialEvent,
} from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import { ENTITIES, postOf } from './sandbox.posts.ts';
import type { Fields, Hook, PipedriveCompany, Type } from './sandbox.state.ts';
import { actionsOf, refusals } from './sandbox.trial.actions.ts';

interface Account {
  company: PipedriveCompany;
  companyId: number;
  server: SandboxServer;
  oauth: SandboxOAuth;
  hookUrl?: string | undefined;
}

interface Kind {
  fields: string;
  field: string;
  merges?: true;
  make: (n: number) => Fields;
}

const KINDS: Record<string, Kind> = {
  persons: { fields: 'personFields', field: 'name', merges: true, make: (n) => ({ name: `Person ${n}` }) },
  organizations: {
    ...{ fields: 'organizationFields', field: 'name', merges: true },
    make: (n) => ({ name: `Company ${n}` }),
  },
  deals: {
    ...{ fields: 'dealFields', field: 'title' },
    make: (n) => ({ title: `Deal ${n}`, value: 10, currency: 'USD', status: 'open', pipeline_id: 1 }),
  },
  activities: {
    ...{ fields: 'activityFields', field: 'subject' },
    make: (n) => ({
      subject: `Activity ${n}`,
      type: 'task',
      due_date: '2026-03-05',
      due_time: '10:00:00',
      done: false,
    }),
  },
};

/** Pipedrive's side of the cases every connector is tried with. */
export function trialOf(account: Account): Trial {
  const { company, server, oauth } = account;
  const kinds = Object.keys(KINDS).map((type) => [type, kindTrial(company, type as Type)] as const);
  return {
    streams: { ...Object.fromEntries(kinds), owners: ownerTrial(company), deal_stages: stageTrial(company) },
    hook: hooksOf(account),
    forged: (post) => forgeries(post),
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
    actions: actionsOf(company),
    refusals,
    grants: grantsOf(oauth),
  };
}

function forgeries(post: SignedPost): SignedPost[] {
  const { authorization: _, ...bare } = post.headers;
  const wrong = [basicAuth('rapport', ''), basicAuth('rapport', 'x'.repeat(32)), 'Bearer something'];
  return [
    { ...post, headers: bare },
    ...wrong.map((authorization) => ({ ...post, headers: { ...bare, authorization } })),
  ];
}

function kindTrial(company: PipedriveCompany, type: Type): StreamTrial {
  const { fields, field, merges, make } = KINDS[type]!;
  let made = 0;
  return {
    create: (count, at) =>
      Array.from({ length: count }, () => String(company.create(type, make(++made), at?.getTime()).id)),
    change: (id, mark, at) => void company.update(type, Number(id), { [field]: mark }, at?.getTime()),
    remove: (id) => company.remove(type, Number(id)),
    ...(merges ? { merge: (from: string, into: string) => company.merge(type, Number(into), Number(from)) } : {}),
    // It is known by letters of its own, whatever people call it.
    addField: (name) => company.addField(fields, name),
    ids: () =>
      company
        .table(type)
        .live()
        .map(({ id }) => String(id)),
    announced: true,
    listed: new RegExp(`^GET /api/v2/${type}$`),
    field,
    records: (body) => listAt(body, 'data'),
  };
}

const ownerTrial = (company: PipedriveCompany): StreamTrial => ({
  create: (count) =>
    Array.from({ length: count }, () => {
      const n = company.users.length;
      return String(company.addUser(`User ${n}`, `user${n}@business.example`).id);
    }),
  change: (id, mark) => {
    company.users.find((user) => String(user.id) === id)!.name = mark;
  },
  remove: (id) => {
    company.users.find((user) => String(user.id) === id)!.is_deleted = true;
  },
  ids: () => company.users.filter(({ is_deleted }) => !is_deleted).map(({ id }) => String(id)),
  listed: /^GET \/v1\/users$/,
  field: 'name',
  records: (body) => listAt(body, 'data'),
});

const stageTrial = (company: PipedriveCompany): StreamTrial => ({
  create: (count) => Array.from({ length: count }, () => String(company.addStage(`Stage ${company.stages.length}`).id)),
  change: (id, mark) => {
    company.stages.find((stage) => String(stage.id) === id)!.name = mark;
  },
  remove: (id) => {
    company.stages.find((stage) => String(stage.id) === id)!.is_deleted = true;
  },
  ids: () => company.stages.filter(({ is_deleted }) => !is_deleted).map(({ id }) => String(id)),
  listed: /^GET \/api\/v2\/stages$/,
  field: 'name',
  records: (body) => listAt(body, 'data'),
});

/** A post of the webhook the connection entered, with an id of its own for each event. */
function hooksOf(account: Account): (event: TrialEvent, at: Date) => SignedPost {
  return ({ stream, id, change, into, event }, at) => {
    const url = account.hookUrl ?? '';
    const { hooks } = account.company;
    const known = hooks.find((hook) => hook.subscription_url === url && hook.event_object === ENTITIES[stream]);
    const none: Hook = {
      ...{ id: 1, event_object: '', subscription_url: url, http_auth_user: 'nobody', http_auth_password: 'nothing' },
      is_active: 1,
    };
    const action = change === 'changed' ? 'change' : 'delete';
    const news = { action, type: stream as Type, id, into, event, at: at.getTime() } as const;
    return postOf(account.company, account.companyId, known ?? none, news);
  };
}
