import { decideOnPage } from '../src/kit/sandbox/index.ts';
import { STAFF, staffEmail } from './business.ts';
import type { Vendors } from './vendors.ts';

/** Calls the hub's API as the owner of the sample business. @throws Error with the hub's own words when it refuses */
// biome-ignore lint/suspicious/noExplicitAny: answers are read like a script would
export type Call = <Body = Record<string, any>>(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH',
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Body>;

export const caller =
  (url: string, token: string | undefined): Call =>
  async (method, path, body, headers = {}) => {
    const form = body instanceof FormData;
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined || form ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} was refused (${answer.status}): ${text}`);
    return (text === '' ? {} : JSON.parse(text)) as never;
  };

/** What the owner gets from the fresh hub: a business and a key for programs. */
export async function setUpBusiness(url: string): Promise<{ call: Call; key: string; tenantId: string }> {
  const setup = await caller(url, undefined)('POST', '/v1/setup', {
    business: 'Cleardrive Supply',
    name: 'Ruth Keller',
    email: staffEmail(5),
    password: 'a-demo-password-nobody-uses',
    zone: 'America/New_York',
    country: 'US',
    currency: 'USD',
  });
  const { key } = await caller(url, setup.token)('POST', '/v1/api-keys', { name: 'Demo', role: 'admin' });
  return { call: caller(url, key), key, tenantId: setup.tenantId };
}

/** Connects every vendor: those with OAuth through their own page, the others by entering what they ask for. */
export async function connectVendors(call: Call, vendors: Vendors, said: (name: string) => void): Promise<void> {
  for (const connector of ['hubspot', 'quickbooks', 'slack']) {
    const { authorizeUrl } = await call('POST', '/v1/connections', { connector });
    const page = await decideOnPage(authorizeUrl, 'allow');
    if (page.status !== 200) throw new Error(`The way back from ${connector} failed: ${page.body}`);
    said(connector);
  }
  const { twilio, smtp } = vendors;
  const { accountSid, keySid, keySecret, authToken } = twilio.credentials;
  await call('POST', '/v1/connections', {
    connector: 'twilio',
    settings: { accountSid, keySid, keySecret, authToken, messagingServiceSid: twilio.state.service.sid },
  });
  said('twilio');
  await call('POST', '/v1/connections', { connector: 'smtp', settings: { ...smtp.credentials } });
  said('smtp');
}

/** Changes a setting by what it holds now. */
async function change(call: Call, key: string, value: object): Promise<void> {
  const { version } = await call('GET', `/v1/settings/${key}`);
  await call('PUT', `/v1/settings/${key}`, value, { 'if-match': `"${version}"` });
}

/** Quiet hours by local law, six-hourly polling (webhooks tell the rest), who stands in for whom. */
export async function settle(call: Call): Promise<void> {
  await change(call, 'business', { name: 'Cleardrive Supply', phone: '+1 614 555 0100', replyTo: staffEmail(4) });
  await change(call, 'sync', { pollSeconds: 6 * 3600 });
}

/** Staff come from HubSpot's owners; deputies and roles are the owner's to say. */
export async function nameDeputies(call: Call): Promise<void> {
  for (const [at, { first, last, roles }] of STAFF.entries()) {
    const { items } = await call('GET', '/v1/staff');
    if (!items.some((person: { email: string }) => person.email === staffEmail(at)))
      await call('POST', '/v1/staff', { email: staffEmail(at), name: `${first} ${last}`, roles: [...roles] });
  }
  const { items } = await call('GET', '/v1/staff');
  const find = (at: number) => items.find((person: { email: string }) => person.email === staffEmail(at));
  for (const [at, { roles }] of STAFF.entries()) {
    const person = find(at);
    const deputy = find((at + 1) % STAFF.length);
    await call(
      'PATCH',
      `/v1/staff/${person.id}`,
      { deputyId: deputy.id, roles: [...roles] },
      { 'if-match': `"${person.version}"` },
    );
  }
}

/** Imports the jobs from the file of the workshop's program. */
export async function importJobs(call: Call, csv: string): Promise<{ rows: number; parked: number }> {
  const form = new FormData();
  form.append('file', new Blob([csv], { type: 'text/csv' }), 'workshop-jobs.csv');
  return call('POST', '/v1/imports/jobs', form);
}

/** Installs the playbook and switches it on; payments and silence are noted too. */
export async function startChase(call: Call): Promise<void> {
  for (const name of ['invoice.paid', 'reminder.unanswered'])
    await call('POST', '/v1/triggers', { name, enabled: true });
  const sequence = await call('POST', '/v1/playbooks/overdue-chase/install', {});
  await call(
    'POST',
    `/v1/sequences/${sequence.id}/switch`,
    { on: true },
    { 'if-match': `"${sequence.version}"`, 'idempotency-key': 'demo-switch' },
  );
}
