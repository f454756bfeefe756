import type { Truth } from '../truth.ts';

const truth: Truth = {
  exceptions: [
    {
      operation: 'POST /oauth/authorize',
      at: 'operation',
      shownBy: 'conformance',
      why: 'a page for people, no call of the API',
      verified: 'dossier, Auth',
    },
    {
      operation: 'GET /oauth/authorize',
      at: 'request.query.(response_type|scope)',
      shownBy: 'conformance',
      why: "what OAuth itself asks for; Pipedrive knows the app's scopes by its registration",
      verified: 'dossier, Auth: scopes are fixed in the app registration',
    },
    {
      operation: 'POST /oauth/token',
      at: 'request.body.refresh_token',
      shownBy: 'conformance',
      why: 'the description has the trade of a code only, though it lists refresh_token among the grants',
      verified: 'dossier, Auth: Token',
    },
    {
      operation: 'GET /api/v2/*',
      at: 'response.body.additional_data.next_cursor',
      shownBy: 'conformance',
      why: 'typed as text; its own words say that it is null at the end',
      verified: 'the description of next_cursor',
    },
    {
      operation: 'GET /api/v2/persons',
      at: 'response.body.data.*.marketing_status',
      shownBy: 'conformance',
      why: 'comes when include_fields names it; the description of the answer leaves optional fields out',
      verified: 'dossier, Read: include_fields',
    },
  ],
};
export default truth;
