import type { Tx } from '../base/database.ts';
import { type ConnectionRow, listConnections } from '../connections/store.ts';
import type { Registry } from '../connections/vendors.ts';
import type { ActionDefinition, ActionKind, Category, Connector, EntityKind } from '../kit/index.ts';
import { setting } from '../settings/store.ts';

/** Where an action happens. */
export interface Route {
  connection: ConnectionRow;
  connector: Connector;
  action: ActionDefinition;
}

// Which kind of system is meant when several could do it and nobody chose: a task belongs into the CRM.
const PREFERENCE: Partial<Record<ActionKind, readonly Category[]>> = {
  create_task: ['crm', 'other'],
  add_note: ['crm', 'billing'],
  add_tag: ['crm'],
  remove_tag: ['crm'],
  update_field: ['crm', 'billing'],
  create_ticket: ['crm', 'other'],
  create_calendar_event: ['other', 'crm'],
  send_email: ['email', 'crm', 'billing'],
  send_sms: ['messaging'],
  send_whatsapp: ['messaging'],
  send_chat: ['chat'],
  send_invoice_reminder: ['billing'],
};

/** The connections of a tenant, loaded once for a batch of decisions. */
export interface Routes {
  /** Where a kind of action happens, or why nowhere. */
  of(kind: ActionKind): Route | { missing: string };
  byConnection(id: string, kind: ActionKind): Route | undefined;
}

export async function loadRoutes(tx: Tx, registry: Registry): Promise<Routes> {
  const connections = await listConnections(tx);
  const chosen = (await setting(tx, 'delivery')).connections as Record<string, string>;
  const able = (kind: ActionKind): Route[] =>
    connections.flatMap((connection) => {
      const connector = registry.find(connection.connector);
      const action = connector?.actions.find((candidate) => candidate.kind === kind);
      const on = action && (action.feature === undefined || connection.features.includes(action.feature));
      return connector && action && on ? [{ connection, connector, action }] : [];
    });
  return {
    of(kind) {
      const routes = able(kind);
      const wanted = chosen[kind];
      if (wanted) {
        const route = routes.find((candidate) => candidate.connection.id === wanted);
        return route ?? { missing: `the connection chosen for ${kind} cannot do it any more` };
      }
      const order = PREFERENCE[kind] ?? [];
      const rank = (route: Route): number => {
        const at = order.indexOf(route.connector.category);
        return (at === -1 ? order.length : at) + (route.connection.state === 'active' ? 0 : 100);
      };
      const best = routes.sort((a, b) => rank(a) - rank(b))[0];
      return best ?? { missing: `no connected platform can ${kind.replaceAll('_', ' ')}` };
    },
    byConnection(id, kind) {
      return able(kind).find((route) => route.connection.id === id);
    },
  };
}

/** The native id of an entity's record on a connection, or undefined when it has none there. */
export async function nativeIdOf(
  tx: Tx,
  route: Route,
  kind: EntityKind,
  entityId: string | null,
): Promise<string | undefined> {
  if (!entityId) return undefined;
  const streams = route.connector.streams
    .filter((stream) => stream.entities.includes(kind))
    .map((stream) => stream.name);
  if (streams.length === 0) return undefined;
  const table = kind === 'contact' || kind === 'company' ? `${kind}_projection` : kind;
  const { rows } = await tx.query<{ remote_id: string }>(
    `select p.remote_id from ${table} p join stream s on s.tenant_id = p.tenant_id and s.id = p.stream_id and s.connection_id = $3 and s.name = any($4)
     where p.tenant_id = $1 and p.entity_id = $2 and p.deleted_at is null order by p.source_updated_at desc nulls last limit 1`,
    [tx.tenantId, entityId, route.connection.id, streams],
  );
  return rows[0]?.remote_id;
}

/** The native id of a member of staff on a connection, found by e-mail address. */
export async function nativeStaffId(tx: Tx, route: Route, email: string): Promise<string | undefined> {
  const { rows } = await tx.query<{ remote_id: string }>(
    `select o.remote_id from owner o join stream s on s.tenant_id = o.tenant_id and s.id = o.stream_id and s.connection_id = $3
     where o.tenant_id = $1 and lower(o.email) = lower($2) and o.deleted_at is null and coalesce(o.active, true) limit 1`,
    [tx.tenantId, email, route.connection.id],
  );
  return rows[0]?.remote_id;
}
