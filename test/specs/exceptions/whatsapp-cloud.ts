import type { Truth } from '../truth.ts';

const truth: Truth = {
  exceptions: [
    {
      operation: 'POST /{Version}/{Phone-Number-ID}/messages',
      at: 'request.body.biz_opaque_callback_data',
      shownBy: 'conformance',
      why: 'what comes back with the states of a message is newer than the description',
      verified: 'dossier, Actions; Spec: not covered',
    },
  ],
};
export default truth;
