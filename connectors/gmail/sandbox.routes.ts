import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Clock, listAt } from '../../src/kit/index.ts';
import type { SandboxOAuth } from '../../src/kit/sandbox/index.ts';
import { type Mailbox, type Message, NotFound, Refused } from './sandbox.state.ts';

type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string | string[] | undefined>;
  Body: Record<string, unknown> | undefined;
}>;

const STATUS: Record<number, string> = { 400: 'INVALID_ARGUMENT', 404: 'NOT_FOUND', 429: 'RESOURCE_EXHAUSTED' };

/** A refusal in Google's words. */
export const refusal = (code: number, reason: string, message: string): object => ({
  error: {
    code,
    message,
    errors: [{ domain: 'global', reason, message }],
    ...(STATUS[code] ? { status: STATUS[code] } : {}),
  },
});

const refuse = (reply: FastifyReply, code: number, reason: string, message: string): FastifyReply =>
  reply.code(code).send(refusal(code, reason, message));

export interface Around {
  clock: Clock;
  oauth: SandboxOAuth;
  mailbox: Mailbox;
  /** Whether it refuses what comes too fast. */
  limits: boolean;
}

/** Units of a call (dossier, Limits: projects since May 2026). */
function unitsOf(request: FastifyRequest): number {
  const path = request.url.split('?')[0]!;
  if (path.endsWith('/send') || path.endsWith('/watch')) return 100;
  if (path.endsWith('/history')) return 2;
  if (path.endsWith('/profile') || path.endsWith('/sendAs')) return 1;
  return /\/messages\/[^/]+$/.test(path) ? 20 : 5;
}

/** 6,000 units a user in any minute. @returns whether these are too many */
function createLimiter(clock: Clock): (units: number) => boolean {
  const spent: { at: number; units: number }[] = [];
  return (units) => {
    const now = clock.now().getTime();
    while (spent[0] && spent[0].at <= now - 60_000) spent.shift();
    spent.push({ at: now, units });
    return spent.reduce((sum, one) => sum + one.units, 0) > 6000;
  };
}

const READ = /auth\/gmail\.readonly$/;
const SEND = /auth\/gmail\.send$/;

/** A living token of the right scopes, within the units; and what the mailbox throws, in Google's words. */
export function installGate(app: FastifyInstance, { clock, oauth, limits }: Around): void {
  const tooMuch = limits ? createLimiter(clock) : () => false;
  app.addHook('preHandler', async (request, reply) => {
    if (!/^\/(gmail\/v1|oauth2\/v2)\//.test(request.url)) return;
    const needed = request.url.startsWith('/oauth2') ? /^openid$/ : request.url.endsWith('/send') ? SEND : READ;
    const grant = oauth.grantOf(request);
    if (!grant) await refuse(reply, 401, 'authError', 'Invalid Credentials');
    else if (!grant.scopes.some((scope) => needed.test(scope)))
      await refuse(reply, 403, 'insufficientPermissions', 'Request had insufficient authentication scopes.');
    else if (tooMuch(unitsOf(request)))
      await refuse(reply, 429, 'rateLimitExceeded', 'Quota exceeded for quota metric and limit per minute per user.');
  });
  app.setErrorHandler(async (error, _request, reply) => {
    if (error instanceof NotFound) return refuse(reply, 404, 'notFound', 'Requested entity was not found.');
    if (error instanceof Refused) return refuse(reply, 400, 'invalidArgument', error.message);
    throw error;
  });
}

const asList = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

const one = (value: string | string[] | undefined): string | undefined => asList(value)[0];

const stub = ({ id, threadId }: Message): object => ({ id, threadId });

/** A message in the form that was asked for. */
function shown(message: Message, format: string, headers: readonly string[]): object {
  const { id, threadId, labelIds, historyId, internalDate, payload, raw } = message;
  const base = { id, threadId, labelIds, historyId, internalDate, snippet: '', sizeEstimate: raw.length };
  if (format === 'minimal') return base;
  if (format === 'raw') return { ...base, raw: Buffer.from(raw).toString('base64url') };
  if (format === 'full') return { ...base, payload };
  const wanted = headers.map((name) => name.toLowerCase());
  const found = payload.headers.filter(({ name }) => wanted.length === 0 || wanted.includes(name.toLowerCase()));
  return { ...base, payload: { mimeType: payload.mimeType, headers: found } };
}

const USER = '/gmail/v1/users/:user';

/** What can be asked of a mailbox, and sending. */
export function installMailbox(app: FastifyInstance, { mailbox }: Around): void {
  app.get('/oauth2/v2/userinfo', async () => ({ ...mailbox.user, verified_email: true }));
  app.get(`${USER}/profile`, async () => ({
    emailAddress: mailbox.user.email,
    messagesTotal: mailbox.messages.length,
    threadsTotal: new Set(mailbox.messages.map(({ threadId }) => threadId)).size,
    historyId: mailbox.historyId,
  }));
  app.get(`${USER}/settings/sendAs`, async () => ({ sendAs: mailbox.sendAs }));
  app.get(`${USER}/messages`, async (request: Call) => {
    const { q, labelIds, maxResults, pageToken } = request.query;
    const limit = Math.min(Number(one(maxResults) ?? 100), 500);
    const found = mailbox.search(one(q) ?? '', asList(labelIds));
    // What comes in meanwhile is before the page that follows.
    const after = one(pageToken);
    const from = after === undefined ? 0 : found.findIndex(({ id }) => id === after) + 1;
    const page = found.slice(from, from + limit);
    const more = found.length > from + limit ? { nextPageToken: page.at(-1)!.id } : {};
    return { ...(page.length > 0 ? { messages: page.map(stub) } : {}), ...more, resultSizeEstimate: found.length };
  });
  app.get(`${USER}/messages/:message`, async (request: Call) => {
    const message = mailbox.find(request.params.message!);
    if (!message) throw new NotFound(request.params.message);
    return shown(message, one(request.query.format) ?? 'full', asList(request.query.metadataHeaders));
  });
  app.post(`${USER}/messages/send`, async (request: Call) => {
    const { raw, threadId } = request.body as { raw?: string; threadId?: string };
    if (!raw || /[+/]/.test(raw)) throw new Refused('Invalid value for ByteString');
    const sent = mailbox.send(Buffer.from(raw, 'base64url').toString(), threadId);
    return { id: sent.id, threadId: sent.threadId, labelIds: sent.labelIds };
  });
  app.get(`${USER}/history`, async (request: Call) => {
    const { startHistoryId, maxResults, pageToken, historyTypes } = request.query;
    const limit = Math.min(Number(one(maxResults) ?? 100), 500);
    const types = asList(historyTypes);
    const { records, next } = mailbox.since(Number(one(startHistoryId)), Number(one(pageToken) ?? 0), limit);
    const wanted = records.filter(
      ({ what }) => types.length === 0 || types.includes(what === 'messagesAdded' ? 'messageAdded' : 'labelAdded'),
    );
    const history = wanted.map(({ id, what, message, labels }) => ({
      id: String(id),
      messages: [stub(message)],
      [what]: [
        what === 'messagesAdded'
          ? { message: { ...stub(message), labelIds: message.labelIds } }
          : { message: { ...stub(message), labelIds: message.labelIds }, labelIds: labels },
      ],
    }));
    return {
      ...(history.length > 0 ? { history } : {}),
      ...(next === undefined ? {} : { nextPageToken: String(next) }),
      historyId: mailbox.historyId,
    };
  });
  app.post(`${USER}/watch`, async (request: Call) => {
    const { topicName } = request.body as { topicName: string };
    const endsAt = mailbox.watchFor(topicName);
    return { historyId: mailbox.historyId, expiration: String(endsAt.getTime()) };
  });
}

/** Stubs of messages in an answer of a list. */
export function stubsIn(body: unknown): unknown[] {
  const added = listAt(body, 'history').flatMap((record) => [
    ...listAt<{ message: unknown }>(record, 'messagesAdded'),
    ...listAt<{ message: unknown }>(record, 'labelsAdded'),
  ]);
  return [...listAt(body, 'messages'), ...added.map(({ message }) => message)];
}
