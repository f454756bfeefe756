import { beforeAll, expect, test } from 'vitest';
import { handlersOf, type Job } from './support/handlers.ts';
import { HOUR, type TestHub } from './support/hub.ts';
import { pausingAt } from './support/pauses.ts';
import { beginStory, type Customer, type Row, type Story, staffEmail } from './support/story.ts';
import { afterTheJob, fillIn, invited } from './support/surveys.ts';

/** How often each job is worked on: the queue promises at least once. */
type Way = (work: () => Promise<void>) => Promise<void>;
const once: Way = (work) => work();
const twoAtOnceAndOnceMore: Way = async (work) => {
  await Promise.all([work(), work()]);
  await work();
};

/** Works on everything in the queues until nothing is left, each job in the way given; notes which queues had work. */
function worker(way: Way, seen: Set<string>): (hub: TestHub) => Promise<void> {
  return async ({ hub }) => {
    const handlers = handlersOf(hub);
    for (let round = 0; round < 200; round++) {
      const woken = await hub.sweep();
      const { rows } = await hub.db.statement<{ name: string; data: Job }>(
        "delete from queue.job where state < 'active' and name <> 'dead' returning name, data",
      );
      for (const { name, data } of rows) {
        seen.add(name);
        await way(() => handlers.get(name)!(data));
      }
      if (woken === 0 && rows.length === 0) return;
    }
    throw new Error('The hub does not come to rest.');
  };
}

/** What came of a story, without what differs from one telling to the next (ids and times). */
interface Outcome {
  vendors: Record<string, unknown>;
  rows: Record<string, unknown>;
  actions: unknown[];
  enrolment: unknown;
  /** How often each thing was noted, of the whole business. */
  events: string[];
  audit: string[];
}

const TABLES = [
  'source_record',
  'customer',
  'company',
  'owner',
  'invoice',
  'payment',
  'activity',
  'identity_key',
  'change',
];
const MORE = [
  'occurrence',
  'run',
  'run_step',
  'escalation',
  'action_request',
  'consent',
  'consent_event',
  'deletion_batch',
  'deletion',
  'stream_pass',
  'suppression',
  'touch',
  'survey_invitation',
  'survey_response',
  'campaign_member',
];

async function outcomeOf(story: Story, ann: Customer): Promise<Outcome> {
  const counts = [...TABLES, ...MORE, 'audit_event', 'hint', 'parked_item', 'link_route'].map(
    (table) => `(select count(*)::int from ${table} where tenant_id = $1) as ${table}`,
  );
  const { hubspot, twilio, slack, smtp } = story.vendors;
  return {
    vendors: {
      mails: smtp.mails().map(({ subject }) => subject),
      texts: twilio.state.messages.map(({ direction, body }) => [direction, body]),
      crm: hubspot.report(),
      chats: slack.report(),
    },
    rows: (await story.rows(`select ${counts.join(', ')}`))[0]!,
    actions: (await story.actions(ann)).map(({ kind, channel, state, reason, step }) => [
      kind,
      channel,
      state,
      reason,
      step,
    ]),
    enrolment: await story.enrolment(ann).then(({ state, step, endReason }: Row) => [state, step, endReason]),
    events: (
      await story.rows('select action, count(*)::int as n from audit_event where tenant_id = $1 group by 1 order by 1')
    ).map(({ action, n }) => `${action} ${n}`),
    audit: (await story.audit(ann)).map(({ action, data }) => `${action} ${data.channel ?? ''}`),
  };
}

/** A chase from the first reminder to the payment, with everything on the way that gives each queue something to do. */
async function play(way: Way): Promise<{ outcome: Outcome; seen: Set<string>; all: string[] }> {
  const seen = new Set<string>();
  const settle = worker(way, seen);
  const story = await beginStory({ roles: 'api', settle });
  try {
    await story.playbook('overdue-chase');
    const { quickbooks, slack, twilio, hubspot } = story.vendors;
    const ann = await story.chased({ owes: [100, 50] });
    // Two webhooks about one thing, and an invoice that is heard of before its customer.
    const late = quickbooks.state.addCustomer({
      GivenName: 'Bob',
      FamilyName: 'Late',
      PrimaryEmailAddr: { Address: 'bob@late.example' },
    });
    const early = quickbooks.state.addInvoice({ customer: late.Id, amount: 70, due: '2026-12-01' });
    await quickbooks.announce([{ entity: 'Invoice', operation: 'created', id: early.Id }]);
    await quickbooks.announce([{ entity: 'Invoice', operation: 'updated', id: early.Id }]);
    await story.settle();
    await quickbooks.announce([{ entity: 'Customer', operation: 'created', id: late.Id }]);
    await story.settle();
    // Something is deleted, and somebody wants it back.
    const quote = quickbooks.state.addEstimate(late.Id, 40);
    await quickbooks.announce([{ entity: 'Estimate', operation: 'created', id: quote.Id }]);
    await story.settle();
    quickbooks.state.remove('Estimate', quote.Id);
    await quickbooks.announce([{ entity: 'Estimate', operation: 'deleted', id: quote.Id }]);
    await story.settle();
    const [deleted] = (await story.must('GET', '/v1/deletions')).items;
    await story.must('POST', `/v1/deletions/${deleted.id}/undo`);
    await story.settle();
    // The mapping changes, and what is stored follows it.
    const titles = { streams: { contacts: { contact: { fields: { job_title: { path: 'properties.hs_role' } } } } } };
    await story.must('POST', '/v1/mappings/hubspot/apply', { override: titles }, { 'if-match': '"0"' });
    await story.settle();
    // Somebody is let into another sequence by a campaign.
    const calm = { key: 'calm', title: 'Calm', class: 'transactional', topic: 'news', triggers: [{ name: 'manual' }] };
    const rest = { per: 'customer', again: { policy: 'once' }, exits: [], steps: [{ id: 'rest', wait: { days: 90 } }] };
    await story.must('POST', '/v1/sequences', { ...calm, ...rest });
    await story.must('POST', '/v1/sequences/calm/switch', { on: true }, await story.version('/v1/sequences/calm'));
    const [bob] = (await story.must('GET', '/v1/customers?search=bob%40late.example')).items;
    const aim = { key: 'calm', title: 'Calm', sequence: 'calm', audience: { customers: [bob.id] } };
    const campaign = `/v1/campaigns/${(await story.must('POST', '/v1/campaigns', aim)).id}`;
    const { token, confirm } = await story.must('POST', `${campaign}/preview`);
    await story.must('POST', `${campaign}/start`, { token, confirm: confirm ?? 1 }, await story.version(campaign));
    // Somebody begins to answer a survey and never sends it: after three days it counts.
    await story.must('POST', '/v1/surveys', afterTheJob({ partial_after_days: 3, answered: {} }));
    await fillIn(await invited(story, bob), { happy: 4 }, 'save');
    await story.until(6, '08:05');
    await twilio.deliver(story.textsTo(ann)[0]!.sid);
    await story.pay(ann, 30);
    await story.until(7, '08:05');
    // The answers of chat and CRM get lost: both are looked up.
    slack.server.faults.add({ kind: 'cut_after', match: /postMessage/, times: 1 });
    hubspot.server.faults.add({ kind: 'cut_after', match: /^POST .*\/tasks$/, times: 1 });
    await story.until(3, '08:05');
    for (let hour = 0; hour < 2; hour++) {
      story.clock.advance(HOUR);
      await story.settle();
    }
    await story.press(staffEmail('Rita Manager'), ann);
    await story.write(ann, 'STOP');
    await story.pay(ann, 70);
    await story.pay(ann, 50, ann.invoices[1]);
    // What was set up at a platform comes to its end and is set up again.
    await story.rows(
      "update connection set prepare_at = $2 where tenant_id = $1 and connector = 'hubspot'",
      story.clock.now(),
    );
    // Long enough for what only served a moment to be cleared away.
    for (let days = 0; days < 3; days++) await story.until(5, '12:00');
    expect(await story.must('POST', '/v1/audit/verify')).toMatchObject({ ok: true });
    const all = (await story.hub.queue.depth()).map(({ name }) => name);
    return { outcome: await outcomeOf(story, ann), seen, all };
  } finally {
    await story.end();
  }
}

let told: Awaited<ReturnType<typeof play>>;

beforeAll(async () => {
  told = await play(once);
}, 120_000);

test('repeat: the story gives every queue there is something to do', () => {
  expect([...told.seen].sort()).toEqual([...told.all].sort());
});

test('repeat: the story is the one that is meant', () => {
  const { vendors, enrolment, actions } = told.outcome;
  expect(vendors.mails).toHaveLength(2);
  expect(vendors.crm).toMatchObject({ tasks: 1, meetings: 1 });
  expect(vendors.chats).toMatchObject({ messages: 1, updated: 1 });
  expect(enrolment).toEqual(['done', 'people', 'handed over']);
  expect(actions.map((action) => (action as string[])[2])).toEqual(Array.from({ length: 8 }, () => 'sent'));
});

test('repeat: what was fetched earlier and is stored later does not replace what is newer', async () => {
  const story = await beginStory({ vendors: ['hubspot'], roles: 'api', settle: worker(once, new Set()) });
  try {
    const ann = await story.customer();
    const job = { tenantId: story.tenantId, connectionId: story.connections.hubspot.id as string };
    const { hubspot } = story.vendors;
    const renamed = async (lastname: string): Promise<void> => {
      story.clock.advance(1000);
      await hubspot.change('contacts', ann.contact, { lastname });
      for (const row of (
        await story.hub.db.statement<{ id: string }>('select id from hook_inbox where routed_at is null')
      ).rows)
        await handlersOf(story.hub).get('inbox')!({ hookId: row.id });
    };
    await renamed('Older');
    const { deps } = story.hub;
    const { db, reached, go } = pausingAt(deps.db, /into source_record/);
    const late = handlersOf(story.hub, { ...deps, db }).get('refetch')!(job);
    await reached;
    await renamed('Newer');
    await handlersOf(story.hub).get('refetch')!(job).finally(go);
    await late;
    await story.settle();
    const stored = await story.rows(
      `select c.last_name, s.payload->'properties'->>'lastname' as source from customer c
       join contact_projection p on p.tenant_id = c.tenant_id and p.entity_id = c.id
       join source_record s on s.tenant_id = c.tenant_id and s.stream_id = p.stream_id and s.remote_id = p.remote_id where c.tenant_id = $1`,
    );
    expect(stored).toEqual([{ last_name: 'Newer', source: 'Newer' }]);
  } finally {
    await story.end();
  }
});

test('repeat: with every job worked on by two at once, and once more, the same comes out', async () => {
  const again = await play(twoAtOnceAndOnceMore);
  expect(again.outcome).toEqual(told.outcome);
}, 120_000);
