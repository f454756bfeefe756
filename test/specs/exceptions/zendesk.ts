import type { Truth } from '../truth.ts';

const truth: Truth = {
  exceptions: [
    {
      operation: '* /oauth/authorizations/new',
      at: 'operation',
      shownBy: 'conformance',
      why: 'a page for people, no call of the API',
      verified: 'dossier, Auth',
    },
    {
      operation: 'POST /oauth/tokens',
      at: 'request.body',
      shownBy: 'conformance',
      why: 'the parameters stand in the words of the description, formatted as JSON, and in no schema',
      verified: "the description's own text of the call",
    },
    {
      operation: '* /api/v2/webhooks**',
      at: 'operation',
      shownBy: 'conformance',
      why: 'webhooks have a description of their own, which is not published with the others',
      verified: 'dossier, Webhooks; Spec',
    },
    {
      operation: 'GET /api/v2/users',
      at: 'request.query.role',
      says: /must be string/,
      shownBy: 'conformance',
      why: '`role[]` is described beside `role`, and is a list',
      verified: "the description's own parameter `role[]`",
    },
    {
      operation: 'GET /api/v2/(users|satisfaction_ratings)',
      at: 'response.body.(meta|links)',
      shownBy: 'conformance',
      why: 'pages with a cursor say whether there are more; the description shows the records only',
      verified: 'dossier, Read: meta.has_more, meta.after_cursor, links.next',
    },
    {
      operation: 'GET /api/v2/satisfaction_ratings',
      at: 'request.query.start_time',
      shownBy: 'conformance',
      why: 'the filter stands in the words of the description',
      verified: "the description's own text of the call",
    },
    {
      operation: 'GET /api/v2/incremental/organizations',
      at: 'response.body.organizations.*.deleted_at',
      shownBy: 'conformance',
      why: 'organizations that are gone say since when',
      verified: 'dossier, Read: deletions',
    },
    {
      operation: 'GET /api/v2/incremental/tickets/cursor',
      at: 'response.body.tickets.*.status',
      says: /must be one of/,
      shownBy: 'conformance',
      why: 'the export shows deleted tickets with this status',
      verified: 'dossier, Read: deletions',
    },
    {
      operation: 'GET /api/v2/incremental/ticket_events',
      at: 'response.body.ticket_events.**',
      shownBy: 'conformance',
      why: 'events of tickets have the schema of another export in the description',
      verified: "the description's own text of the call: child_events, comments when they are asked for",
    },
    {
      operation: 'PUT /api/v2/tickets/{ticket_id}',
      at: 'response.body.audit.events.*.(author_id|public)',
      shownBy: 'conformance',
      why: 'events of an audit have members by their type; the description leaves them out here',
      verified: "the description's own example of audits",
    },
    {
      operation: '(PUT|DELETE) /api/v2/(users|tickets|organizations)/*/tags',
      at: 'request.body',
      shownBy: 'conformance',
      why: 'the tags are in the body; the description has none for these calls',
      verified: 'dossier, Actions: add_tag',
    },
  ],
};
export default truth;
