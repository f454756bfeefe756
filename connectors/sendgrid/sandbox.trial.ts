import type { ActionTrial, Refusals, SignedPost, StreamTrial, Trial } from '../../src/kit/index.ts';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import type { Entry, ListName, SendGridState } from './sandbox.state.ts';

interface Account {
  state: SendGridState;
  server: SandboxServer;
  hookUrl?: string | undefined;
}

const UPSERT = /^PUT \/v3\/marketing\/contacts$/;

/** SendGrid's side of the cases every connector is tried with. */
export function trialOf(account: Account): Trial {
  const { state, server } = account;
  return {
    // Global unsubscribes hold an address and nothing that could be changed: they are tried by themselves.
    streams: {
      spam_reports: { ...listTrial(state, 'spam_reports', 'ip'), announced: true },
      bounces: listTrial(state, 'bounces', 'reason'),
    },
    actions: actionsOf(state),
    hook: hooksOf(account),
    refusals: refusalsOf(),
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
  };
}

/**
 * Posts that tell of an address. The same event is posted in the same bytes: whether a post that is tried again keeps its
 * timestamp is not known, so none is too old.
 */
function hooksOf(account: Account): NonNullable<Trial['hook']> {
  const posted = new Map<string, SignedPost>();
  return ({ id, event }) => {
    const { state, hookUrl = '' } = account;
    const key = `${hookUrl} ${id} ${event}`;
    const timestamp = Math.floor(state.now().getTime() / 1000);
    const told = { event: 'spamreport', sg_event_id: event, timestamp, email: id };
    const post = posted.get(key) ?? state.post(hookUrl, [told]);
    posted.set(key, post);
    return post;
  };
}

function listTrial(state: SendGridState, name: ListName, field: 'ip' | 'reason'): StreamTrial {
  let made = 0;
  const list = state.lists[name];
  const usual: Record<string, Partial<Entry>> = {
    spam_reports: { ip: '198.51.100.7' },
    bounces: { reason: '550 5.1.1 The account does not exist', status: '5.1.1' },
  };
  return {
    create: (count, at) =>
      Array.from({ length: count }, () => state.suppress(name, `person${++made}@example.com`, usual[name], at).email),
    // Taken off and put on again, for another reason.
    change: (id, mark, at) => void state.suppress(name, id, { ...usual[name], [field]: mark }, at),
    remove: (id) => list.remove(id),
    ids: () => list.all().map(({ email }) => email),
    listed: new RegExp(`^GET /v3/suppression/${name}$`),
    field,
    records: (body) => (Array.isArray(body) ? body : []),
  };
}

function actionsOf(state: SendGridState): Trial['actions'] {
  const [list] = state.marketingLists;
  const person = (n: number): string => `acted${n}@example.com`;
  const nobody = { about: { contact: 'not an address' } };
  const listed = (verb: 'add' | 'remove'): ActionTrial => {
    const asked: string[] = [];
    return {
      input: (n) => {
        const contact = person(n);
        if (verb === 'remove') state.contact(contact).lists.add(list!.id);
        asked.push(contact);
        return { tag: 'Newsletter', about: { contact } };
      },
      done: () =>
        asked
          .filter((email) => (state.contacts.get(email)?.lists.has(list!.id) ?? false) === (verb === 'add'))
          .map((email) => `Newsletter:${email}`),
      request: verb === 'add' ? UPSERT : /^DELETE \/v3\/marketing\/lists\/[^/]+\/contacts$/,
      refused: [
        { input: { tag: 'No such list', about: { contact: person(0) } }, kind: 'not_found' },
        { input: { tag: 'Newsletter', ...nobody }, kind: 'invalid' },
      ],
    };
  };
  const scores: { email: string; score: number }[] = [];
  return {
    send_email: {
      input: (n) => ({
        to: person(n),
        subject: `Visit ${n}`,
        text: 'We come tomorrow.',
        html: '<p>We come tomorrow.</p>',
      }),
      done: () => state.mails.map(({ id }) => id),
      request: /^POST \/v3\/mail\/send$/,
    },
    update_field: {
      input: (n) => {
        scores.push({ email: person(n), score: n });
        return { object: 'contact', id: person(n), fields: { score: n, first_name: 'Ann' } };
      },
      done: () =>
        scores.filter(({ email, score }) => state.contacts.get(email)?.fields.e1_N === score).map(({ email }) => email),
      request: UPSERT,
      refused: [
        { input: { object: 'contact', id: person(0), fields: { shoe_size: 1 } }, kind: 'invalid' },
        { input: { object: 'contact', id: 'nobody', fields: { score: 1 } }, kind: 'invalid' },
      ],
    },
    add_tag: listed('add'),
    remove_tag: listed('remove'),
    enrol_in_automation: {
      input: (n) => ({ automation: `single_send:${state.addSingleSend(`Offer ${n}`)}`, about: {} }),
      done: () =>
        [...state.singleSends.values()].flatMap(({ id, scheduled }) =>
          Array.from({ length: scheduled }, () => `single_send:${id}`),
        ),
      request: /^PUT \/v3\/marketing\/singlesends\/[^/]+\/schedule$/,
      refused: [
        { input: { automation: 'single_send:00000000-0000-4000-8000-000000000000', about: {} }, kind: 'not_found' },
        { input: { automation: 'No such list', about: { contact: person(0) } }, kind: 'not_found' },
      ],
    },
    record_opt_out: {
      input: (n) => ({ channel: 'email', address: person(n) }),
      done: () => state.lists.unsubscribes.all().map(({ email }) => `global:${email}`),
      request: /^POST \/v3\/asm\/suppressions\/global$/,
      refused: [{ input: { channel: 'email', address: person(0), group: 99 }, kind: 'not_found' }],
    },
  };
}

const refusal = (status: number, message: string, headers: Record<string, string> = {}) =>
  ({ kind: 'status', status, body: { errors: [{ field: null, message }] }, headers }) as const;

/** SendGrid's refusals. */
function refusalsOf(): Refusals {
  return {
    rateLimited: (until) => {
      const reset = until && String(Math.ceil(until.getTime() / 1000));
      return refusal(429, 'too many requests', reset ? { 'x-ratelimit-reset': reset } : {});
    },
    revoked: () => refusal(401, 'The provided authorization grant is invalid, expired, or revoked'),
    forbidden: { fault: () => refusal(403, 'access forbidden: the API key lacks a permission') },
    invalid: (reason) => refusal(400, reason),
    unavailable: () => refusal(503, 'Service Unavailable'),
  };
}
