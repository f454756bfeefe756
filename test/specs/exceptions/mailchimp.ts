import type { Truth } from '../truth.ts';

const truth: Truth = {
  exceptions: [
    {
      operation: '* /oauth2/authorize',
      at: 'operation',
      shownBy: 'conformance',
      why: 'a page for people, no call of the API',
      verified: 'dossier, Auth',
    },
    {
      operation: '* /oauth2/(token|metadata)',
      at: 'operation',
      shownBy: 'conformance',
      why: 'the description is of the data centres; these two are at the address that is the same for all',
      verified: 'dossier, Auth: token and instance discovery',
    },
    {
      operation: 'POST /3.0/lists/{list_id}/webhooks',
      at: 'response.body.signing_secret',
      shownBy: 'conformance',
      why: 'what posts are signed with is newer than the description, and told by this answer only',
      verified: 'dossier, Webhooks: signing_secret is returned once by the create call',
    },
    {
      operation: '*',
      at: 'response.body.errors',
      says: /is not described/,
      shownBy: 'conformance',
      why: 'a refusal of fields lists them beside what is described',
      verified: 'dossier, Errors: errors[] {field, message}',
    },
  ],
};
export default truth;
