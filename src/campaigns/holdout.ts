import { createHash } from 'node:crypto';

/**
 * Whether somebody is left out of a campaign on purpose. The same customer is always on the same side of the same
 * campaign, whoever asks and however often; another campaign shuffles anew.
 * @param campaignId what the shares are drawn for
 * @param percent share left out, 0 to 50
 */
export function isHeldOut(campaignId: string, customerId: string, percent: number): boolean {
  if (percent <= 0) return false;
  const drawn = createHash('sha256').update(`holdout ${campaignId} ${customerId}`).digest().readUIntBE(0, 6);
  return (drawn / 2 ** 48) * 100 < percent;
}
