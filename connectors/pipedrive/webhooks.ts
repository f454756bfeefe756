import {
  basicAuth,
  defineWebhooks,
  type HookEvent,
  jsonOf,
  listAt,
  type RawHook,
  type Secrets,
  sameBytes,
  textAt,
  type VendorContext,
  type Verdict,
} from '../../src/kit/index.ts';
import { OBJECTS } from './objects.ts';
import { v1 } from './paths.ts';

const USER = 'rapport';
const DAY_MS = 86_400_000;

/** Pipedrive signs nothing: it logs in with the password it was given. */
function verify(hook: RawHook, secrets: Secrets): Verdict {
  const given = hook.headers.authorization;
  if (!given || !secrets.webhookSecret) return { ok: false, reason: 'missing_signature' };
  return sameBytes(given, basicAuth(USER, secrets.webhookSecret))
    ? { ok: true }
    : { ok: false, reason: 'bad_signature' };
}

function eventsOf(hook: RawHook): HookEvent[] {
  const post = jsonOf(hook);
  const entity = textAt(post, 'meta.entity');
  const action = textAt(post, 'meta.action');
  const id = textAt(post, 'meta.entity_id');
  if (!entity || !action || !id) throw new Error('Pipedrive posts what happened to a record; this names none.');
  const stream = OBJECTS.find((object) => object.entity === entity)?.name;
  if (!stream) return [];
  const time = textAt(post, 'meta.timestamp') ?? '';
  const at = new Date(time);
  const base = {
    type: 'record' as const,
    key: textAt(post, 'meta.id') ?? [textAt(post, 'meta.correlation_id'), id, time].join('|'),
    ...(Number.isNaN(at.getTime()) ? {} : { at }),
    stream,
  };
  if (action !== 'delete') return [{ ...base, id, change: 'changed' }];
  const into = textAt(post, 'meta.merged_to_id');
  return into ? [{ ...base, id, change: 'merged', into }] : [{ ...base, id, change: 'deleted' }];
}

/**
 * Enters our address for every kind of record, once. Pipedrive takes one away after three days without success, so it is
 * looked after every day.
 * @returns when to look again; undefined where nobody can reach us
 */
export async function subscribe(ctx: VendorContext): Promise<{ again: Date } | undefined> {
  const secret = await ctx.webhookSecret();
  if (!ctx.webhookUrl || !secret) return undefined;
  const known = (await ours(ctx)).filter((hook) => textAt(hook, 'is_active') !== '0');
  for (const { entity, title } of OBJECTS) {
    if (known.some((hook) => textAt(hook, 'event_object') === entity)) continue;
    await ctx.call({
      method: 'POST',
      path: v1('webhooks'),
      json: {
        ...{ subscription_url: ctx.webhookUrl, event_action: '*', event_object: entity, name: `Rapport: ${title}` },
        ...{ version: '2.0', http_auth_user: USER, http_auth_password: secret },
      },
    });
  }
  return { again: new Date(ctx.now.getTime() + DAY_MS) };
}

const ours = async (ctx: VendorContext): Promise<unknown[]> => {
  const { body } = await ctx.call({ method: 'GET', path: v1('webhooks') });
  return listAt(body, 'data').filter((hook) => textAt(hook, 'subscription_url') === ctx.webhookUrl);
};

export async function unsubscribe(ctx: VendorContext): Promise<void> {
  for (const hook of await ours(ctx))
    await ctx.call({ method: 'DELETE', path: v1(`webhooks/${textAt(hook, 'id')}`), expect: 'none' });
}

export const webhooks = defineWebhooks({
  scope: 'connection',
  secret: true,
  subscribes: true,
  renews: true,
  announces: { persons: true, organizations: true, deals: true, activities: true },
  verify: (hook, secrets) => verify(hook, secrets.connection),
  events: eventsOf,
});
