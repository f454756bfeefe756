import type { Truth } from '../truth.ts';

const verified = 'dossier, Spec: "Not covered: OAuth endpoints"';

const truth: Truth = {
  exceptions: [
    {
      operation: '* /admin/oauth/authorize',
      at: 'operation',
      why: 'a page for people, no call of GraphQL',
      verified,
      shownBy: 'conformance',
    },
    {
      operation: 'POST /admin/oauth/access_token',
      at: 'operation',
      why: 'tokens are asked for beside GraphQL',
      verified,
      shownBy: 'conformance',
    },
  ],
};

export default truth;
