import { newId, sha256 } from '../base/ids.ts';
import { routeOfConnection } from '../connections/coordinator.ts';
import { readCredential } from '../connections/credentials.ts';
import { appSecretsOf, connectorOf, originOf } from '../connections/vendors.ts';
import type { HookAnswer, RawHook, Secrets } from '../kit/index.ts';
import type { SyncDeps } from './deps.ts';

/**
 * Headers worth keeping with a post: what later reading of it may need, and nothing that authenticates. A connector may
 * name further ones.
 */
const KEPT =
  /^(content-type|webhook-id|svix-id|webhook-timestamp|x-hubspot-request-timestamp|x-slack-retry-num|i-twilio-idempotency-token|user-agent)$/;

const OK: HookAnswer = { status: 200 };

export interface Received {
  answer: HookAnswer;
  /** Why it was refused, for the count; undefined when it was taken. */
  refused?: string;
}

/**
 * Takes a vendor's post: verified, stored as bytes, answered. Nothing is done with it before that, and what does not
 * verify is never stored.
 * @param connectionId for connectors whose address belongs to one connection
 */
export async function receiveHook(
  deps: SyncDeps,
  connectorId: string,
  connectionId: string | undefined,
  hook: RawHook,
): Promise<Received> {
  const connector = connectorOf(deps.registry, connectorId);
  const { webhooks } = connector;
  if (!webhooks || (webhooks.scope === 'connection') !== (connectionId !== undefined))
    return refuse(deps, connectorId, 'no_such_address', 404);
  let secrets: Secrets = {};
  if (connectionId !== undefined) {
    const route = await routeOfConnection({ query: deps.db.statement }, connectorId, connectionId);
    if (!route) return refuse(deps, connectorId, 'no_such_connection', 404);
    secrets = (await readCredential(deps, route.tenant_id, connectionId)).secrets;
  }
  const verdict = await webhooks.verify(
    hook,
    {
      app: appSecretsOf(deps.config, connector),
      connection: secrets,
      host: (name) => originOf(deps.config, connector, name, { settings: {}, secrets: {} }),
    },
    deps.clock.now(),
  );
  if (!verdict.ok) return refuse(deps, connectorId, verdict.reason, verdict.status ?? 401);
  const handshake = webhooks.handshake?.(hook);
  if (handshake) return { answer: handshake };
  const key = webhooks.key?.(hook) ?? sha256(Buffer.concat([Buffer.from(hook.url), hook.body])).toString('base64');
  const kept = {
    ...hook,
    // Where a vendor signs nothing, the secret stands in the address.
    url: secrets.webhookSecret ? hook.url.replaceAll(secrets.webhookSecret, '[secret]') : hook.url,
    ...(webhooks.kept ? { body: webhooks.kept(hook) } : {}),
  };
  await storeHook(deps, connectorId, connectionId, withHeaders(kept, webhooks.headers), `${connectionId ?? ''}${key}`);
  return { answer: webhooks.answer?.(hook) ?? OK };
}

/** A post with the headers that are kept. */
const withHeaders = (hook: RawHook, named: readonly string[] = []): RawHook => ({
  ...hook,
  headers: Object.fromEntries(Object.entries(hook.headers).filter(([name]) => KEPT.test(name) || named.includes(name))),
});

/** Stores the post and its job in one transaction: answered means kept. A second delivery finds the first. */
async function storeHook(
  deps: SyncDeps,
  connector: string,
  connectionId: string | undefined,
  hook: RawHook,
  key: string,
): Promise<void> {
  await deps.db.system(async (tx) => {
    const id = newId();
    const { rowCount } = await tx.query(
      `insert into hook_inbox (id, connector, connection_id, dedupe_key, method, url, headers, body, received_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (connector, dedupe_key) do nothing`,
      [id, connector, connectionId ?? null, key, hook.method, hook.url, hook.headers, hook.body, deps.clock.now()],
    );
    if (rowCount === 1) await deps.queue.send(tx, 'inbox', { hookId: id });
  });
}

async function refuse(deps: SyncDeps, connector: string, reason: string, status: number): Promise<Received> {
  await deps.db.statement(
    `insert into hook_refusal as r (connector, day, reason, times) values ($1, $2, $3, 1)
     on conflict (connector, day, reason) do update set times = r.times + 1`,
    [connector, deps.clock.now().toISOString().slice(0, 10), reason],
  );
  return { answer: { status }, refused: reason };
}
