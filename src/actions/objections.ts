import type { Tx } from '../base/database.ts';
import { choiceOf } from '../consent/choice.ts';
import { consentsOf, suppressionsOf } from '../consent/store.ts';
import { endRuns } from '../sequences/endings.ts';
import { type RunRow, runningRuns } from '../sequences/runs.ts';
import { classOf } from '../sequences/schema.ts';
import { loadDefinition } from '../sequences/store.ts';
import { CHANNELS } from '../settings/schema.ts';
import { addressOf, KIND_OF_CHANNEL } from './channels.ts';
import { loadPeople } from './context.ts';
import type { ActionDeps } from './deps.ts';
import { loadRoutes } from './routing.ts';

/**
 * Ends the enrolments somebody no longer wants, in the transaction of their objection: an objection to all marketing on
 * every channel the business could reach them on ends every marketing sequence; sequences that say `opted_out` end by an
 * objection to their topic, too. An objection to one of several channels is no objection to the matter.
 */
export async function endObjecting(deps: ActionDeps, tx: Tx, customerId: string, now: Date): Promise<void> {
  const running = await runningRuns(tx, [customerId]);
  if (running.length === 0) return;
  const person = (await loadPeople(tx, [customerId])).get(customerId);
  const routes = await loadRoutes(tx, deps.registry);
  const ways = CHANNELS.flatMap((channel) => {
    const address = person && addressOf(person, channel);
    const carried = 'connection' in routes.of(KIND_OF_CHANNEL[channel]);
    return address && carried ? [{ channel, address, hash: deps.hash(tx.tenantId, channel, address) }] : [];
  });
  if (ways.length === 0) return;
  const consents = await consentsOf(tx, [customerId]);
  const suppressions = await suppressionsOf(tx, ways);
  const objectsTo = (topic: string | null): boolean =>
    ways.every(({ channel, address, hash }) => {
      const closed = suppressions.find((row) => row.channel === channel && row.address_hash.equals(hash));
      const choice = choiceOf({
        ...{ channel, class: 'marketing', topic, recipient: address, consents, now },
        suppression: closed && { scope: closed.scope, reason: closed.reason, since: closed.created_at },
      });
      return !choice.allowed && choice.reason !== 'no_consent';
    });
  const all = objectsTo(null);
  const ending: RunRow[] = [];
  for (const run of running) {
    const definition = await loadDefinition(tx, run.sequence_id, run.version);
    const named = definition.exits.includes('opted_out');
    if ((classOf(definition) === 'marketing' && all) || (named && objectsTo(definition.topic))) ending.push(run);
  }
  if (ending.length > 0) await endRuns(deps.ports, tx, ending, 'opted_out', now);
}
