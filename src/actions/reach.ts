import type { Tx } from '../base/database.ts';
import { choiceOf } from '../consent/choice.ts';
import { consentsOf, suppressionsOf } from '../consent/store.ts';
import type { ReachQuestion } from '../sequences/ports.ts';
import type { Channel } from '../settings/schema.ts';
import { addressOf, KIND_OF_CHANNEL } from './channels.ts';
import { loadPeople } from './context.ts';
import type { ActionDeps } from './deps.ts';
import { loadRoutes } from './routing.ts';

/**
 * Whether one of the channels can carry a message to each customer now: an address, a connected platform that works, and
 * no objection, by the function that also decides about sending.
 */
export async function reachableNow(
  deps: ActionDeps,
  tx: Tx,
  asked: readonly ReachQuestion[],
  now: Date,
): Promise<boolean[]> {
  const customers = [...new Set(asked.map(({ customerId }) => customerId))];
  const people = await loadPeople(tx, customers);
  const routes = await loadRoutes(tx, deps.registry);
  const consents = await consentsOf(tx, customers);
  const ways = asked.map(({ customerId, channels }) => {
    const person = people.get(customerId);
    return channels.flatMap((channel) => {
      const address = person && !person.deleted_at ? addressOf(person, channel) : undefined;
      const route = routes.of(KIND_OF_CHANNEL[channel as Channel]);
      const carries = 'connection' in route && route.connection.state === 'active';
      return address && carries ? [{ channel, address, hash: deps.hash(tx.tenantId, channel, address) }] : [];
    });
  });
  const suppressions = await suppressionsOf(tx, ways.flat());
  const consentsBy = Map.groupBy(consents, ({ customer_id }) => customer_id);
  return asked.map(({ customerId, class: of, topic }, at) =>
    ways[at]!.some(({ channel, address, hash }) => {
      const closed = suppressions.find((row) => row.channel === channel && row.address_hash.equals(hash));
      return choiceOf({
        ...{ channel, class: of, topic, recipient: address, now },
        suppression: closed && { scope: closed.scope, reason: closed.reason, since: closed.created_at },
        consents: consentsBy.get(customerId) ?? [],
      }).allowed;
    }),
  );
}
