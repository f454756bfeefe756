import { type Clock, listAt, type Refusals, type SignedPost, type Trial } from '../../src/kit/index.ts';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';

/** What the cases need of the simulation. */
interface Account {
  server: SandboxServer;
  people: Map<string, { name: string; deleted: boolean; updated_at: string }>;
  notes: Map<string, { id: string }>;
  addPerson(fields: { name: string; email: string; phone: string }): { id: string; updated_at: string };
  sign(body: object, at: Date): SignedPost;
}

/** REPLACE: the vendor's side of the cases every connector is tried with. What is left out is skipped, with the reason. */
export function trialOf(account: Account, clock: Clock): Trial {
  const { people, notes, server } = account;
  const time = (at: Date | undefined): string => (at ?? clock.now()).toISOString();
  const addPerson = (at?: Date): string => {
    const person = account.addPerson({ name: 'Ann', email: `person${people.size + 1}@example.com`, phone: '' });
    person.updated_at = time(at);
    return person.id;
  };
  return {
    // REPLACE: every stream; what its people do at the vendor, and how its lists look.
    streams: {
      people: {
        create: (count, at) => Array.from({ length: count }, () => addPerson(at)),
        change: (id, mark, at) => void Object.assign(people.get(id)!, { name: mark, updated_at: time(at) }),
        remove: (id) => void Object.assign(people.get(id)!, { deleted: true, updated_at: time(undefined) }),
        ids: () => [...people].flatMap(([id, { deleted }]) => (deleted ? [] : [id])),
        announced: true,
        listed: /^GET \/v1\/people$/,
        field: 'name',
        records: (body) => listAt(body, 'people'),
      },
    },
    // REPLACE: every action; an input it takes, what was done, and inputs that are refused.
    actions: {
      add_note: {
        input: (n) => ({ body: `Called ${n} times.`, about: { contact: addPerson() } }),
        done: () => [...notes.values()].map(({ id }) => id),
        request: /^POST \/v1\/people\/[^/]+\/notes$/,
        refused: [
          { input: { body: 'About nobody.', about: {} }, kind: 'invalid' },
          { input: { body: 'About a stranger.', about: { contact: 'p0' } }, kind: 'not_found' },
        ],
        link: true,
      },
    },
    // The same post whatever happened: it tells nothing but who changed.
    hook: ({ id, event }, at) => account.sign({ event_id: event, person_id: id }, at),
    refusals: refusalsOf(clock),
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
  };
}

/** REPLACE: what the vendor's refusals look like. */
function refusalsOf(clock: Clock): Refusals {
  const refusal = (status: number, code: string, message: string) =>
    ({ kind: 'status', status, body: { error: { code, message } } }) as const;
  const seconds = (until: Date): string => String(Math.ceil((until.getTime() - clock.now().getTime()) / 1000));
  return {
    rateLimited: (until) => ({
      ...refusal(429, 'too_fast', 'Slow down, please.'),
      headers: until ? { 'retry-after': seconds(until) } : {},
    }),
    revoked: () => refusal(401, 'unauthorized', 'The API key is not valid.'),
    forbidden: { fault: () => refusal(403, 'forbidden', 'This API key has no permission to write.') },
    invalid: (reason) => refusal(422, 'invalid', reason),
    unavailable: () => refusal(503, 'unavailable', 'Acme is away for a moment.'),
  };
}
