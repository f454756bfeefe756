import { expect } from 'vitest';
import type { Member } from '../../connectors/mailchimp/sandbox.audience.ts';
import { type MailchimpSandbox, start } from '../../connectors/mailchimp/sandbox.ts';
import { manualClock } from '../../src/base/clock.ts';
import { freePort, startTestHub, type TestHub } from '../support/hub.ts';

export const AT = '2026-03-02T15:00:00Z';
export const APP = { MAILCHIMP_CLIENT_ID: 'mailchimp-app', MAILCHIMP_CLIENT_SECRET: 'mailchimp-secret' };
export const SECOND_LIST = 'b7c6eb2165';

type Row = Record<string, any>;

/** A hub that is connected to a simulated Mailchimp, and what is asked of both. */
export interface Mailchimp {
  vendor: MailchimpSandbox;
  hub: TestHub;
  connection: Row;
  /** Somebody in the audience whom the hub knows. */
  somebody(fields?: Row): Promise<{ member: Member; customer: Row; n: number }>;
  customerOf(email: string): Promise<Row | undefined>;
  tell(type: string, member: Member, more?: Record<string, string>, source?: string): Promise<void>;
  read(): Promise<void>;
  rows(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Plans an action, lets it happen, and answers it. */
  act(kind: string, input: Row): Promise<Row>;
  stop(): Promise<void>;
}

/** Starts both, with two audiences; the first one is connected. */
export async function startMailchimp(): Promise<Mailchimp> {
  const port = await freePort();
  let hub: TestHub | undefined;
  const clock = { now: () => hub?.clock.now() ?? new Date(AT), sleep: manualClock(AT).sleep };
  const vendor = await start({ clock, app: APP, limits: false });
  const { audience } = vendor.state;
  audience.addField('PLAN', 'Service plan', 'dropdown', ['Gold', 'Silver']);
  audience.addField('LASTCONT', 'Last contacted', 'date');
  vendor.state.addAudience(SECOND_LIST, 'Partners').add('pat@partner.example', { FNAME: 'Pat' });
  const { login, us19 } = vendor.hosts;
  const env = { ...APP, MAILCHIMP_HOST_LOGIN: login!, MAILCHIMP_HOST_US19: us19! };
  const started = await startTestHub({ at: AT, port, connectors: ['mailchimp'], env });
  hub = started;
  const connection = await started.connect('mailchimp', { settings: { interests: { offers: '9143cf3bd1' } } });
  await started.settle();
  const customerOf = async (email: string): Promise<Row | undefined> => {
    const { body } = await started.api('GET', `/v1/customers?search=${encodeURIComponent(email)}`);
    return body.items[0] && (await started.api('GET', `/v1/customers/${body.items[0].id}`)).body;
  };
  const tell: Mailchimp['tell'] = async (type, member, more = {}, source = 'user') => {
    await vendor.tell(audience, type, member, more, source);
    await started.settle();
  };
  let people = 0;
  return {
    vendor,
    hub: started,
    connection,
    customerOf,
    tell,
    somebody: async (fields = {}) => {
      const n = ++people;
      const email = `somebody${n}@people.example`;
      const member = audience.add(email, { FNAME: 'Some', LNAME: `Body ${n}`, ...fields });
      await tell('subscribe', member);
      return { member, customer: (await customerOf(email))!, n };
    },
    read: async () => {
      await started.api('POST', `/v1/connections/${connection.id}/sync`, {});
      await started.settle();
    },
    rows: async (sql, values = []) =>
      (await started.hub.db.tenant(started.tenantId, (tx) => tx.query<Row>(sql, [started.tenantId, ...values]))).rows,
    act: async (kind, input) => {
      const planned = await started.api('POST', '/v1/actions', { kind, connectionId: connection.id, input });
      expect(planned.status, JSON.stringify(planned.body)).toBe(202);
      await started.settle();
      return (await started.api('GET', `/v1/actions/${planned.body.id}`)).body;
    },
    stop: async () => {
      await started.stop();
      await vendor.stop();
    },
  };
}
