import type { Truth } from '../truth.ts';

const truth: Truth = {
  // The other two are of platforms that this connector does not call.
  files: ['gmail.v1.discovery.json', 'oauth2.v2.discovery.json'],
  exceptions: [
    {
      operation: '* /o/oauth2/v2/auth',
      at: 'operation',
      shownBy: 'conformance',
      why: 'a page for people, no call of the API',
      verified: 'dossier, Auth',
    },
    {
      operation: 'POST /token',
      at: 'operation',
      shownBy: 'conformance',
      why: 'the descriptions are of the mailbox and of who somebody is, not of the log-in',
      verified: 'dossier, Auth; Spec: not covered',
    },
    {
      operation: 'GET /oauth2/v3/certs',
      at: 'operation',
      shownBy: 'conformance',
      why: 'the keys Google signs with are in no description',
      verified: 'dossier, Webhooks: Verify',
    },
  ],
};
export default truth;
