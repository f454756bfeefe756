import type { ActionDeps } from './actions/deps.ts';
import { one } from './base/database.ts';
import { messageOf, Problem } from './base/errors.ts';
import type { PagePorts } from './consent/page.routes.ts';
import { setDateIn } from './sync/dates.ts';

/**
 * The question for a birthday on the page of preferences. It is asked of people whose birthday nobody knows, and only
 * where something is done with it: a trigger of birthdays is on.
 */
export const askForBirthday = (deps: ActionDeps): NonNullable<PagePorts['birthday']> => ({
  wanted: async (tx, customerId) =>
    one(
      await tx.query<{ wanted: boolean }>(
        `select exists (select 1 from trigger where tenant_id = $1 and enabled and name = 'birthday') as wanted
         from customer where tenant_id = $1 and id = $2 and birthday is null`,
        [tx.tenantId, customerId],
      ),
    )?.wanted ?? false,
  save: async (tx, customerId, birthday) => {
    try {
      const entry = { kind: 'birthday', value: birthday, source: 'customer', by: 'customer' } as const;
      await setDateIn(deps, tx, customerId, entry);
      return undefined;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return messageOf(error);
    }
  },
});
