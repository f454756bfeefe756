import { hasPlatform, platformFile } from '../platforms.ts';
import { QUICKBOOKS_FILES, quickBooks } from '../readers/quickbooks.ts';
import type { Truth } from '../truth.ts';

const truth: Truth = {
  specs: () =>
    hasPlatform('quickbooks')
      ? [
          quickBooks(
            'IntuitRestServiceDef.xsd',
            QUICKBOOKS_FILES.map((file) => platformFile('quickbooks', file)),
          ),
        ]
      : [],
  exceptions: [
    {
      operation: '* /connect/oauth2',
      at: 'operation',
      shownBy: 'sync',
      why: 'a page for people, no call of the API',
      verified: 'dossier, Auth',
    },
    {
      operation: 'POST /oauth2/v1/tokens/bearer',
      at: 'operation',
      shownBy: 'sync',
      why: 'the schemas describe the accounting API only',
      verified: "dossier, Spec; the answer is compared with the vendor's sample in the connector's own test",
    },
    {
      operation: 'POST /v2/oauth2/tokens/revoke',
      at: 'operation',
      shownBy: 'hooks',
      why: 'the schemas describe the accounting API only',
      verified: 'dossier, Auth: revoke',
    },
    {
      operation: 'GET /v3/company/{realmId}/*',
      at: 'response.body.fault',
      shownBy: 'trouble',
      why: 'the gateway before the service writes names in lower case when it refuses a token',
      verified: 'dossier, Errors: case variants at the gateway',
    },
    {
      operation: 'POST /v3/company/{realmId}/*',
      at: 'response.body.fault',
      shownBy: 'conformance',
      why: 'the gateway before the service writes names in lower case when it refuses a token',
      verified: 'dossier, Errors: case variants at the gateway',
    },
    {
      operation: 'GET /v3/company/{realmId}/query',
      at: 'response.body.QueryResponse.Invoice.*.Balance',
      says: /must be number/,
      shownBy: 'trouble',
      why: 'a test plays a field that changes its type',
      verified: 'quickbooks: a field that changes its type keeps that record out, with the reason, and no other',
    },
  ],
};

export default truth;
