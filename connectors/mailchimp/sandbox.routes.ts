import { request as httpRequest } from 'undici';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { type Audience, hashOf, type Webhook } from './sandbox.audience.ts';
import { type Around, type Call, missing, paged, picked, problem } from './sandbox.http.ts';
import { installMembers } from './sandbox.members.ts';
import type { MailchimpState } from './sandbox.state.ts';

const shownHook = ({ secret: _secret, ...webhook }: Webhook): object => webhook;

/** Whether somebody answers there: the vendor looks before it takes an address. */
async function answers(url: string): Promise<boolean> {
  try {
    const { statusCode, body } = await httpRequest(url);
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}

/** The account, its audiences, their fields and webhooks, and what is started for members. */
export function installRoutes(app: SandboxServer['app'], state: MailchimpState, around: Around): void {
  const audienceOf = (request: Call): Audience | undefined =>
    state.audiences.find(({ id }) => id === request.params.list);

  app.get('/3.0/', async (request: Call) =>
    picked(
      {
        account_id: '8d3a3db4d97663a9074efcc16',
        account_name: 'Main Street Services',
        email: 'owner@business.example',
        role: 'owner',
        account_timezone: 'America/New_York',
        pricing_plan_type: 'monthly',
        total_subscribers: state.report().subscribed,
      },
      request.query.fields,
    ),
  );
  app.get('/3.0/ping', async () => ({ health_status: "Everything's Chimpy!" }));
  app.get('/3.0/lists', async (request: Call) => {
    const lists = state.audiences.map(({ id, name, created }) => ({ id, name, date_created: created }));
    return picked({ lists: paged(lists, request.query), total_items: lists.length }, request.query.fields);
  });
  app.get('/3.0/lists/:list/merge-fields', async (request: Call, reply) => {
    const audience = audienceOf(request);
    if (!audience) return missing(reply);
    const merge_fields = paged(audience.mergeFields, request.query);
    return { merge_fields, list_id: audience.id, total_items: audience.mergeFields.length };
  });

  app.get('/3.0/lists/:list/webhooks', async (request: Call, reply) => {
    const audience = audienceOf(request);
    if (!audience) return missing(reply);
    const { id, webhooks } = audience;
    return { webhooks: webhooks.map(shownHook), list_id: id, total_items: webhooks.length };
  });
  app.post('/3.0/lists/:list/webhooks', async (request: Call, reply) => {
    const audience = audienceOf(request);
    if (!audience) return missing(reply);
    const { url = '', events = {}, sources = {} } = request.body ?? {};
    const refuse = (message: string) =>
      problem(reply, 400, 'Invalid Resource', 'The resource submitted could not be validated.', [
        { field: 'url', message },
      ]);
    if (audience.webhooks.some((webhook) => webhook.url === url)) return refuse('There is a webhook for this URL.');
    if (!(await answers(url))) return refuse("We couldn't verify the URL; it must answer with 200.");
    const made = audience.listen(url, events, sources);
    return { ...shownHook(made), ...(around.signs ? { signing_secret: made.secret } : {}) };
  });
  app.delete('/3.0/lists/:list/webhooks/:id', async (request: Call, reply) => {
    const webhooks = audienceOf(request)?.webhooks;
    const at = webhooks?.findIndex(({ id }) => id === request.params.id) ?? -1;
    if (at < 0) return missing(reply);
    webhooks!.splice(at, 1);
    return reply.code(204).send();
  });

  installMembers(app, state, around, audienceOf);
  installStarts(app, state);
}

/** Journeys and automations, which are started for a member by address. */
function installStarts(app: SandboxServer['app'], state: MailchimpState): void {
  /** Why nothing can be started for somebody, or undefined. */
  const refusal = (email: string): string | undefined => {
    const member = state.audiences.map(({ members }) => members.get(hashOf(email))).find((found) => found);
    if (!member) return 'The contact is not in the audience of this journey.';
    return member.status === 'subscribed' ? undefined : 'The contact is not subscribed.';
  };
  app.post('/3.0/customer-journeys/journeys/:journey/steps/:step/actions/trigger', async (request: Call, reply) => {
    const { journey, step } = request.params;
    if (!state.steps.has(`${journey}/${step}`)) return missing(reply);
    const email = String(request.body?.email_address ?? '');
    const reason = refusal(email);
    if (reason) return problem(reply, 400, 'Bad Request', reason);
    state.started.push({ what: `journey:${journey}/${step}`, email });
    return reply.code(204).send();
  });
  app.post('/3.0/automations/:workflow/emails/:email/queue', async (request: Call, reply) => {
    const what = `automation:${request.params.workflow}/${request.params.email}`;
    const email = String(request.body?.email_address ?? '');
    const again = state.started.some((start) => start.what === what && start.email === email);
    const reason = again ? 'The contact is in the queue already.' : refusal(email);
    if (reason) return problem(reply, 400, 'Bad Request', reason);
    state.started.push({ what, email });
    return {
      id: hashOf(email),
      workflow_id: request.params.workflow,
      email_id: request.params.email,
      email_address: email,
    };
  });
}
