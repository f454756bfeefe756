import { setTimeout as delay } from 'node:timers/promises';
import { staffEmail } from '../demo/business.ts';
import { type Call, caller, connectVendors, settle, startChase } from '../demo/owner.ts';
import { decideOnPage } from '../src/kit/sandbox/index.ts';
import type { LoadTargets } from './load.ts';
import type { KillablePostgres } from './postgres.ts';
import type { Opened } from './vendors.process.ts';

/** Calls the API until it answers: it is killed now and then. */
export function patient(url: string, key: string | undefined): Call {
  const call = caller(url, key);
  return async (method, way, body, headers) => {
    for (let tries = 0; ; tries++) {
      try {
        return await call(method, way, body, headers);
      } catch (error) {
        if (tries > 150 || /was refused \(4(?!29)/.test(String(error))) throw error;
        await delay(Math.min(1_000, 50 * 1.3 ** tries));
      }
    }
  };
}

/** The owner's first steps; nothing of it may be done twice. */
export async function setUp(url: string): Promise<{ key: string; tenantId: string }> {
  const { token, tenantId } = await patient(url, undefined)('POST', '/v1/setup', {
    ...{ business: 'Cleardrive Supply', name: 'Ruth Keller', email: staffEmail(5), password: 'a-password-nobody-uses' },
    ...{ zone: 'America/New_York', country: 'US', currency: 'USD' },
  });
  const { key } = await patient(url, token)('POST', '/v1/api-keys', { name: 'Chaos', role: 'admin' });
  return { key, tenantId };
}

/** Connects and reads everything, switches the chase on, and finds out whom requests can be about. */
export async function openBusiness(
  postgres: KillablePostgres,
  opened: Opened,
  call: Call,
  tenantId: string,
): Promise<LoadTargets> {
  await settle(call);
  await connectVendors(call, opened as never, () => {});
  for (;;) {
    const rows = await postgres.query<{ n: number }>(
      "select count(*)::int as n from stream where tenant_id = $1 and phase = 'initial'",
      [tenantId],
    );
    if (rows[0]!.n === 0) break;
    await delay(50);
  }
  await startChase(call);
  const { items } = await call('GET', '/v1/customers?limit=200');
  const customers = (items as { id: string; phone: string | null; email: string | null }[]).filter(
    (customer) => customer.phone && customer.email,
  );
  for (const { id } of customers.slice(0, 15))
    for (const channel of ['sms', 'email'])
      await call('POST', `/v1/customers/${id}/consent`, {
        channel,
        state: 'granted',
        evidence: 'Signed at the counter',
      });
  const connections = await call('GET', '/v1/connections');
  const hubspot = connections.items.find((item: { connector: string }) => item.connector === 'hubspot');
  return {
    customers: customers.map((customer) => customer.id),
    slackUsers: opened.slackUsers,
    hubspot: hubspot.id as string,
  };
}

/** The owner authorises again what a vendor ended. */
export async function careForConnections(postgres: KillablePostgres, call: Call): Promise<number> {
  const ended = await postgres
    .query<{ id: string }>("select id from connection where state = 'needs_reauthorisation'")
    .catch(() => []);
  let done = 0;
  for (const { id } of ended) {
    const { authorizeUrl } = await call('POST', `/v1/connections/${id}/authorise`);
    const page = await decideOnPage(authorizeUrl, 'allow').catch(() => undefined);
    if (page?.status === 200) done += 1;
  }
  return done;
}
