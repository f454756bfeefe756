import Fastify from 'fastify';
import { start as startHubSpot } from '../connectors/hubspot/sandbox.ts';
import { VERSION } from '../connectors/hubspot/version.ts';
import { start as startQuickBooks } from '../connectors/quickbooks/sandbox.ts';
import { start as startSlack } from '../connectors/slack/sandbox.ts';
import { start as startTwilio } from '../connectors/twilio/sandbox.ts';
import { systemClock } from '../src/base/clock.ts';
import { basicAuth } from '../src/kit/index.ts';

/** A request for a page of a list, and where the same payload is answered by nothing but a server. */
export interface List {
  name: string;
  method: 'GET' | 'POST';
  url: string;
  headers: Record<string, string>;
  body?: string;
  /** Records of a page. */
  records: number;
  bare: string;
}

/** Records each simulation holds: lists are paged through, so what they hold must not slow a page down. */
const HOLDS = 20_000;

const options = { clock: systemClock, app: {}, limits: false };
type Request = Omit<List, 'bare'>;

async function hubspot(): Promise<Request[]> {
  const { state, oauth, hosts } = await startHubSpot(options);
  const long = 'x'.repeat(20);
  for (let n = 0; n < HOLDS; n++) {
    const at = new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString();
    const name = { firstname: 'Ann', lastname: `Miller ${n}`, company: long, city: long };
    state.create('contacts', { ...name, email: `ann${n}@example.com`, phone: `+1212555${n}` }, at);
  }
  const properties = ['firstname', 'lastname', 'email', 'phone', 'company', 'city', 'lastmodifieddate', 'hs_object_id'];
  const headers = { authorization: `Bearer ${oauth.allow([])}`, 'content-type': 'application/json' };
  const objects = `${hosts.api}/crm/objects/${VERSION}/contacts`;
  const list = new URLSearchParams({ limit: '100', after: '110000', archived: 'false', properties: properties.join() });
  const since = String(Date.UTC(2026, 0, 1) + (HOLDS / 2) * 1000);
  const body = JSON.stringify({
    filterGroups: [{ filters: [{ propertyName: 'lastmodifieddate', operator: 'GTE', value: since }] }],
    properties,
    sorts: [{ propertyName: 'lastmodifieddate', direction: 'ASCENDING' }],
    limit: 100,
  });
  return [
    { name: 'hubspot_list', method: 'GET', url: `${objects}?${list}`, headers, records: 100 },
    { name: 'hubspot_search', method: 'POST', url: `${objects}/search`, headers, body, records: 100 },
  ];
}

async function quickbooks(): Promise<Request[]> {
  const { state, oauth, hosts, realmId } = await startQuickBooks(options);
  for (let n = 0; n < HOLDS; n++) {
    const at = new Date(Date.UTC(2026, 0, 1) + n * 1000);
    state.addCustomer(
      { GivenName: 'Ann', FamilyName: `Miller ${n}`, PrimaryEmailAddr: { Address: `a${n}@x.example` } },
      at,
    );
  }
  const query = new URLSearchParams({
    query:
      "select * from Customer where Active in (true, false) and MetaData.LastUpdatedTime >= '2026-01-01T02:00:00Z' orderby MetaData.LastUpdatedTime startposition 1 maxresults 1000",
  });
  const headers = { authorization: `Bearer ${oauth.allow([])}`, accept: 'application/json' };
  const url = `${hosts.api}/v3/company/${realmId}/query?${query}`;
  return [{ name: 'quickbooks_query', method: 'GET', url, headers, records: 1000 }];
}

async function twilio(): Promise<Request[]> {
  const { state, credentials, hosts } = await startTwilio(options);
  for (let n = 0; n < HOLDS / 10; n++) state.receive(`+1415555${n}`, '+15005550006', `Message ${n}`);
  const headers = { authorization: basicAuth(credentials.keySid, credentials.keySecret) };
  const url = `${hosts.api}/2010-04-01/Accounts/${credentials.accountSid}/Messages.json?PageSize=1000`;
  return [{ name: 'twilio_messages', method: 'GET', url, headers, records: 1000 }];
}

async function slack(): Promise<Request[]> {
  const { state, oauth, hosts } = await startSlack(options);
  for (let n = 0; n < HOLDS / 10; n++) state.addUser(`Ann Miller ${n}`, `ann${n}@example.com`);
  const headers = { authorization: `Bearer ${oauth.allow(['users:read', 'users:read.email'])}` };
  return [{ name: 'slack_users', method: 'GET', url: `${hosts.api}/users.list?limit=200`, headers, records: 200 }];
}

/** A process of its own: whoever asks must not take the time of whoever answers. */
async function serve(): Promise<void> {
  const requests = (await Promise.all([hubspot(), quickbooks(), twilio(), slack()])).flat();
  const bare = Fastify();
  const payloads = new Map<string, unknown>();
  bare.get<{ Params: { name: string } }>('/:name', async (request) => payloads.get(request.params.name));
  const address = await bare.listen({ host: '127.0.0.1', port: 0 });
  const lists: List[] = [];
  for (const request of requests) {
    const { name, method, url, headers, body } = request;
    const answer = await fetch(url, { method, headers, ...(body ? { body } : {}) });
    const payload: unknown = await answer.json();
    if (!answer.ok) throw new Error(`${name} answered ${answer.status}: ${JSON.stringify(payload).slice(0, 200)}`);
    payloads.set(name, payload);
    lists.push({ ...request, bare: `${address}/${name}` });
  }
  process.send?.(lists);
}

await serve();
