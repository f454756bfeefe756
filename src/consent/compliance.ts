/**
 * Legal constants as data: value, source and the day it took effect. Defaults of the settings are taken from here;
 * a tenant's lawyer may know better, so everything can be configured.
 */
export interface Rule {
  region: string;
  channel: 'sms' | 'call' | 'email' | 'whatsapp';
  about: string;
  value: Record<string, unknown>;
  source: string;
  effective: string;
}

export const COMPLIANCE: readonly Rule[] = [
  {
    region: 'US',
    channel: 'sms',
    about: 'hours',
    value: { open: '08:00', close: '21:00' },
    source: '47 CFR 64.1200(c)(1)',
    effective: '1992-12-20',
  },
  ...['FL', 'MD', 'MA'].map(
    (state): Rule => ({
      region: `US-${state}`,
      channel: 'sms',
      about: 'hours',
      value: { open: '08:00', close: '20:00' },
      source: 'state telephone solicitation law',
      effective: '2021-07-01',
    }),
  ),
  ...['AL', 'LA', 'MS'].map(
    (state): Rule => ({
      region: `US-${state}`,
      channel: 'sms',
      about: 'hours',
      value: { open: '08:00', close: '20:00', days: [1, 2, 3, 4, 5, 6] },
      source: 'state telephone solicitation law',
      effective: '2021-07-01',
    }),
  ),
  ...['CT', 'NV'].map(
    (state): Rule => ({
      region: `US-${state}`,
      channel: 'sms',
      about: 'hours',
      value: { open: '09:00', close: '20:00' },
      source: 'state telephone solicitation law',
      effective: '2021-07-01',
    }),
  ),
  {
    region: 'US-KY',
    channel: 'sms',
    about: 'hours',
    value: { open: '10:00', close: '21:00' },
    source: 'state telephone solicitation law',
    effective: '2021-07-01',
  },
  {
    region: 'US',
    channel: 'sms',
    about: 'revocation',
    value: { days: 10, weTake: 'at once' },
    source: '47 CFR 64.1200(a)(10)',
    effective: '2025-04-11',
  },
  {
    region: 'US',
    channel: 'email',
    about: 'opt-out',
    value: { days: 10, weTake: 'at once', postalAddress: true },
    source: 'CAN-SPAM, 15 USC 7704',
    effective: '2004-01-01',
  },
  {
    region: '*',
    channel: 'email',
    about: 'one-click unsubscribe',
    value: { header: 'List-Unsubscribe-Post: List-Unsubscribe=One-Click' },
    source: 'RFC 8058',
    effective: '2017-01-01',
  },
  {
    region: 'EU',
    channel: 'email',
    about: 'objection',
    value: { weTake: 'at once' },
    source: 'GDPR art. 21(3)',
    effective: '2018-05-25',
  },
];
