import {
  type Clock,
  listAt,
  type SignedPost,
  type StreamTrial,
  type Trial,
  type TrialEvent,
} from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import { eventOf } from './sandbox.hooks.ts';
import type { Kind, ZendeskState } from './sandbox.state.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

interface Account {
  state: ZendeskState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  sign(event: object, at?: Date): SignedPost;
}

/** The exports keep a minute back: what happens now in a case happened so long ago here. */
const WITHHELD_MS = 61_000;
/** Records that are made in one second when many are made. */
const SECOND_HOLDS = 1000;

/** Zendesk's side of the cases every connector is tried with. */
export function trialOf(account: Account, clock: Clock): Trial {
  const { state, server, oauth } = account;
  const ago = (at: Date | undefined): Date => new Date((at ?? clock.now()).getTime() - WITHHELD_MS);
  return {
    streams: {
      agents: agentTrial(state, ago),
      custom_statuses: statusTrial(state),
      organizations: exportTrial(state, ago, 'organizations', 'name', (n) => ({ name: `Organization ${n}` })),
      users: {
        ...exportTrial(state, ago, 'users', 'name', (n) => ({ name: `Number ${n}`, email: `n${n}@example.com` })),
        merge: (from, into) => {
          state.remove('users', Number(from), ago(undefined));
          state.change('users', Number(into), {}, ago(undefined));
        },
        ids: () =>
          state
            .live('users')
            .filter(isEndUser)
            .map(({ id }) => String(id)),
        others: () => state.live('users').filter((user) => !isEndUser(user)).length,
        addField: (key) => void state.addField('user', { key, title: key }),
      },
      tickets: {
        ...exportTrial(state, ago, 'tickets', 'subject', (n) => ({
          subject: `Ticket ${n}`,
          requester_id: state.admin,
        })),
        addField: (title) => String(state.addField('ticket', { title, removable: true }).id),
      },
      satisfaction_ratings: ratingTrial(state, ago),
    },
    hook: hooksOf(account),
    actions: actionsOf(state),
    refusals: refusalsOf(clock),
    grants: grantsOf(oauth),
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
  };
}

const isEndUser = ({ role }: Record<string, unknown>): boolean => role === 'end-user';

type Ago = (at: Date | undefined) => Date;

function exportTrial(
  state: ZendeskState,
  ago: Ago,
  kind: Kind,
  field: string,
  make: (n: number) => Record<string, unknown>,
): StreamTrial {
  let made = 0;
  return {
    // Spread over some seconds, unless somebody wants them at one: an export by time never tears a second apart.
    create: (count, at) =>
      Array.from({ length: count }, (_, n) => {
        const before = at ? 0 : Math.floor((count - 1) / SECOND_HOLDS) - Math.floor(n / SECOND_HOLDS);
        return String(state.add(kind, make(++made), new Date(ago(at).getTime() - before * 1000)).id);
      }),
    change: (id, mark, at) => void state.change(kind, Number(id), { [field]: mark }, ago(at)),
    remove: (id) => state.remove(kind, Number(id), ago(undefined)),
    ids: () => state.live(kind).map(({ id }) => String(id)),
    announced: true,
    listed:
      kind === 'organizations'
        ? /^GET \/api\/v2\/incremental\/organizations$/
        : new RegExp(`^GET /api/v2/incremental/${kind}/cursor$`),
    field,
    records: (body) => listAt(body, kind),
  };
}

function agentTrial(state: ZendeskState, ago: Ago): StreamTrial {
  let made = 0;
  return {
    create: (count) =>
      Array.from({ length: count }, () => {
        made += 1;
        return String(
          state.add(
            'users',
            { role: 'agent', name: `Agent ${made}`, email: `agent${made}@business.example` },
            ago(undefined),
          ).id,
        );
      }),
    change: (id, name) => void state.change('users', Number(id), { name }, ago(undefined)),
    remove: (id) => state.remove('users', Number(id), ago(undefined)),
    ids: () =>
      state
        .live('users')
        .filter((user) => !isEndUser(user))
        .map(({ id }) => String(id)),
    listed: /^GET \/api\/v2\/users$/,
    field: 'name',
    records: (body) => listAt(body, 'users'),
  };
}

const statusTrial = (state: ZendeskState): StreamTrial => ({
  create: (count) => Array.from({ length: count }, (_, n) => String(state.addStatus('open', `Waiting ${n}`).id)),
  change: (id, label) =>
    void Object.assign(state.statuses.find((one) => String(one.id) === id)!, { agent_label: label }),
  remove: (id) => {
    state.statuses.splice(
      state.statuses.findIndex((one) => String(one.id) === id),
      1,
    );
  },
  ids: () => state.statuses.map(({ id }) => String(id)),
  listed: /^GET \/api\/v2\/custom_statuses$/,
  field: 'agent_label',
  records: (body) => listAt(body, 'custom_statuses'),
});

const ratingTrial = (state: ZendeskState, ago: Ago): StreamTrial => ({
  create: (count, at) =>
    Array.from({ length: count }, () => {
      const rating = { ticket_id: 1, requester_id: state.admin, score: 'good' };
      return String(state.addRating(rating, ago(at)).id);
    }),
  change: (id, comment, at) => {
    const rating = state.ratings.find((one) => String(one.id) === id)!;
    Object.assign(rating, { comment, updated_at: state.now(ago(at)) });
  },
  ids: () => state.ratings.map(({ id }) => String(id)),
  listed: /^GET \/api\/v2\/satisfaction_ratings$/,
  field: 'comment',
  records: (body) => listAt(body, 'satisfaction_ratings'),
});

const EVENTS: Record<string, Record<TrialEvent['change'], string>> = {
  agents: { changed: 'user.tags_changed', deleted: 'user.deleted', merged: '' },
  tickets: { changed: 'ticket.tags_changed', deleted: 'ticket.soft_deleted', merged: 'ticket.merged' },
  users: { changed: 'user.tags_changed', deleted: 'user.deleted', merged: 'user.merged' },
  organizations: { changed: 'organization.name_changed', deleted: 'organization.deleted', merged: '' },
};

function hooksOf({ state, sign }: Account): (event: TrialEvent, at: Date) => SignedPost {
  return ({ stream, id, change, into, event }, at) => {
    const more = change === 'merged' ? { user: { id: into } } : {};
    return sign(
      eventOf(
        state,
        EVENTS[stream]![change],
        stream === 'agents' ? 'users' : (stream as Kind),
        Number(id),
        more,
        event,
      ),
      at,
    );
  };
}
