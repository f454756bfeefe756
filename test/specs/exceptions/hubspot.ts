import type { Truth } from '../truth.ts';

const truth: Truth = {
  exceptions: [
    {
      operation: '* /oauth/authorize',
      at: 'operation',
      shownBy: 'conformance',
      why: 'a page for people, no call of the API',
      verified: 'dossier, Auth',
    },
    {
      operation: 'POST /oauth/2026-09/token',
      at: 'response.body.**',
      shownBy: 'conformance',
      why: 'the description has an answer for failures only, under `default`; the names of a success are in the dossier',
      verified: 'dossier, Auth: token response fields',
    },
    {
      operation: 'POST /crm/objects/2026-09/{objectType}/search',
      at: 'request.body.sorts.*',
      says: /must be string/,
      shownBy: 'conformance',
      why: 'a sort is an object with propertyName and direction; the description types it as text',
      verified: 'dossier, Read: "Real API takes sorts as ..."; Spec: known mismatches',
    },
    {
      operation: 'POST /marketing/email-campaigns/2026-03/single-send',
      at: 'request.body.customProperties.*',
      says: /must be object/,
      shownBy: 'conformance',
      why: 'values of the e-mail are texts, shown by {{ custom.NAME }}; the description types them as objects',
      verified: "the vendor's reference of the call: a list is given as one text of HTML; not tried on a live account",
    },
    {
      operation: '*',
      at: 'response.body.status',
      says: /is not described/,
      shownBy: 'conformance',
      why: 'every failure says `status: error` beside what is described',
      verified: 'dossier, Errors',
    },
  ],
};
export default truth;
