import type { Call } from '../spec.ts';
import type { Truth } from '../truth.ts';

/** Delta functions are written with brackets in the description and without them on the wire. */
function read(call: Call): Call {
  return call.path.endsWith('/delta') ? { ...call, path: `${call.path}()` } : call;
}

const truth: Truth = {
  files: ['openapi.json'],
  read,
  exceptions: [
    {
      operation: '* /common/oauth2/v2.0/*',
      at: 'operation',
      shownBy: 'conformance',
      why: 'the log-in is not described',
      verified: 'dossier, Spec: Not covered; Auth',
    },
    {
      operation: '*',
      at: 'response.body.@odata.context',
      shownBy: 'conformance',
      why: 'every collection and entity names its type; the description leaves annotations out',
      verified: "the vendor's samples",
    },
    {
      operation: '*',
      at: 'response.body.value.*.@odata.etag',
      shownBy: 'conformance',
      why: 'items carry their version as an annotation; the description leaves it out',
      verified: "the vendor's samples",
    },
    {
      operation: '*',
      at: 'response.body.@odata.etag',
      shownBy: 'conformance',
      why: 'items carry their version as an annotation; the description leaves it out',
      verified: "the vendor's samples",
    },
    {
      operation: '*/delta*',
      at: 'response.body.value.*.@removed',
      shownBy: 'conformance',
      why: 'how a delta tells of what is gone',
      verified: 'dossier, Read: Deletions',
    },
    {
      operation: '*/delta*',
      at: 'request.query.$(skiptoken|deltatoken)',
      shownBy: 'conformance',
      why: 'links are followed as they were given and carry opaque tokens',
      verified: 'dossier, Read: nextLink, deltaLink',
    },
    {
      operation: 'GET /v1.0/me/calendarView/delta*',
      at: 'request.query.(startDateTime|endDateTime)',
      says: /is missing/,
      shownBy: 'conformance',
      why: 'a link that is followed carries the window in its token',
      verified: 'dossier, Read: calendarView/delta',
    },
    {
      operation: 'POST /v1.0/me/messages',
      at: 'request.headers.content-type',
      shownBy: 'special',
      why: 'a mail with headers of its own is made in the MIME form',
      verified: 'dossier, Actions: custom headers',
    },
    {
      operation: 'GET /v1.0/me/messages/*/$value',
      at: 'operation',
      shownBy: 'special',
      why: 'the MIME form of a report of undelivered mail',
      verified: 'dossier, Opt-out and engagement: Bounce; Spec: Not covered',
    },
    {
      operation: 'POST /v1.0/me/messages/{message-id}/send',
      at: 'response.status',
      shownBy: 'conformance',
      why: 'a mail that was taken is answered with 202',
      verified: 'dossier, Actions; Spec: Not covered',
    },
  ],
};

export default truth;
