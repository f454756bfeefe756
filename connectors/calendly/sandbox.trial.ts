import {
  type Clock,
  listAt,
  type Refusals,
  type SignedPost,
  type StreamTrial,
  type Trial,
} from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import type { Invitee, Organisation } from './sandbox.state.ts';

interface Account {
  state: Organisation;
  server: SandboxServer;
  oauth: SandboxOAuth;
  hookUrl?: string | undefined;
  sign(url: string, event: string, payload: object, at: Date, told?: string): SignedPost;
}

/** Calendly's side of the cases every connector is tried with. */
export function trialOf(account: Account, clock: Clock): Trial {
  const { state, server, oauth } = account;
  const told = new Map<string, string>();
  return {
    streams: { bookings: bookingTrial(state), owners: ownerTrial(state) },
    hook: ({ id, change, event }, at) => {
      const invitee = state.invitees.get(id)!;
      const moment = told.get(event) ?? new Date(at.getTime() + told.size).toISOString();
      told.set(event, moment);
      const payload = { ...invitee, scheduled_event: state.eventOf(invitee) };
      const what = change === 'deleted' ? 'invitee.canceled' : 'invitee.created';
      return account.sign(account.hookUrl!, what, payload, at, moment);
    },
    calls: () =>
      server.journal.map(({ at: when, method, path, status }) => ({ at: when, call: `${method} ${path}`, status })),
    actions: {
      create_booking_link: {
        input: (n) => ({ name: `Acted Upon ${n}`, email: `acted${n}@example.com`, about: {} }),
        done: () => state.links,
        request: /^POST \/scheduling_links$/,
        link: true,
        repeatable: true,
        refused: [{ input: { eventType: 'https://api.calendly.com/event_types/gone', about: {} }, kind: 'not_found' }],
      },
    },
    refusals: refusalsOf(clock),
    grants: grantsOf(oauth),
  };
}

const ownerTrial = (state: Organisation): StreamTrial => {
  const idOf = (one: Record<string, unknown>): string => (one.user as { uri: string }).uri.split('/').at(-1)!;
  const named = (id: string) => state.members.find((one) => idOf(one) === id)!;
  return {
    create: (count) => Array.from({ length: count }, () => state.addMember(`Member ${state.members.length}`)),
    change: (id, mark) => {
      (named(id).user as { name: string }).name = mark;
    },
    remove: (id) => void state.members.splice(state.members.indexOf(named(id)), 1),
    ids: () => state.members.map(idOf),
    listed: /^GET \/organization_memberships$/,
    field: 'user.name',
    records: (body) => listAt(body, 'collection'),
  };
};

const bookingTrial = (state: Organisation): StreamTrial => {
  let n = 0;
  const soon = (): Date => new Date(state.clock.now().getTime() + (++n % 5000) * 60_000);
  const moved = (one: Invitee): boolean => one.rescheduled === true;
  return {
    create: (count, at) =>
      Array.from({ length: count }, () => {
        const made = at?.toISOString().replace('Z', '000Z');
        return state.keyOf(state.book({ name: `Booker ${n}` }, soon(), made));
      }),
    change: (id, mark, at) => void state.touch(state.invitees.get(id)!, { name: mark }, at?.toISOString()),
    // Moved to another time: the old booking is none any more.
    remove: (id) => void state.move(state.invitees.get(id)!, soon()),
    ids: () => [...state.invitees].flatMap(([key, one]) => (moved(one) ? [] : [key])),
    announced: true,
    listed: /^GET \/scheduled_events$/,
    field: 'name',
    records: (body) => listAt(body, 'collection'),
  };
};

const refusal = (status: number, title: string, message: string, more: object = {}) =>
  ({ kind: 'status', status, body: { title, message, ...more } }) as const;

const SCOPE = 'scheduling_links:write';

function refusalsOf(clock: Clock): Refusals {
  return {
    rateLimited: (until) => ({
      ...refusal(429, 'Too Many Requests', 'You have made too many requests.'),
      headers: until
        ? { 'x-ratelimit-reset': String(Math.ceil((until.getTime() - clock.now().getTime()) / 1000)) }
        : ({} as Record<string, string>),
    }),
    expired: () => refusal(401, 'Unauthenticated', 'The access token is invalid'),
    forbidden: {
      permission: SCOPE,
      fault: () =>
        refusal(403, 'Permission Denied', 'InsufficientScopeError: the token lacks a scope.', {
          required_scopes: [SCOPE],
        }),
    },
    invalid: (reason) =>
      refusal(400, 'Invalid Argument', 'The supplied parameters are invalid.', {
        details: [{ parameter: 'owner', message: reason }],
      }),
    unavailable: () => refusal(503, 'Internal Server Error', 'The server encountered an unexpected condition.'),
  };
}
