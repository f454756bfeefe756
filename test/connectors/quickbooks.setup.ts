import { expect, vi } from 'vitest';
import { type QuickBooksSandbox, start } from '../../connectors/quickbooks/sandbox.ts';
import { manualClock } from '../../src/base/clock.ts';
import { freePort, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

export const APP = {
  QUICKBOOKS_CLIENT_ID: 'quickbooks-app',
  QUICKBOOKS_CLIENT_SECRET: 'quickbooks-secret',
  QUICKBOOKS_WEBHOOK_VERIFIER: 'quickbooks-verifier',
};
export const AT = '2026-03-02T15:00:00Z';

type Row = Record<string, any>;

const hostsOf = (sandbox: QuickBooksSandbox): Record<string, string> =>
  Object.fromEntries(
    Object.entries(sandbox.hosts).map(([name, url]) => [`QUICKBOOKS_HOST_${name.toUpperCase()}`, url]),
  );

/** A hub connected to a simulated company, with what the tests ask of both. */
export class Books {
  readonly vendor: QuickBooksSandbox;
  readonly hub: TestHub;
  readonly connection: Row;
  private people = 0;

  private constructor(vendor: QuickBooksSandbox, hub: TestHub, connection: Row) {
    this.vendor = vendor;
    this.hub = hub;
    this.connection = connection;
  }

  /** @param fill what the company's books hold before the hub sees them */
  static async open(fill: (vendor: QuickBooksSandbox) => void = () => {}): Promise<Books> {
    const port = await freePort();
    let hub: TestHub | undefined;
    // The simulation reads the hub's clock, so that both live in the same moment.
    const clock = { now: () => hub?.clock.now() ?? new Date(AT), sleep: manualClock(AT).sleep };
    const vendor = await start({ clock, app: APP, hookUrl: `http://127.0.0.1:${port}/hooks/quickbooks` });
    fill(vendor);
    hub = await startTestHub({ at: AT, port, connectors: ['quickbooks'], env: { ...APP, ...hostsOf(vendor) } });
    // A machine with much else to do can find the hub too busy for requests right after its start.
    const busy = { timeout: 30_000, interval: 250 };
    await vi.waitFor(async () => expect((await hub!.api('GET', '/v1/connections')).status).toBe(200), busy);
    const connection = await hub.connect('quickbooks');
    await hub.settle();
    return new Books(vendor, hub, connection);
  }

  async close(): Promise<void> {
    await this.hub.stop();
    await this.vendor.stop();
  }

  /** The vendor behaves again. */
  calm(): void {
    this.vendor.server.faults.clear();
    this.vendor.state.beforeQuery = undefined;
    this.vendor.hookForm = 'cloudevents';
    this.vendor.remembersRefusals = false;
  }

  /** Changes settings of the connection. */
  async set(settings: Row): Promise<void> {
    const path = `/v1/connections/${this.connection.id}`;
    const etag = (await this.hub.api('GET', path)).headers.get('etag')!;
    expect((await this.hub.api('PATCH', path, { settings }, { 'if-match': etag })).status).toBe(200);
  }

  /** Lets the hub work until all it was told of is fetched. What waits for the vendor's limits waits on the clock. */
  async rest(): Promise<void> {
    const { hub } = this;
    const open = 'select 1 from hint where tenant_id = $1 and done_at is null limit 1';
    await hub.settle();
    for (let waited = 0; waited < 2 * MINUTE && (await this.select(open)).length > 0; waited += 5_000)
      await hub.advance(5_000);
  }

  /** Reads streams now. */
  async read(...streams: string[]): Promise<void> {
    await this.hub.api('POST', `/v1/connections/${this.connection.id}/sync`, { streams });
    await this.rest();
  }

  async stream(name: string): Promise<Row> {
    const { body } = await this.hub.api('GET', `/v1/streams?connectionId=${this.connection.id}`);
    return body.items.find((item: { stream: string }) => item.stream === name);
  }

  async search(text: string): Promise<Row[]> {
    return (await this.hub.api('GET', `/v1/customers?search=${encodeURIComponent(text)}`)).body.items;
  }

  async documents(customerId: string): Promise<Record<string, any[]>> {
    return (await this.hub.api('GET', `/v1/customers/${customerId}/documents`)).body;
  }

  async parked(): Promise<Row[]> {
    return (await this.hub.api('GET', '/v1/parked')).body.items;
  }

  async select(sql: string, ...more: unknown[]): Promise<Row[]> {
    const { hub, tenantId } = this.hub;
    return (await hub.db.tenant(tenantId, (tx) => tx.query<Row>(sql, [tenantId, ...more]))).rows;
  }

  /** The invoice with this id at the vendor, as the hub has it. */
  async invoice(id: string): Promise<Row> {
    const sql = `select i.* from invoice i join stream s on s.tenant_id = i.tenant_id and s.id = i.stream_id
      where i.tenant_id = $1 and i.remote_id = $2 and s.connection_id = $3`;
    return (await this.select(sql, id, this.connection.id))[0]!;
  }

  /** A customer of their own for a test, known to the hub. */
  async newCustomer(more: Row = {}): Promise<{ id: string; name: string; email: string; hubId: string }> {
    const name = `Person ${++this.people}`;
    const email = `person${this.people}@example.com`;
    const made = this.vendor.state.addCustomer({
      GivenName: 'Test',
      FamilyName: name,
      PrimaryEmailAddr: { Address: email },
      ...more,
    });
    await this.vendor.announce([{ entity: 'Customer', operation: 'created', id: made.Id }]);
    await this.rest();
    const found = (await this.search(name)).at(-1);
    if (!found) throw new Error(`The hub does not know ${name}.`);
    return { id: made.Id, name: `Test ${name}`, email, hubId: found.id };
  }

  /** The same with an invoice that has been due since the day before. */
  async debtor(amount = 100, more: Row = {}) {
    const customer = await this.newCustomer();
    const bill = { customer: customer.id, amount, issued: '2026-02-01', due: '2026-03-01', ...more };
    const made = this.vendor.state.addInvoice(bill);
    await this.vendor.announce([{ entity: 'Invoice', operation: 'created', id: made.Id }]);
    await this.rest();
    return { ...customer, invoice: made.Id };
  }

  /** What the vendor was asked since `before` calls, as method and address without the company. */
  asked(before: number): string[] {
    const base = `/v3/company/${this.vendor.state.realm}`;
    return this.vendor.server.journal.slice(before).map(({ method, path, query }) => {
      const text = query.query === undefined ? '' : ` ${String(query.query)}`;
      return `${method} ${path.replace(base, '')}${text}`;
    });
  }

  /** Asks for an action. */
  async plan(kind: string, input: Row): Promise<string> {
    const planned = await this.hub.api('POST', '/v1/actions', { kind, input, connectionId: this.connection.id });
    expect(planned.status, JSON.stringify(planned.body)).toBe(202);
    await this.rest();
    return planned.body.id;
  }

  async action(id: string): Promise<Row> {
    return (await this.hub.api('GET', `/v1/actions/${id}`)).body;
  }

  /** What came of an action after the hub had `wait` milliseconds to do it. */
  async act(kind: string, input: Row, wait = 0): Promise<Row> {
    const id = await this.plan(kind, input);
    for (let waited = 0; waited < wait; waited += MINUTE) await this.hub.advance(MINUTE);
    return this.action(id);
  }
}

/** A token as the vendor's page and token endpoint give it. */
export async function tokenOf(sandbox: QuickBooksSandbox): Promise<string> {
  const url = sandbox.hosts.api!;
  const back = {
    client_id: APP.QUICKBOOKS_CLIENT_ID,
    redirect_uri: 'http://127.0.0.1/back',
    response_type: 'code',
    scope: 'com.intuit.quickbooks.accounting',
    state: 's',
  };
  const page = await fetch(`${url}/connect/oauth2`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ ...back, decision: 'allow' }),
  });
  const code = new URL(page.headers.get('location')!).searchParams.get('code')!;
  const client = Buffer.from(`${APP.QUICKBOOKS_CLIENT_ID}:${APP.QUICKBOOKS_CLIENT_SECRET}`).toString('base64');
  const answer = await fetch(`${url}/oauth2/v1/tokens/bearer`, {
    method: 'POST',
    headers: { authorization: `Basic ${client}` },
    body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: back.redirect_uri }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

/** Asks a simulation directly. */
export async function ask(
  sandbox: QuickBooksSandbox,
  token: string,
  pathAndQuery: string,
  accept = 'application/json',
): Promise<{ status: number; body: any }> {
  const answer = await fetch(`${sandbox.hosts.api}${pathAndQuery}`, {
    headers: { authorization: `Bearer ${token}`, accept },
  });
  const text = await answer.text();
  return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : text };
}
