import type { Truth } from '../truth.ts';

const truth: Truth = {
  exceptions: [
    {
      operation: 'PUT /v3/marketing/contacts',
      at: 'request.body.contacts.*.custom_fields.*',
      shownBy: 'conformance',
      why: 'custom fields have ids of their account; the description names one as a sample',
      verified: 'dossier, Spec: "custom_fields on upsert lists only one sample property"',
    },
  ],
};

export default truth;
