import { makeApiKey } from '../../access/identity.ts';
import type { Hub } from '../../hub.ts';
import { CHANNELS } from '../../settings/schema.ts';
import { type Case, type Fact, RECORDS } from './schema.ts';
import { STAGE_TOKEN, type StageRecords } from './stage.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API are looked at where they are used.
type Answer = any;

/** Calls the hub as the owner of the business would. @throws Error with the hub's own words */
export type Call = (method: string, path: string, body?: unknown, more?: Record<string, string>) => Promise<Answer>;

/** A business made for one case, and how it is spoken to. */
export interface Scene {
  hub: Hub;
  tenantId: string;
  call: Call;
  /** Where the stage is told of records. */
  hook: string;
  customerId: string;
  /** Records as they were told so far, by kind and id: a later fact about the same record only says what is new. */
  records: StageRecords;
  /** Key of the sequence that is rehearsed. */
  sequence: string;
}

/** @throws Error when the hub refuses */
export async function caller(hub: Hub, tenantId: string): Promise<Call> {
  const { key } = await makeApiKey(hub.access, tenantId, { name: 'rehearsal', role: 'admin', by: 'rehearsal' });
  return async (method, path, body, more = {}) => {
    const answer = await fetch(`${hub.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...more,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} was refused: ${text}`);
    return { ...(text.startsWith('{') ? JSON.parse(text) : {}), etag: answer.headers.get('etag') };
  };
}

/** Posts an event to the stage as another system would. */
export async function tell(scene: Pick<Scene, 'hub' | 'hook'>, type: string, data: object): Promise<void> {
  const answer = await fetch(`${scene.hub.url}${scene.hook}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${STAGE_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ type, timestamp: scene.hub.clock.now().toISOString(), data }),
  });
  if (!answer.ok) throw new Error(`A fact was refused: ${await answer.text()}`);
}

export const CUSTOMER = 'customer';

/** Tells of a record; what was told of it before still holds. */
export async function tellRecord(scene: Scene, kind: string, fields: Record<string, unknown>): Promise<void> {
  const id = String(fields.id ?? (kind === 'contact' ? CUSTOMER : kind));
  const known = scene.records.get(`${kind} ${id}`) ?? (kind === 'contact' ? {} : { contact_id: CUSTOMER });
  const record = { ...known, ...fields, id, updated_at: scene.hub.clock.now().toISOString() };
  scene.records.set(`${kind} ${id}`, record);
  await tell(scene, `${kind}.upserted`, record);
}

/** Makes a fact happen now. */
export async function happen(scene: Scene, fact: Fact): Promise<void> {
  const { call, customerId } = scene;
  const contact = scene.records.get(`contact ${CUSTOMER}`) as { email?: string; phone?: string };
  for (const kind of RECORDS) if (fact[kind]) await tellRecord(scene, kind, fact[kind]);
  if (fact.writes)
    await tell(scene, 'engagement.recorded', {
      ...{ kind: 'replied', contact_id: CUSTOMER, email: contact.email, body: fact.writes },
      occurred_at: scene.hub.clock.now().toISOString(),
    });
  if (fact.opts_out) await optOut(scene, fact.opts_out, contact);
  if (fact.answers) await answerSurvey(scene, fact.answers);
  if (fact.vip !== undefined) {
    const { etag } = await call('GET', `/v1/customers/${customerId}/score`).catch(() => ({ etag: undefined }));
    await call('PUT', `/v1/customers/${customerId}/vip`, { vip: fact.vip }, etag ? { 'if-match': etag } : {});
  }
  if (fact.promises) await call('POST', `/v1/customers/${customerId}/promises`, { promisedOn: fact.promises });
  if (fact.enrols)
    await call('POST', '/v1/enrolments', {
      ...{ sequence: scene.sequence, customers: [customerId], reason: 'rehearsal' },
    });
  if (fact.campaign) await startCampaign(scene, fact.campaign);
}

async function optOut(
  scene: Scene,
  what: 'email' | 'sms' | 'all',
  { email, phone }: { email?: string; phone?: string },
): Promise<void> {
  if (what === 'email') return tell(scene, 'engagement.recorded', { kind: 'unsubscribed', email });
  if (what === 'sms') return tell(scene, 'engagement.recorded', { kind: 'stop', phone });
  for (const channel of CHANNELS)
    await scene.call('POST', `/v1/customers/${scene.customerId}/consent`, {
      ...{ channel, state: 'denied', evidence: 'said so in the rehearsal' },
    });
}

/** Switches a campaign on, as it was previewed. */
async function startCampaign({ call, customerId, sequence }: Scene, title: string): Promise<void> {
  const { id } = await call('POST', '/v1/campaigns', {
    ...{ key: 'rehearsal', title, sequence, audience: { customers: [customerId] } },
  });
  const { token } = await call('POST', `/v1/campaigns/${id}/preview`);
  const { etag } = await call('GET', `/v1/campaigns/${id}`);
  await call('POST', `/v1/campaigns/${id}/start`, { token, confirm: 1 }, { 'if-match': etag });
}

/** Opens the page the customer was last invited to, fills it in and sends it. */
async function answerSurvey({ hub, tenantId }: Scene, answers: Record<string, unknown>): Promise<void> {
  const { rows } = await hub.db.tenant(tenantId, (tx) =>
    tx.query<{ text: string }>(
      `select content->>'text' as text from action_request where tenant_id = $1 and state = 'sent' and content->>'text' ~ '/s/' order by ended_at desc limit 1`,
      [tenantId],
    ),
  );
  const [link] = /\/s\/[\w.~-]+/.exec(rows[0]?.text ?? '') ?? [];
  if (!link) throw new Error('Nobody invited the customer to a survey yet.');
  let page = await (await fetch(`${hub.url}${link}`)).text();
  // Questions that are asked because of an answer come with the next page.
  for (let pages = 0; pages < 10 && page.includes('name="q-'); pages++) {
    const hidden = [...page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const form = new URLSearchParams(hidden.map(([, name, value]): [string, string] => [name!, value!]));
    for (const [key, value] of Object.entries(answers))
      for (const one of [value].flat()) form.append(`q-${key}`, String(one));
    form.set('do', 'send');
    const answer = await fetch(`${hub.url}${link}`, { method: 'POST', body: form });
    page = await answer.text();
    if (!answer.ok) throw new Error(`The answer was refused: ${page}`);
  }
}

/** The customer as the case describes them, under what the file says of all of them. */
export const customerOf = (wanted: Case): NonNullable<Case['customer']> => ({
  ...{ name: 'Ann Miller', first_name: 'Ann', last_name: 'Miller', email: 'ann@customer.example' },
  ...{ phone: '+12125550101', timezone: 'America/New_York', locale: 'en', country: 'US', region: 'NY' },
  ...wanted.customer,
});
