import type { Facts, RecordFact } from './facts.ts';
import type { Find, Finding, Wrong } from './findings.ts';
import type { Ledger, VendorRecord } from './ledger.ts';
import type { Promised } from './load.ts';
import { judgePeople, judgeStops, judgeTokens } from './verdict.people.ts';

/** An action whose fate the hub does not know, and what the vendor says about it. */
export interface Unknown {
  id: string;
  kind: string;
  done: boolean;
  why: string;
}

export interface Verdict {
  findings: Finding[];
  unknowns: Unknown[];
  /** Accesses that ended because a kill came between the vendor's new token and its storing. */
  accessesEnded: number;
  counts: Record<string, number>;
}

/** Compares what the vendors know with what the hub says. Neither is asked about the other. */
export function judge(ledger: Ledger, facts: Facts, promises: readonly Promised[]): Verdict {
  const findings: Finding[] = [];
  const find = (wrong: Wrong, what: string, id: string, detail = ''): void => {
    findings.push({ wrong, what, id, detail });
  };
  judgeRecords(ledger, facts, find);
  judgeTitles(facts, find);
  const unknowns = judgeActions(ledger, facts, find);
  judgePromises(facts, promises, find);
  judgePeople(ledger, facts, find);
  judgeStops(ledger, facts, find);
  const accessesEnded = judgeTokens(ledger, find);
  if (!facts.audit.ok) find('audit', 'the audit trail does not fit together', 'audit', facts.audit.detail);
  for (const { what, id, detail } of facts.stuck) find('stuck', what, id, detail);
  return { findings, unknowns, accessesEnded, counts: countsOf(ledger, facts, promises) };
}

const nameOf = ({ vendor, stream, id }: { vendor: string; stream: string; id: string }): string =>
  `${vendor} ${stream} ${id}`;

/** The value at a path such as `properties.subject`, as text; what is not there is empty. */
function textIn(payload: unknown, path: string): string {
  let value: unknown = payload;
  for (const name of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[name];
  return value === undefined || value === null ? '' : String(value);
}

/** Every record and its last change must be here, and nothing the vendor does not have. */
function judgeRecords(ledger: Ledger, facts: Facts, find: Find): void {
  const here = new Map(facts.records.map((record) => [nameOf(record), record]));
  const there = new Map(ledger.records.map((record) => [nameOf(record), record]));
  for (const [name, record] of there) judgeRecord(name, record, here, find);
  const streams = new Set(ledger.records.map(({ vendor, stream }) => `${vendor} ${stream}`));
  for (const [name, record] of here)
    if (!record.gone && streams.has(`${record.vendor} ${record.stream}`) && !there.has(name))
      find('doubled', 'the hub has a record that the vendor never had', name);
}

function judgeRecord(name: string, record: VendorRecord, here: ReadonlyMap<string, RecordFact>, find: Find): void {
  const stored = here.get(name);
  if (record.state !== 'live') {
    // What was there for a moment only need not have been seen.
    if (stored && !stored.gone) find('lost', `it is ${record.state} at the vendor, and the hub still has it`, name);
    const into = record.into && here.get(nameOf({ ...record, id: record.into }));
    if (stored?.customer && into && into.customer !== stored.customer)
      find('lost', 'a merge at the vendor was not followed', name, `into ${record.into}`);
    return;
  }
  if (!stored || stored.gone) {
    find(
      'lost',
      stored ? 'the vendor has it, and the hub says it was deleted' : 'a record of the vendor is not here',
      name,
    );
    return;
  }
  for (const [path, text] of Object.entries(record.fields)) {
    const own = textIn(stored.payload, path);
    if (own !== text) find('lost', 'the last change is not here', name, `${path}: "${own}" instead of "${text}"`);
  }
}

/** What was stored later must not be older. */
function judgeTitles(facts: Facts, find: Find): void {
  const last = new Map<string, number>();
  for (const { customer, title } of facts.titles) {
    const [, contact, revision] = /^of (\S+) rev (\d+)$/.exec(title) ?? [];
    if (!contact) continue;
    const before = last.get(contact) ?? 0;
    if (Number(revision) < before)
      find('order', 'a later state was overwritten by an earlier one', customer, `${title} after rev ${before}`);
    last.set(contact, Math.max(before, Number(revision)));
  }
}

/** Vendors whose writes the ledger knows, by kind. */
const WATCHED = new Set<string>([
  'hubspot create_task',
  'hubspot add_note',
  'hubspot create_calendar_event',
  'hubspot create_ticket',
  'twilio send_sms',
  'slack send_chat',
  'smtp send_email',
]);

/** Every action against what the vendor got, and every native object against what the hub meant to do. */
function judgeActions(ledger: Ledger, facts: Facts, find: Find): Unknown[] {
  const byRequest = Map.groupBy(
    ledger.writes.filter((write) => write.request !== null),
    (write) => write.request!,
  );
  const actions = new Map(facts.actions.map((action) => [action.id, action]));
  const unknowns: Unknown[] = [];
  for (const write of ledger.writes)
    if (!write.request || !actions.has(write.request))
      find(
        'untold',
        'the vendor has something of ours that nobody here asked for',
        `${write.vendor} ${write.nativeId}`,
        write.text,
      );
  for (const [id, writes] of byRequest)
    if (writes.length > 1)
      find(
        'doubled',
        `${writes.length} native objects for one action`,
        id,
        writes.map((write) => write.nativeId).join(', '),
      );
  for (const action of facts.actions) {
    const done = byRequest.has(action.id);
    if (action.state === 'unknown') {
      const why = action.detail ?? action.reason ?? '';
      unknowns.push({ id: action.id, kind: action.kind, done, why });
      if (!/A person decides|without a person/.test(why))
        find('unexplained', `${action.kind} stays unknown`, action.id, why);
      continue;
    }
    if (action.replaces || !WATCHED.has(`${action.connector} ${action.kind}`)) continue;
    const told = `${action.kind} to ${action.recipient}, ${action.state} ${action.reason ?? ''} ${action.detail ?? ''}`;
    if (action.state === 'sent' && !done)
      find('lost', 'the hub says it was sent, and the vendor never got it', action.id, told);
    if (action.state !== 'sent' && done)
      find('untold', 'the vendor did it, and the hub says it was not done', action.id, told);
  }
  return unknowns;
}

/** What the API accepted exists once, under one id. */
function judgePromises(facts: Facts, promises: readonly Promised[], find: Find): void {
  const byKey = Map.groupBy(
    facts.actions.filter((action) => action.key !== null),
    (action) => action.key!,
  );
  for (const { key, ids, refused } of promises) {
    const own = byKey.get(key) ?? [];
    if (ids.length > 1) find('doubled', 'one key was answered with several actions', key, ids.join(', '));
    if (own.length > 1) find('doubled', 'one key stands for several actions', key, own.map(({ id }) => id).join(', '));
    if (ids.length === 0 && !refused) find('stuck', 'a request over the API was never answered', key);
    for (const id of ids)
      if (!own.some((action) => action.id === id)) find('lost', 'a request the API accepted left no trace', key, id);
  }
}

function countsOf(ledger: Ledger, facts: Facts, promises: readonly Promised[]): Record<string, number> {
  const states = Map.groupBy(facts.actions, (action) => action.state);
  return {
    records: ledger.records.length,
    changesByUsers: Object.values(ledger.deeds).reduce((sum, n) => sum + n, 0),
    writesAtVendors: ledger.writes.length,
    actions: facts.actions.length,
    ...Object.fromEntries([...states].map(([state, actions]) => [`actions ${state}`, actions.length])),
    apiRequests: promises.length,
    apiTries: promises.reduce((sum, { tries }) => sum + tries, 0),
    apiRefused: promises.filter(({ refused }) => refused !== null).length,
    stops: ledger.stops.length,
    tokenRefreshes: ledger.tokens.filter(({ outcome }) => outcome === 'given').length,
    auditEvents: facts.audit.events,
    calls: ledger.calls,
    ...facts.counts,
  };
}
