import { loadPeople } from '../actions/context.ts';
import { addressOf } from '../actions/plan.ts';
import type { Tx } from '../base/database.ts';
import { choiceOf } from '../consent/choice.ts';
import type { AddressHash } from '../consent/optout.ts';
import { consentsOf, suppressionsOf } from '../consent/store.ts';
import { classOf, type Definition } from '../sequences/schema.ts';
import type { MessageClass } from '../settings/schema.ts';

/** A way in which messages of a sequence may go out. */
interface Way {
  channel: string;
  class: MessageClass;
}

/** The channels and classes of a sequence's messages, each pair once. */
export function waysOf(definition: Definition): Way[] {
  const ways = definition.steps.flatMap((step): Way[] => {
    const message = 'message' in step ? step.message : 'survey' in step ? step.survey : undefined;
    return (message?.channels ?? []).map((channel) => ({ channel, class: message!.class ?? classOf(definition) }));
  });
  return [...new Map(ways.map((way) => [`${way.channel} ${way.class}`, way])).values()];
}

/**
 * Who could not be written to by a sequence: without an address, or closed on every channel. It asks the same function
 * about choices as the gate does. A sequence without messages reaches everybody.
 * @returns the reason, by customer; who can be reached is not in it
 */
export async function unreachable(
  deps: { hash: AddressHash },
  tx: Tx,
  definition: Definition,
  customerIds: readonly string[],
  now: Date,
): Promise<Map<string, 'unreachable' | 'opted_out'>> {
  const ways = waysOf(definition);
  if (ways.length === 0 || customerIds.length === 0) return new Map();
  const people = await loadPeople(tx, customerIds);
  const addresses = [...people.values()].flatMap((person) =>
    [...new Set(ways.map(({ channel }) => channel))].flatMap((channel) => {
      const address = addressOf(person, channel);
      return address === undefined
        ? []
        : [{ customerId: person.id, channel, address, hash: deps.hash(tx.tenantId, channel, address) }];
    }),
  );
  const closed = new Map(
    (await suppressionsOf(tx, addresses)).map((row) => [`${row.channel} ${row.address_hash.toString('hex')}`, row]),
  );
  const consents = Map.groupBy(await consentsOf(tx, customerIds), (row) => row.customer_id);
  const reachable = new Set<string>();
  const known = new Set<string>();
  for (const { customerId, channel, address, hash } of addresses) {
    known.add(customerId);
    const suppression = closed.get(`${channel} ${hash.toString('hex')}`);
    for (const way of ways) {
      if (way.channel !== channel || reachable.has(customerId)) continue;
      const choice = choiceOf({
        ...{ channel, class: way.class, topic: definition.topic, recipient: address, now },
        suppression: suppression && { ...suppression, since: suppression.created_at },
        consents: consents.get(customerId) ?? [],
      });
      if (choice.allowed) reachable.add(customerId);
    }
  }
  return new Map(
    customerIds
      .filter((id) => !reachable.has(id))
      .map((id) => [id, known.has(id) ? ('opted_out' as const) : ('unreachable' as const)]),
  );
}
