import type { Truth } from '../truth.ts';

const truth: Truth = {
  exceptions: [
    {
      operation: '* /oauth/*',
      at: 'operation',
      shownBy: 'conformance',
      why: 'the log-in is not described',
      verified: 'dossier, Auth',
    },
    {
      operation: 'POST /webhook_subscriptions',
      at: 'request.body.events.*',
      shownBy: 'conformance',
      why: 'no-shows are told of since; the description is of 2023',
      verified: 'dossier, Webhooks: Events; Spec: NOT covered',
    },
    {
      operation: 'POST /webhook_subscriptions',
      at: 'response.body.resource.events.*',
      shownBy: 'conformance',
      why: 'no-shows are told of since; the description is of 2023',
      verified: 'dossier, Webhooks: Events; Spec: NOT covered',
    },
    {
      operation: 'GET /webhook_subscriptions',
      at: 'response.body.collection.*.events.*',
      shownBy: 'special',
      why: 'no-shows are told of since; the description is of 2023',
      verified: 'dossier, Webhooks: Events; Spec: NOT covered',
    },
  ],
};

export default truth;
