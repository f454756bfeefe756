import type { Static } from 'typebox';
import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { invalid, notFound, Problem } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, ref } from '../http/helpers.ts';
import { lookUpCustomer } from '../model/store.ts';
import { outcomesOf } from '../sequences/entry.ts';
import { triggerDefinition } from './catalogue.ts';
import { checkedSettings } from './routes.ts';
import { Trial, TrialInput } from './schema.ts';
import { findTrigger, listTriggers } from './store.ts';
import { tryTrigger } from './trial.ts';

const NOTES = {
  facts: 'From facts as they are stored now; what was corrected since counts as corrected.',
  changes: 'From the changes that were noticed live and are kept for 400 days; first loads never fire.',
  none: 'People and sequences start this one themselves: nothing in the data tells when.',
};

/**
 * Tries a trigger on a customer. Everything it does is rolled back.
 * @throws Problem when there is no such trigger, the settings are wrong, or the customer is not exactly one
 */
export async function runTrial(
  db: Pick<Database, 'rehearse'>,
  tenantId: string,
  input: Static<typeof TrialInput>,
  now: Date,
): Promise<Static<typeof Trial>> {
  if ((input.triggerId === undefined) === (input.trigger === undefined))
    throw invalid('Name either a trigger of the business or a kind of trigger.', [
      { path: 'trigger', message: 'must stand alone or be replaced by triggerId' },
    ]);
  return db.rehearse(tenantId, async (tx) => {
    const own = input.triggerId
      ? await findTrigger(tx, input.triggerId)
      : (await listTriggers(tx))
          .filter(({ name }) => name === input.trigger)
          .sort((a, b) => Number(b.enabled) - Number(a.enabled))[0];
    if (input.triggerId && !own) throw notFound('trigger', input.triggerId);
    const definition = triggerDefinition(own?.name ?? input.trigger!);
    const settings = checkedSettings(definition.name, { ...own?.settings, ...input.settings });
    const [customer, ...more] = await lookUpCustomer(tx, input.customer);
    if (!customer) throw notFound('customer', input.customer);
    if (more.length > 0)
      throw new Problem(409, 'several', `Several customers are called "${input.customer}".`, {
        fix: 'Name one by the e-mail address or id.',
      });
    const tried = { ...(own && { id: own.id }), name: definition.name, settings };
    const trial = await tryTrigger(tx, tried, customer.id, input.months ?? 12, now);
    const outcomes = await outcomesOf(tx, own, trial.found);
    return {
      trigger: definition.name,
      arms: definition.arms,
      settings,
      customer: { id: customer.id, name: customer.name },
      from: trial.from,
      to: trial.to,
      note: NOTES[trial.source],
      items: trial.found.map(({ occurredOn, occurredAt, subject, businessKey }, at) => ({
        occurredOn,
        occurredAt: occurredAt.toISOString(),
        subject,
        businessKey,
        outcome: outcomes[at]!,
      })),
    };
  });
}

/** "When would this have fired for her?" */
export function trialRoutes(app: App, deps: { db: Database; clock: Clock }): void {
  app.post(
    '/v1/triggers/try',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['triggers'],
        summary: 'When a trigger would have fired for a customer in the last months; changes nothing',
        body: ref(TrialInput),
        response: { 200: ref(Trial) },
      },
    },
    (request) => runTrial(deps.db, caller(request).tenantId, request.body, deps.clock.now()),
  );
}
