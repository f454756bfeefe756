import type { Truth } from '../truth.ts';

const truth: Truth = {
  exceptions: [
    {
      operation: '* /oauth/v2/*',
      at: 'operation',
      shownBy: 'conformance',
      why: 'the description has no endpoints of the accounts server',
      verified: 'dossier, Auth and Spec',
    },
    {
      operation: '*',
      at: 'request.body.**',
      says: /is missing/,
      shownBy: 'conformance',
      why: 'requests and answers share their schemas, so what only an answer has is required of a request',
      verified: 'dossier, Spec: known mismatches (tags, notes, blueprint, send_mail)',
    },
    {
      operation: 'GET /crm/v8/*',
      at: 'response.body.**',
      says: /is missing/,
      shownBy: 'conformance',
      why: 'every property of settings, users and the organisation is required; the simulation shows those somebody may read',
      verified: 'dossier, Spec; which ones are read stands in the mapping',
    },
    {
      operation: 'GET /crm/v8/users',
      at: 'response.body.users.*.(time_zone|email)',
      shownBy: 'conformance',
      why: 'the description types the zone as an object and gives addresses the pattern of an example',
      verified: 'dossier, Auth: users[0].email and time_zone',
    },
    {
      operation: '* /crm/v8/actions/watch',
      at: '(request|response).body.watch.*.(channel_id|notify_url)',
      shownBy: 'conformance',
      why: 'the description types the number as an object and gives addresses the pattern of an example',
      verified: 'dossier, Webhooks: body; samples/notification-shape.json',
    },
    {
      operation: 'POST /crm/v8/{moduleName}/{id}/actions/send_mail',
      at: 'request.body.data.*.to.*.email',
      shownBy: 'conformance',
      why: 'addresses have the pattern of an example',
      verified: 'dossier, Actions: send_email',
    },
    {
      operation: '*',
      at: 'response.status',
      says: /must be one of 200/,
      shownBy: 'conformance',
      why: 'the description knows 200 only for what is made, and for lists that hold nothing',
      verified: 'dossier, Base (empty list = 204) and Actions (results inside HTTP 200/201/202/207)',
    },
  ],
};
export default truth;
