import { type Clock, listAt, type SignedPost, type StreamTrial, type Trial } from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import { headersOf } from './sandbox.posts.ts';
import type { GoogleCalendarState } from './sandbox.state.ts';
import type { TaskList } from './sandbox.tasks.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

interface Account {
  state: GoogleCalendarState;
  tasks: TaskList;
  server: SandboxServer;
  oauth: SandboxOAuth;
  hookUrl?: string | undefined;
}

/** Google's side of the cases every connector is tried with. */
export function trialOf(account: Account, clock: Clock): Trial {
  const { state, tasks, server, oauth } = account;
  return {
    streams: { events: eventTrial(state), tasks: taskTrial(tasks) },
    actions: actionsOf(state, tasks),
    hook: hooksOf(account),
    forged: (post) => [
      { ...post, headers: { ...post.headers, 'x-goog-channel-token': '' } },
      { ...post, headers: { ...post.headers, 'x-goog-channel-token': 'somebody-elses-token' } },
    ],
    subscriptions: () => state.open().map(({ id, endsAt }) => ({ id, endsAt })),
    refusals: refusalsOf(clock),
    grants: grantsOf(oauth),
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
  };
}

/** A post names no event: each of the suite's is another number. */
function hooksOf(account: Account): (event: { event: string }) => SignedPost {
  const numbers = new Map<string, number>();
  return ({ event }) => {
    const number = numbers.get(event) ?? numbers.size + 100;
    numbers.set(event, number);
    const url = account.hookUrl ?? '';
    const channel =
      account.state.open().find(({ address }) => address === url) ?? [...account.state.channels.values()].at(-1)!;
    return { url, body: '', headers: headersOf(channel, 'exists', number) };
  };
}

function eventTrial({ primary }: GoogleCalendarState): StreamTrial {
  let made = 0;
  const slot = { start: { dateTime: '2026-09-01T15:00:00Z' }, end: { dateTime: '2026-09-01T16:00:00Z' } };
  return {
    create: (count, at) =>
      Array.from({ length: count }, () => primary.insert({ summary: `Visit ${++made}`, ...slot }, at).id),
    change: (id, mark, at) => void primary.change(id, { summary: mark }, at),
    remove: (id) => primary.remove(id),
    ids: () => primary.living().map(({ id }) => id),
    announced: true,
    listed: /^GET \/calendar\/v3\/calendars\/[^/]+\/events$/,
    field: 'summary',
    records: (body) => listAt(body, 'items'),
  };
}

const taskTrial = (list: TaskList): StreamTrial => ({
  create: (count, at) => Array.from({ length: count }, (_, n) => list.insert({ title: `Task ${n}` }, at).id),
  change: (id, mark, at) => void list.change(id, { title: mark }, at),
  remove: (id) => void list.change(id, { deleted: true }),
  ids: () => list.tasks.filter(({ deleted }) => !deleted).map(({ id }) => id),
  listed: /^GET \/tasks\/v1\/lists\/[^/]+\/tasks$/,
  field: 'title',
  records: (body) => listAt(body, 'items'),
});
