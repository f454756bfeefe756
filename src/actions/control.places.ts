import type { Tx } from '../base/database.ts';
import { plain, tagsOf } from '../triggers/match.ts';
import { wordsIn } from './control.words.ts';
import type { ActionDeps } from './deps.ts';
import { loadRoutes } from './routing.ts';
import { insertRequest } from './store.ts';

/** A record of a customer at a platform, with what stands there. */
export interface Place {
  connectionId: string;
  /** Connector. */
  connection: string;
  remoteId: string;
  words: string[];
  tags: string[];
  custom: Record<string, unknown> | null;
}

/** The records behind a customer in connected systems. */
export async function placesOf(tx: Tx, customerId: string, field: string | undefined): Promise<Place[]> {
  const { rows } = await tx.query<Omit<Place, 'words' | 'tags'> & { tags: string[] | null }>(
    `select c.id as "connectionId", c.connector as connection, p.remote_id as "remoteId", p.tags, p.custom from contact_projection p
       join stream s on s.tenant_id = p.tenant_id and s.id = p.stream_id join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id
     where p.tenant_id = $1 and p.entity_id = $2 and p.deleted_at is null order by p.source_updated_at desc nulls last, p.remote_id`,
    [tx.tenantId, customerId],
  );
  return rows.map((row) => ({ ...row, tags: tagsOf(row.tags), words: wordsIn(row, field) }));
}

/**
 * Takes off what was said, to show that it was done: tags are removed and the field is written without the words, at
 * every record that has them. It comes back as an echo, so nothing follows from it.
 */
export async function acknowledgeWords(
  deps: Pick<ActionDeps, 'registry' | 'queue'>,
  tx: Tx,
  said: {
    customerId: string;
    field: string | undefined;
    places: readonly Place[];
    words: readonly string[];
    change: string;
  },
  now: Date,
): Promise<void> {
  const routes = await loadRoutes(tx, deps.registry);
  const done = new Set(said.words.map(plain));
  const common = {
    channel: 'native',
    recipient: said.customerId,
    class: 'internal' as const,
    customer_id: said.customerId,
    created_by: 'staff control',
  };
  let planned = 0;
  const plan = async (
    place: Place,
    kind: 'remove_tag' | 'update_field',
    what: string,
    input: Record<string, unknown>,
  ): Promise<void> => {
    if (!routes.byConnection(place.connectionId, kind)) return;
    const made = await insertRequest(
      tx,
      {
        ...common,
        kind,
        connection_id: place.connectionId,
        plan: { type: 'direct', input },
        idempotency_key: `control:${said.change}:${place.connectionId}:${place.remoteId}:${what}`,
      },
      now,
    );
    if (made) planned += 1;
  };
  for (const place of said.places) {
    for (const tag of place.tags.filter((name) => done.has(plain(name))))
      await plan(place, 'remove_tag', plain(tag), { tag, about: { contact: place.remoteId } });
    const own = said.field ? wordsIn({ tags: null, custom: { own: place.custom ?? {} } }, said.field) : [];
    const rest = own.filter((word) => !done.has(plain(word)));
    if (rest.length < own.length)
      await plan(place, 'update_field', 'field', {
        object: 'contact',
        id: place.remoteId,
        fields: { [said.field!]: rest.join('; ') },
      });
  }
  if (planned > 0) await deps.queue.send(tx, 'dispatch', { tenantId: tx.tenantId });
}
