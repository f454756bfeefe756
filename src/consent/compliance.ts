/**
 * Legal constants as data: value, source and the day it took effect. Defaults of the settings are taken from here;
 * a tenant's lawyer may know better, so everything can be configured.
 */
export interface Rule {
  /** Country (ISO 3166-1), country and state (US-FL), a union (EU) or everywhere (*). */
  region: string;
  channels: readonly ('sms' | 'call' | 'email' | 'whatsapp')[];
  /** Classes of messages it is about. */
  classes: readonly ('marketing' | 'transactional')[];
  about: string;
  value: Record<string, unknown>;
  source: string;
  effective: string;
}

/** A rule about the hours in which people may be written to. */
export interface HoursRule extends Rule {
  about: 'hours';
  /** Days: Monday 1 to Sunday 7. Holidays: whether nothing goes out on public holidays of the region. */
  value: { open: string; close: string; days?: readonly number[]; holidays?: 'closed' };
}

const EVERY_DAY_BUT_SUNDAY = [1, 2, 3, 4, 5, 6] as const;
const BY_PHONE = { channels: ['sms', 'call'], classes: ['marketing'], about: 'hours' } as const;
const STATE_LAW = { ...BY_PHONE, source: 'state telephone solicitation law', effective: '2021-07-01' } as const;
const CUSTOMARY = { channels: ['sms'], classes: ['marketing'], about: 'hours' } as const;
const CUSTOMARY_SOURCE = {
  source: "customary quiet hours of marketing texts (Klaviyo's defaults by country)",
  effective: '2024-01-01',
} as const;

/** Hours by region. A message must suit the stricter of these and the business's own. */
export const HOURS: readonly HoursRule[] = [
  {
    ...BY_PHONE,
    region: 'US',
    value: { open: '08:00', close: '21:00' },
    source: '47 CFR 64.1200(c)(1)',
    effective: '1992-12-20',
  },
  ...['FL', 'MD', 'MA'].map(
    (state): HoursRule => ({ ...STATE_LAW, region: `US-${state}`, value: { open: '08:00', close: '20:00' } }),
  ),
  ...['AL', 'LA', 'MS'].map(
    (state): HoursRule => ({
      ...STATE_LAW,
      region: `US-${state}`,
      value: { open: '08:00', close: '20:00', days: EVERY_DAY_BUT_SUNDAY },
    }),
  ),
  ...['CT', 'NV'].map(
    (state): HoursRule => ({ ...STATE_LAW, region: `US-${state}`, value: { open: '09:00', close: '20:00' } }),
  ),
  { ...STATE_LAW, region: 'US-KY', value: { open: '10:00', close: '21:00' } },
  ...['GB', 'IE', 'DE', 'AU'].map(
    (region): HoursRule => ({
      ...CUSTOMARY,
      ...CUSTOMARY_SOURCE,
      region,
      value: { open: '08:00', close: '21:00' },
    }),
  ),
  {
    ...CUSTOMARY,
    ...CUSTOMARY_SOURCE,
    region: 'FR',
    value: { open: '08:00', close: '22:00', days: EVERY_DAY_BUT_SUNDAY, holidays: 'closed' },
  },
];

/** How long a consent that nobody gave in words lasts. */
export interface ImpliedRule extends Rule {
  about: 'implied consent';
  value: { basis: 'implied_purchase' | 'implied_inquiry'; months: number };
}

export const IMPLIED: readonly ImpliedRule[] = (
  [
    ['implied_purchase', 24],
    ['implied_inquiry', 6],
  ] as const
).map(([basis, months]) => ({
  region: 'CA',
  channels: ['email', 'sms', 'whatsapp'],
  classes: ['marketing'],
  about: 'implied consent',
  value: { basis, months },
  source: 'CASL, S.C. 2010, c. 23, s. 10(10) and (13)',
  effective: '2014-07-01',
}));

/** One text that confirms a STOP, without marketing, within so many minutes. */
export const CONFIRMATION: Rule & { value: { minutes: number; messages: number } } = {
  region: 'US',
  channels: ['sms', 'whatsapp'],
  classes: ['transactional'],
  about: 'confirmation of an opt-out',
  value: { minutes: 5, messages: 1 },
  source: '47 CFR 64.1200(a)(12)',
  effective: '2025-04-11',
};

export const COMPLIANCE: readonly Rule[] = [
  ...HOURS,
  ...IMPLIED,
  CONFIRMATION,
  {
    region: 'US',
    channels: ['sms'],
    classes: ['marketing'],
    about: 'revocation',
    value: { days: 10, weTake: 'at once' },
    source: '47 CFR 64.1200(a)(10)',
    effective: '2025-04-11',
  },
  {
    region: 'US',
    channels: ['email'],
    classes: ['marketing'],
    about: 'opt-out',
    value: { days: 10, weTake: 'at once', postalAddress: true },
    source: 'CAN-SPAM, 15 USC 7704',
    effective: '2004-01-01',
  },
  {
    region: '*',
    channels: ['email'],
    classes: ['marketing'],
    about: 'one-click unsubscribe',
    value: { header: 'List-Unsubscribe-Post: List-Unsubscribe=One-Click' },
    source: 'RFC 8058',
    effective: '2017-01-01',
  },
  {
    region: 'EU',
    channels: ['email'],
    classes: ['marketing'],
    about: 'objection',
    value: { weTake: 'at once' },
    source: 'GDPR art. 21(3)',
    effective: '2018-05-25',
  },
];
