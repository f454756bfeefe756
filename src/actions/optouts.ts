import type { Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { listConnections } from '../connections/store.ts';
import type { ChoiceDeps } from '../consent/choices.ts';
import type { OptOutDeps, TellPlatforms } from '../consent/optout.ts';
import type { ProofPorts } from '../consent/schema.ts';
import type { OptOutChannel } from '../kit/index.ts';
import { CHANNELS } from '../settings/schema.ts';
import { loadPeople } from './context.ts';
import type { ActionDeps } from './deps.ts';
import { afterEnd } from './ending.ts';
import { endObjecting } from './objections.ts';
import { addressOf, KIND_OF_CHANNEL } from './plan.ts';
import { loadRoutes, nativeIdOf } from './routing.ts';
import { insertRequest } from './store.ts';
import { cancelRequests, countSending, recommit } from './transitions.ts';

/** Who asked for what tells platforms of objections; the proof finds it by this. */
const TELLING = 'consent:opt-out';

/** What opting out needs from this room: queued messages end, their enrolments go on another way, platforms are told. */
export const optOutDeps = (deps: ActionDeps): OptOutDeps => ({
  hash: deps.hash,
  cancelQueued: async (tx, what) => {
    const { customerId, address, channel, topic, reason } = what;
    // A topic of somebody unknown: there is nobody to cancel anything for.
    if (!customerId && !address) return { cancelled: 0, inFlight: 0 };
    const where = {
      ...(customerId ? { customerId } : {}),
      ...(address ? { address } : {}),
      ...{ channel, topic, class: what.class, reason, detail: 'The customer opted out.' },
    };
    const cancelled = await cancelRequests(tx, where, what.at);
    if (customerId) await endObjecting(deps, tx, customerId, what.at);
    for (const request of cancelled) await afterEnd(deps, tx, request, what.at);
    return { cancelled: cancelled.length, inFlight: await countSending(tx, where) };
  },
  tellPlatforms: (tx, what) => tellPlatforms(deps, tx, what),
});

/** The same for the preferences page, whose wishes must also reach what was let through and has not left yet. */
export const choiceDeps = (deps: ActionDeps): ChoiceDeps => ({ ...optOutDeps(deps), lookAgain: recommit });

/**
 * Plans, for each connection whose platform can hold it, the action that tells it of an objection. Told like anything
 * else that is done at a platform: within its limits, tried again when it fails, seen in the person's proof.
 */
async function tellPlatforms(deps: ActionDeps, tx: Tx, what: Parameters<TellPlatforms>[1]): Promise<void> {
  const connections = (await listConnections(tx)).filter(
    ({ id, state }) => state !== 'revoked' && !what.besides.includes(id),
  );
  const able = connections.flatMap((connection) => {
    const connector = deps.registry.find(connection.connector);
    const holding = connector?.optOut?.[what.channel as OptOutChannel];
    const action = holding && connector?.actions.find(({ kind }) => kind === holding.kind);
    const on = action && (action.feature === undefined || connection.features.includes(action.feature));
    return connector && holding && on ? [{ connection, connector, holding, action }] : [];
  });
  if (able.length === 0) return;
  const person = what.customerId ? (await loadPeople(tx, [what.customerId])).get(what.customerId) : undefined;
  const address = what.address ?? (person && addressOf(person, what.channel));
  if (!address) return;
  let planned = false;
  for (const { connection, connector, holding, action } of able) {
    const route = { connection, connector, action };
    const contact = await nativeIdOf(tx, route, 'contact', what.customerId ?? null);
    const input = holding.input(
      {
        channel: what.channel as OptOutChannel,
        address,
        ...(contact ? { contact } : {}),
        ...(what.topic ? { topic: what.topic } : {}),
        at: what.at,
      },
      connection.settings,
    );
    if (!input) continue;
    const request = {
      kind: holding.kind,
      channel: 'native',
      recipient: what.customerId ?? 'somebody unknown',
      class: 'internal' as const,
      topic: what.topic ?? null,
      plan: { type: 'direct' as const, input },
      customer_id: what.customerId ?? null,
      connection_id: connection.id,
      idempotency_key: `opt-out:${newId()}`,
      priority: 8,
      created_by: TELLING,
    };
    planned = (await insertRequest(tx, request, what.at)) !== undefined || planned;
  }
  if (planned) await deps.queue.send(tx, 'dispatch', { tenantId: tx.tenantId });
}

/** Channels the business can write to people on, by the platforms that are connected. */
export async function channelsOf(deps: ActionDeps, tx: Tx): Promise<string[]> {
  const routes = await loadRoutes(tx, deps.registry);
  return CHANNELS.filter((channel) => 'connection' in routes.of(KIND_OF_CHANNEL[channel]));
}

/** Which platforms were told of a person's objections, newest first. */
export const passedOn: ProofPorts['passedOn'] = async (tx, customerId) => {
  const { rows } = await tx.query<{
    name: string | null;
    connection_id: string | null;
    channel: string | null;
    topic: string | null;
    state: string;
    reason_detail: string | null;
    updated_at: Date;
  }>(
    `select c.name, r.connection_id, coalesce(r.plan #>> '{input,channel}', r.plan #>> '{input,data,channel}') as channel, r.topic, r.state, r.reason_detail, r.updated_at
     from action_request r left join connection c on c.tenant_id = r.tenant_id and c.id = r.connection_id
     where r.tenant_id = $1 and r.customer_id = $2 and r.created_by = $3 order by r.id desc limit 100`,
    [tx.tenantId, customerId, TELLING],
  );
  return rows.map((row) => ({
    platform: row.name ?? 'a platform that was removed',
    connectionId: row.connection_id,
    channel: row.channel ?? 'email',
    topic: row.topic ?? '*',
    state: row.state,
    detail: row.reason_detail,
    at: row.updated_at.toISOString(),
  }));
};
