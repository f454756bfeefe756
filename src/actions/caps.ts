import type { Preference } from '../consent/preferences.ts';
import type { TouchRow } from '../consent/store.ts';
import type { Cap, SettingValue } from '../settings/schema.ts';
import type { Facts } from './gate.ts';

const DAY_MS = 86_400_000;

/** Longest window any cap looks back over, in days. */
export const longest = (caps: SettingValue<'caps'>, wishes: readonly Preference[]): number =>
  Math.max(
    1,
    ...[...caps.marketing, ...caps.marketingPerCompany, ...(caps.marketingPerHousehold ?? [])].map((cap) => cap.days),
    ...wishes.map((wish) => wish.at_most_days ?? 0),
  );

/** One message that would be counted, and what was counted before. */
export interface Counting {
  requestId: string;
  channel: string;
  customerId: string;
  companyId: string | null;
  /** Everybody of the person's households, the person included. */
  household: ReadonlySet<string>;
  wish: Preference | undefined;
  caps: SettingValue<'caps'>;
  /** Messages to any of them, those of this batch included. */
  touches: readonly TouchRow[];
  now: Date;
}

/** Whether one more marketing message would be one too many, over rolling windows, for the person and those around. */
export function capFact(counting: Counting): Facts['caps'] {
  const { caps, wish, customerId, companyId, household } = counting;
  // One that was let through before and is decided anew in this batch counts once.
  const all = [...new Map(counting.touches.map((touch) => [touch.request_id, touch])).values()].filter(
    (touch) => touch.request_id !== counting.requestId,
  );
  const own = all.filter((touch) => touch.customer_id === customerId);
  const asked: Cap[] =
    wish?.at_most_messages === null || wish?.at_most_messages === undefined
      ? []
      : [{ messages: wish.at_most_messages, days: wish.at_most_days!, then: 'skip' }];
  return (
    reached(asked, own, 'The customer asked for fewer messages and', counting) ??
    reached(caps.marketing, own, 'The customer', counting) ??
    reached(
      caps.marketingPerHousehold ?? [],
      all.filter((touch) => household.has(touch.customer_id)),
      'The household',
      counting,
    ) ??
    (companyId
      ? reached(
          caps.marketingPerCompany,
          all.filter((touch) => touch.company_id === companyId),
          'The company',
          counting,
        )
      : undefined)
  );
}

function reached(
  caps: readonly Cap[],
  touches: readonly TouchRow[],
  whom: string,
  { now, channel }: Counting,
): Facts['caps'] {
  for (const cap of caps) {
    const channels = cap.channels as readonly string[] | undefined;
    if (channels && !channels.includes(channel)) continue;
    const since = now.getTime() - cap.days * DAY_MS;
    const within = touches
      .filter((touch) => (cap.counts === 'all' || touch.class === 'marketing') && touch.class !== 'internal')
      .filter((touch) => !channels || channels.includes(touch.channel))
      .map((touch) => touch.at.getTime())
      .filter((at) => at > since);
    if (within.length < cap.messages) continue;
    // A place becomes free when the oldest of those that fill the cap leaves the window.
    const oldest = within.sort((a, b) => a - b)[within.length - cap.messages];
    const freeAt = new Date((oldest ?? now.getTime()) + cap.days * DAY_MS + 1);
    const kind = cap.counts === 'all' ? 'messages' : 'marketing messages';
    const where = channels ? ` on ${channels.join(' or ')}` : '';
    return {
      detail: `${whom} already had ${within.length} ${kind}${where} in ${cap.days} days; at most ${cap.messages} are allowed.`,
      freeAt,
      then: cap.then,
    };
  }
  return undefined;
}
