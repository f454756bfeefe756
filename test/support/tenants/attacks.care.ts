import { NOW } from './facts.ts';
import { attacksOn, type Surroundings } from './functions.ts';
import type { Tenant } from './seed.ts';

/** A hub that platforms can reach. */
const reachable = (deps: Surroundings['deps']) => ({
  ...deps,
  config: { ...deps.config, env: { ...deps.config.env, PUBLIC_URL: 'https://hub.example' } },
});

const connectorOf = (deps: Surroundings['deps']) => deps.registry.find('hubspot')!;

const sourceOf = ({ ids, named }: Tenant, deps: Surroundings['deps']) => ({
  connector: connectorOf(deps),
  connection: { ...named('connection'), created_at: new Date(0) },
  streamIds: new Map([['contacts', ids.stream]]),
  pollSeconds: 300,
});

/** Attacks on what looks after connections: costs, webhooks that fell silent. */
export const CARE = [
  ...attacksOn('actions/again.ts', {
    parkOrResolve: ({ named, ids }, { deps }) => [
      // A hub in which something is tried over days.
      { registry: { all: () => [{ actions: [{ kind: 'send_email', retries: [5] }] }] }, queue: deps.queue },
      {
        ...named('action_request'),
        id: ids.planned,
        kind: 'send_email',
        state: 'failed',
        reason: 'transient',
        attempts: 9,
      },
      NOW,
    ],
    replayAction: {
      args: ({ ids }, { deps }) => [deps, ids.sent, NOW],
      harmless: 'what was sent is not sent again, and nothing of the facts failed',
    },
  }),
  ...attacksOn('actions/away.ts', {
    awayListener: ({ named, ids }) => [
      [
        {
          ...named('change'),
          ...{ kind: 'activity', op: 'created', origin: 'live', customer_id: ids.customer },
          after: { automatic: true, direction: 'in', subject: 'Out of office', body: 'back on 2026-03-20' },
        },
      ],
      NOW,
    ],
  }),
  ...attacksOn('sync/cost.ts', {
    noteCost: ({ ids }) => [
      ids.stream,
      { initial: false, complete: true, calls: 5, pages: 1, records: 10, seconds: 1 },
      NOW,
    ],
    costsOf: { args: ({ ids }) => [[ids.stream]], look: (found: Map<string, unknown>) => [...found.values()] },
  }),
  ...attacksOn('sync/loaded.ts', {
    tellLoaded: (_victim, { deps }) => [reachable(deps)],
  }),
  ...attacksOn('sync/silence.ts', {
    noteFound: (victim, { deps }) => [
      reachable(deps),
      sourceOf(victim, deps),
      'contacts',
      [{ id: 'c-77', raw: {} }],
      { startedAt: NOW },
    ],
    notePosted: ({ named }, { deps }) => [reachable(deps), named('connection'), new Set(['contacts'])],
    checkSilence: ({ named }, { deps }) => [reachable(deps), connectorOf(deps), named('connection')],
    watched: ({ ids }) => [ids.connection],
    // The hint of the facts came in February.
    postsOf: ({ ids }) => [ids.connection, new Date('2026-02-22T00:00:00Z'), ['contacts']],
    refusals: {
      args: (_victim, { deps }) => [connectorOf(deps), NOW],
      harmless: 'posts that were nobody’s are counted',
    },
  }),
];
