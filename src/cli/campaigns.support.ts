import type { Tx } from '../base/database.ts';
import { Problem } from '../base/errors.ts';
import type { CampaignDeps } from '../campaigns/deps.ts';
import { runCampaigns } from '../campaigns/jobs.ts';
import type { CampaignRow } from '../campaigns/store.ts';
import { lookUpCustomer } from '../model/store.ts';
import { type CommonOptions, tenantOf, withHub } from './context.ts';

/** Options of a command of campaigns. */
export type Options = CommonOptions & Record<string, string | boolean | undefined>;

/** Work on one business, in one transaction, and the drip looked at afterwards. */
export async function act<T>(
  options: Options,
  work: (tx: Tx, deps: CampaignDeps, now: Date) => Promise<T>,
  wake = false,
): Promise<T> {
  return withHub(async (hub) => {
    const tenantId = await tenantOf(hub, options);
    const deps: CampaignDeps = { ...hub.deps, start: hub.start };
    const done = await hub.db.tenant(tenantId, (tx) => work(tx, deps, hub.clock.now()));
    if (wake) await runCampaigns(deps, tenantId);
    return done;
  });
}

/** Who does it, on the campaign as it was read in the same transaction. */
export const hand = (campaign: CampaignRow, now: Date) => ({ expected: campaign.version, actor: 'cli', now });

/** The one customer somebody names. @throws Problem when there is none, or several */
export const idOf = async (tx: Tx, text: string): Promise<string> => {
  const found = await lookUpCustomer(tx, text);
  if (found.length === 1) return found[0]!.id;
  throw new Problem(
    404,
    'not_found',
    found.length > 1 ? `Several customers are called "${text}".` : `There is no customer "${text}".`,
  );
};

/** A number that was typed; null: none was. */
export const number = (text: unknown): number | null => (text === undefined ? null : Number(text));
