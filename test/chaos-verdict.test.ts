import { describe, expect, test } from 'vitest';
import type { ActionFact, Facts } from '../chaos/facts.ts';
import type { Wrong } from '../chaos/findings.ts';
import type { Ledger, VendorRecord, Write } from '../chaos/ledger.ts';
import type { Promised } from '../chaos/load.ts';
import { judge } from '../chaos/verdict.ts';

// A verdict that cannot fail proves nothing: books that fit are tampered with, one line at a time.

interface Books {
  ledger: Ledger;
  facts: Facts;
  promises: Promised[];
}

const NOON = Date.parse('2026-03-02T17:00:00Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const record = (id: string, revision: number, more: Partial<VendorRecord> = {}): VendorRecord => ({
  vendor: 'hubspot',
  stream: 'contacts',
  id,
  state: 'live',
  into: null,
  revision,
  fields: { 'properties.jobtitle': `of ${id} rev ${revision}` },
  ...more,
});

const action = (id: string, more: Partial<ActionFact> = {}): ActionFact => ({
  id,
  key: null,
  kind: 'send_sms',
  class: 'transactional',
  recipient: '+15550001',
  state: 'sent',
  reason: null,
  detail: null,
  connector: 'twilio',
  runId: 'run-1',
  step: 'friendly',
  visit: 1,
  attempts: 1,
  replaces: false,
  tries: [NOON],
  ...more,
});

const write = (request: string, more: Partial<Write> = {}): Write => ({
  at: NOON + 5,
  vendor: 'twilio',
  kind: 'send_sms',
  nativeId: `native-${request}`,
  request,
  to: '+15550001',
  text: `About ${request}`,
  key: null,
  ...more,
});

/** Books of a hub that kept every promise. */
function books(): Books {
  const task = { kind: 'create_task', connector: 'hubspot', runId: null, step: null, visit: null } as const;
  return {
    ledger: {
      writes: [
        write('a1'),
        write('a2', { at: NOON + 6 * DAY }),
        write('a3', { vendor: 'hubspot', kind: 'create_task', to: '101', text: 'Call back [k-1]', key: 'k-1' }),
      ],
      records: [
        record('101', 3),
        record('102', 1, { state: 'gone' }),
        record('103', 1, { state: 'merged', into: '101' }),
      ],
      stops: [{ phone: '+15550002', acceptedAt: NOON }],
      tokens: [
        { at: NOON, vendor: 'quickbooks', token: 't1', outcome: 'given' },
        // Whoever got it was killed; the next one could only try again after the lease.
        { at: NOON + 90_000, vendor: 'quickbooks', token: 't1', outcome: 'refused' },
      ],
      refusedSms: [],
      deeds: { changeRecord: 3 },
      faults: {},
      calls: 10,
      hooks: { told: 3, lost: 0, doubled: 0, accepted: 3, refused: 0 },
    },
    facts: {
      records: [
        { ...ids('101'), gone: false, customer: 'c1', payload: { properties: { jobtitle: 'of 101 rev 3' } } },
        { ...ids('102'), gone: true, customer: 'c2', payload: {} },
        { ...ids('103'), gone: true, customer: 'c1', payload: {} },
      ],
      titles: [1, 2, 3].map((revision) => ({ customer: 'c1', title: `of 101 rev ${revision}` })),
      actions: [
        action('a1'),
        action('a2', { step: 'firm', tries: [NOON + 6 * DAY] }),
        action('a3', { ...task, key: 'k-1', recipient: 'c1' }),
        action('a4', { state: 'skipped', reason: 'opted_out', recipient: '+15550002', runId: null, tries: [] }),
        action('a5', {
          ...{ kind: 'send_email', connector: 'smtp', state: 'unknown', runId: null },
          detail: 'The platform cannot tell whether it acted. A person decides.',
        }),
      ],
      stopped: [{ phone: '+15550002', at: NOON + 300 }],
      audit: { ok: true, events: 9, detail: '' },
      stuck: [],
      counts: {},
    },
    promises: [{ key: 'k-1', kind: 'create_task', class: null, ids: ['a3'], refused: null, tries: 4 }],
  };
}

const ids = (id: string): { vendor: string; stream: string; id: string } => ({
  vendor: 'hubspot',
  stream: 'contacts',
  id,
});
const of = ({ facts }: Books, id: string): ActionFact => facts.actions.find((one) => one.id === id)!;

/** Ways to tamper with the books, and what the verdict must call it. */
const TAMPERED: Record<string, [Wrong, (books: Books) => void]> = {
  'a record is missing here': ['lost', ({ facts }) => void facts.records.shift()],
  'a record here was deleted, and the vendor has it': [
    'lost',
    ({ facts }) => {
      facts.records[0]!.gone = true;
    },
  ],
  'a record is an older version here': [
    'lost',
    ({ facts }) => {
      facts.records[0]!.payload = { properties: { jobtitle: 'of 101 rev 2' } };
    },
  ],
  'a deletion did not arrive': [
    'lost',
    ({ facts }) => {
      facts.records[1]!.gone = false;
    },
  ],
  'a merge was not followed': [
    'lost',
    ({ facts }) => {
      facts.records[2]!.customer = 'c9';
    },
  ],
  'a record here that the vendor never had': [
    'doubled',
    ({ facts }) => void facts.records.push({ ...facts.records[0]!, id: '999' }),
  ],
  'an older state came after a newer one': ['order', ({ facts }) => void facts.titles.reverse()],
  'the vendor never got what was sent': ['lost', ({ ledger }) => void ledger.writes.shift()],
  'the vendor has a second native object of one action': [
    'doubled',
    ({ ledger }) => void ledger.writes.push(write('a3', { nativeId: 'other' })),
  ],
  'another action says the same thing again': [
    'doubled',
    (all) => {
      all.facts.actions.push(action('a9', { kind: 'create_task', connector: 'hubspot', runId: null }));
      all.ledger.writes.push(
        write('a9', { vendor: 'hubspot', kind: 'create_task', text: 'Call back [k-1]', key: 'k-1' }),
      );
    },
  ],
  'one step reached a person twice': [
    'doubled',
    (all) => {
      all.facts.actions.push(action('a9', { kind: 'send_email', connector: 'smtp', recipient: 'ann@x.example' }));
      all.ledger.writes.push(write('a9', { vendor: 'smtp', kind: 'send_email', to: 'ann@x.example' }));
    },
  ],
  'a person got the same words twice': [
    'doubled',
    (all) => {
      all.facts.actions.push(action('a9', { runId: null }));
      all.ledger.writes.push(write('a9', { at: NOON + HOUR, text: 'About a1' }));
      all.ledger.writes.sort((a, b) => a.at - b.at);
    },
  ],
  'the vendor did what failed here': [
    'untold',
    (all) => {
      of(all, 'a3').state = 'failed';
    },
  ],
  'the vendor has something nobody here knows': ['untold', ({ ledger }) => void ledger.writes.push(write('a77'))],
  'the second reminder came before the first': [
    'order',
    ({ ledger: { writes } }) => {
      [writes[0]!.at, writes[1]!.at] = [writes[1]!.at, writes[0]!.at];
    },
  ],
  'a message set out after STOP': [
    'order',
    (all) => {
      Object.assign(of(all, 'a4'), { state: 'sent', tries: [NOON + HOUR] });
      all.ledger.writes.push(write('a4', { at: NOON + HOUR, to: '+15550002' }));
    },
  ],
  'a message set out after STOP, and only the vendor stopped it': [
    'order',
    (all) => {
      Object.assign(of(all, 'a4'), { state: 'failed', tries: [NOON + HOUR] });
      all.ledger.refusedSms.push({ at: NOON + HOUR, to: '+15550002', request: 'a4' });
    },
  ],
  'an accepted STOP is not known': ['lost', ({ facts }) => void facts.stopped.pop()],
  'an accepted request left no trace': ['lost', ({ promises }) => void promises[0]!.ids.splice(0, 1, 'a0')],
  'one key was answered with two actions': ['doubled', ({ promises }) => void promises[0]!.ids.push('a1')],
  'one key stands for two actions': [
    'doubled',
    (all) => {
      of(all, 'a5').key = 'k-1';
    },
  ],
  'a request was never answered': ['stuck', ({ promises }) => void promises[0]!.ids.pop()],
  'a token was spent by two at once': [
    'tokens',
    ({ ledger }) => {
      ledger.tokens[1]!.at = NOON + 40;
    },
  ],
  'the audit chain is broken': [
    'audit',
    ({ facts }) => {
      facts.audit.ok = false;
    },
  ],
  'work never ends': ['stuck', ({ facts }) => void facts.stuck.push({ what: 'a lease', id: '1', detail: '' })],
  'an unknown nobody looks after': [
    'unexplained',
    (all) => {
      of(all, 'a5').detail = 'It was not found yet.';
    },
  ],
};

describe('chaos', () => {
  test('chaos: books that fit are found to fit, with what is unknown counted against the ledger', () => {
    const { ledger, facts, promises } = books();
    const verdict = judge(ledger, facts, promises);
    expect(verdict.findings).toEqual([]);
    expect(verdict.unknowns).toEqual([expect.objectContaining({ id: 'a5', done: false })]);
    expect(verdict.accessesEnded).toBe(1);
    ledger.writes.push(write('a5', { vendor: 'smtp', kind: 'send_email' }));
    expect(judge(ledger, facts, promises).unknowns).toEqual([expect.objectContaining({ id: 'a5', done: true })]);
  });

  test.each(Object.entries(TAMPERED))('chaos: the verdict finds that %s', (_name, [wrong, tamper]) => {
    const all = books();
    tamper(all);
    const { findings } = judge(all.ledger, all.facts, all.promises);
    expect(findings.map((finding) => finding.wrong)).toContain(wrong);
  });
});
