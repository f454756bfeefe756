import { platformJson } from '../platforms.ts';
import { jsonSchema } from '../readers/jsonschema.ts';
import { type Call, type Finding, isRecord, type ValueSpec } from '../spec.ts';
import type { Post, Truth } from '../truth.ts';

/** Slack takes every method by GET and by POST; the description knows one of both. Refusals come with status 200. */
function read(call: Call, isDescribed: (call: Call) => boolean): Call {
  const isRefused = isRecord(call.reply) && call.reply.ok === false && call.status === 200;
  // The description has refusals under `default`.
  const answered = isRefused ? { ...call, status: 400 } : call;
  if (call.method !== 'POST' || isDescribed(call)) return answered;
  const form = isRecord(call.body) ? call.body : {};
  const asked = { ...answered, method: 'GET', query: { ...call.query, ...form }, body: undefined };
  return isDescribed(asked) ? asked : answered;
}

let wrapper: ValueSpec | undefined;

/** Events; what people press and probes of addresses are not described. */
function post({ body }: Post): Finding[] | undefined {
  if (!body.startsWith('{')) return undefined;
  const event = JSON.parse(body) as Record<string, unknown>;
  if (event.type !== 'event_callback') return undefined;
  wrapper ??= jsonSchema('event-wrapper', platformJson('slack', 'event-wrapper.schema.json'));
  return wrapper.check(event, 'post.body');
}

const truth: Truth = {
  files: ['openapi.json'],
  read,
  post,
  exceptions: [
    {
      operation: '* /oauth/v2/authorize',
      at: 'operation',
      shownBy: 'special',
      why: 'a page for people, no call of the API',
      verified: 'dossier, Auth',
    },
    {
      operation: '*',
      at: 'request.*.token',
      says: /missing/,
      shownBy: 'special',
      why: 'the token travels as Authorization header; the description knows it as a parameter only',
      verified: 'dossier, Base: "Authorization: Bearer (never in the query)"',
    },
    {
      operation: 'GET /api/oauth.v2.access',
      at: 'request.query.(code|grant_type|refresh_token)',
      shownBy: 'special',
      why: 'tokens that rotate are newer than the description of 2021: a refresh has no code',
      verified: 'dossier, Auth: lifetime; Spec: missing refresh_token/grant_type',
    },
    {
      operation: 'POST /api/chat.*',
      at: 'request.body.metadata',
      shownBy: 'special',
      why: 'metadata of messages is newer than the description of 2021',
      verified: 'dossier, Spec: missing metadata, include_all_metadata',
    },
    {
      operation: 'GET /api/conversations.history',
      at: 'request.query.include_all_metadata',
      shownBy: 'special',
      why: 'metadata of messages is newer than the description of 2021',
      verified: 'dossier, Spec: missing metadata, include_all_metadata',
    },
    {
      operation: 'POST /api/chat.postMessage',
      at: 'response.body.message.metadata',
      shownBy: 'special',
      why: 'metadata of messages is newer than the description of 2021',
      verified: 'dossier, Spec: missing metadata, include_all_metadata',
    },
    {
      operation: 'GET /api/conversations.history',
      at: 'response.body.messages.*.(metadata|edited)',
      shownBy: 'special',
      why: 'metadata is newer than the description, which leaves out the mark of an edit, too',
      verified: 'dossier, Spec: missing metadata; the mark of an edit is from general knowledge',
    },
    {
      operation: 'GET /api/conversations.history',
      at: 'response.body.response_metadata',
      shownBy: 'special',
      why: 'the cursor of the next page, as in the other lists; the description leaves it out for this one',
      verified: 'dossier, Read: cursor pages; the description of users.list and conversations.list has it',
    },
    {
      operation: 'POST /api/chat.update',
      at: 'response.body.message.**',
      shownBy: 'special',
      why: 'the description knows three members of the message, and calls its list of blocks an object',
      verified: "the description's own chat.postMessage, which has the whole message with a list of blocks",
    },
    {
      operation: 'GET /api/users.(list|info)',
      at: 'response.body.**.profile.fields',
      says: /missing/,
      shownBy: 'special',
      why: 'custom fields are there only where a workspace has them; the description calls them required',
      verified: "the vendor's sample users.list.ok.json",
    },
    {
      operation: '*',
      at: 'response.body.error',
      says: /must be one of/,
      shownBy: 'special',
      why: 'the lists of error codes are incomplete',
      verified: 'dossier, Spec: error enums incomplete; Errors: the codes',
    },
    {
      operation: 'GET /api/conversations.history',
      at: 'response.body.messages',
      says: /fewer than 1/,
      shownBy: 'conformance',
      why: 'a time in which nobody wrote has an empty list; the description asks for one message at least',
      verified: 'follows from the meaning of the call; not tried on a live workspace',
    },
  ],
};
export default truth;
