import { Problem } from '../base/errors.ts';
import { manual, reminderUnanswered } from './catalogue/asked.ts';
import { invoiceOverdue, invoicePaid } from './catalogue/invoices.ts';
import { paymentFailed } from './catalogue/payments.ts';
import type { TriggerDefinition } from './schema.ts';

/** Every kind of trigger there is. */
export const CATALOGUE: readonly TriggerDefinition[] = [
  invoiceOverdue,
  invoicePaid,
  paymentFailed,
  reminderUnanswered,
  manual,
];

/** @throws Problem naming the triggers there are */
export function triggerDefinition(name: string): TriggerDefinition {
  const found = CATALOGUE.find((definition) => definition.name === name);
  if (!found) {
    throw new Problem(422, 'invalid', `There is no trigger "${name}".`, {
      fix: `The triggers are ${CATALOGUE.map((definition) => definition.name).join(', ')}.`,
    });
  }
  return found;
}
