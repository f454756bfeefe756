import { shareOf } from '../sequences/shares.ts';

/**
 * Whether somebody is left out of a campaign on purpose. The same customer is always on the same side of the same
 * campaign, whoever asks and however often; another campaign shuffles anew.
 * @param campaignId what the shares are drawn for
 * @param percent share left out, 0 to 50
 */
export const isHeldOut = (campaignId: string, customerId: string, percent: number): boolean =>
  shareOf(customerId, campaignId, 'campaign') * 100 < percent;
