import { at, listAt, type Secrets, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** What we are told of (dossier, Webhooks; an unknown name would have the whole webhook refused). */
export const SUBSCRIPTIONS: readonly string[] = [
  ...[
    'created',
    'status_changed',
    'custom_status_changed',
    'priority_changed',
    'subject_changed',
    'type_changed',
    'tags_changed',
    'custom_field_changed',
    'agent_assignment_changed',
    'group_assignment_changed',
    'organization_changed',
    'requester_changed',
    'comment_added',
    'merged',
    'soft_deleted',
    'permanently_deleted',
    'undeleted',
  ].map((what) => `ticket.${what}`),
  ...['created', 'active_changed', 'deleted', 'merged', 'tags_changed', 'custom_field_changed'].map(
    (what) => `user.${what}`,
  ),
  ...['created', 'deleted', 'name_changed', 'tags_changed', 'custom_field_changed'].map(
    (what) => `organization.${what}`,
  ),
].map((type) => `zen:event-type:${type}`);

const NAME = 'Rapport';

/** The webhook that leads to our address, if there is one. */
async function ours(ctx: VendorContext): Promise<unknown> {
  for (let after: string | undefined, page = 0; page < 20; page++) {
    const query = { 'page[size]': 100, 'page[after]': after };
    const { body }: { body: unknown } = await ctx.call({ method: 'GET', path: '/api/v2/webhooks', query });
    const found = listAt(body, 'webhooks').find((webhook) => textAt(webhook, 'endpoint') === ctx.webhookUrl);
    if (found !== undefined) return found;
    after = at(body, 'meta.has_more') === true ? textAt(body, 'meta.after_cursor') : undefined;
    if (after === undefined) return undefined;
  }
  return undefined;
}

const isComplete = (webhook: unknown): boolean =>
  textAt(webhook, 'status') === 'active' &&
  SUBSCRIPTIONS.every((type) => listAt(webhook, 'subscriptions').includes(type));

/**
 * Has Zendesk tell us of changes, and learns what it signs its posts with. A webhook of ours that is there already is
 * used again; whoever switched it off gets it switched on by asking for this once more.
 * @returns the secret to keep
 */
export async function listen(ctx: VendorContext): Promise<Secrets> {
  if (!ctx.webhookUrl || !ctx.features.includes('write')) return {};
  const webhook = {
    name: NAME,
    endpoint: ctx.webhookUrl,
    http_method: 'POST',
    request_format: 'json',
    status: 'active',
    subscriptions: SUBSCRIPTIONS,
  };
  const known = await ours(ctx);
  let id = textAt(known, 'id');
  if (id === undefined) {
    const { body } = await ctx.call({ method: 'POST', path: '/api/v2/webhooks', json: { webhook } });
    id = textAt(body, 'webhook.id');
  } else if (!isComplete(known)) {
    const path = `/api/v2/webhooks/${encodeURIComponent(id)}`;
    await ctx.call({ method: 'PUT', path, json: { webhook }, expect: 'none' });
  }
  if (id === undefined) throw new VendorError('malformed', 'Zendesk made a webhook and did not say its id.');
  const path = `/api/v2/webhooks/${encodeURIComponent(id)}/signing_secret`;
  const { body } = await ctx.call({ method: 'GET', path });
  const signingSecret = textAt(body, 'signing_secret.secret');
  if (!signingSecret) throw new VendorError('malformed', 'Zendesk does not say what it signs its posts with.');
  return { signingSecret };
}
