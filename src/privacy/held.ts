import { entityDefinition } from '../kit/index.ts';
import { projectionTable } from '../model/columns.ts';
import { DOCUMENT_KINDS } from './scope.ts';

/**
 * What becomes of a person's rows in a table. `delete`: they go. `blank`: they stay as numbers, and these columns lose
 * what they say. `own`: a step of its own, in erase.ts. `keep`: nothing of the person is in it, for the reason given.
 */
export type Treatment =
  | { how: 'delete' }
  | { how: 'blank'; set: Readonly<Record<string, string>> }
  | { how: 'own' }
  | { how: 'keep'; reason: string };

/** A table, what it holds of people, and how a person's rows are found in it. A test demands one for every table. */
export interface Held {
  table: string;
  /** For the person, in words; absent: the export leaves it out, for `leftOut` or the reason it is kept. */
  title?: string;
  leftOut?: string;
  /**
   * Which rows `t` are the person's. {ids}, {streams}, {remotes}, {patterns}, {anyName} and {hashes} stand for what a
   * scope holds; $1 is the tenant.
   */
  rows?: string;
  treat: Treatment;
}

const PERSON = 't.customer_id = any({ids}::uuid[])';
const RECORD =
  '(t.stream_id, t.remote_id) in (select s, r from unnest({streams}::uuid[], {remotes}::text[]) as i(s, r))';
/** Where a table names the connection and the id, and not the stream. */
const AT_CONNECTION = `exists (select from stream st join unnest({streams}::uuid[], {remotes}::text[]) as i(s, r) on i.s = st.id
   where st.tenant_id = $1 and st.connection_id = t.connection_id and i.r = t.remote_id)`;
const REQUEST = 'select q.id from action_request q where q.tenant_id = $1 and q.customer_id = any({ids}::uuid[])';
const RUN = 'select u.id from run u where u.tenant_id = $1 and u.customer_id = any({ids}::uuid[])';
const mentions = (...columns: string[]): string =>
  `lower(concat_ws(' ', ${columns.map((column) => `t.${column}::text`).join(', ')})) like any({patterns}::text[])`;
const named = (...columns: string[]): string =>
  `lower(concat_ws(' ', ${columns.map((column) => `t.${column}::text`).join(', ')})) like any({anyName}::text[])`;

const DELETE: Treatment = { how: 'delete' };
const keep = (reason: string, ...tables: string[]): Held[] =>
  tables.map((table) => ({ table, treat: { how: 'keep', reason } }));

/** Documents stay as numbers: amounts, dates and states, under an id that leads to nobody any more. */
const documents: Held[] = DOCUMENT_KINDS.map((kind) => {
  const words = Object.entries(entityDefinition(kind).fields).filter(
    ([name, field]) => ['text', 'text[]', 'jsonb'].includes(field.type) && !field.values && name !== 'currency',
  );
  const empty = [...words.map(([name]) => name), 'customer_ref', 'company_ref', 'owner_ref', 'custom'];
  const address = { activity: ['address'], invoice: ['email'] }[kind as string] ?? [];
  return {
    table: projectionTable(kind),
    title: `${entityDefinition(kind).title}: documents about the person`,
    rows: [PERSON, ...address.map((name) => `t.customer_id is null and ${mentions(name)}`)].join(' or '),
    treat: {
      how: 'blank',
      set: {
        ...Object.fromEntries(empty.map((name) => [name, 'null'])),
        remote_id: "'erased:' || t.entity_id::text",
        deleted_at: 'coalesce(t.deleted_at, {now}::timestamptz)',
      },
    },
  };
});

/** Every table of a tenant, in the order an erasure goes through them: what finds others comes after them. */
export const HELD: readonly Held[] = [
  { table: 'source_record', title: 'Records as the platforms sent them', rows: RECORD, treat: DELETE },
  {
    table: 'hint',
    leftOut: 'news of a record; what was fetched because of it is among the records',
    rows: `t.remote_id in (select r from unnest({remotes}::text[]) as i(r)) and exists (select from stream st
       join unnest({streams}::uuid[], {remotes}::text[]) as i(s, r) on i.s = st.id
       where st.tenant_id = $1 and st.connection_id = t.connection_id and st.name = t.stream and i.r = t.remote_id)
       or ${mentions('payload', 'event_key')}`,
    treat: DELETE,
  },
  {
    table: 'parked_item',
    title: 'What could not be processed',
    rows: `${RECORD} or t.reference in (select s::text || '/' || r from unnest({streams}::uuid[], {remotes}::text[]) as i(s, r))
       or ${mentions('reference', 'reason', 'detail', 'payload')} or ${named('reason', 'detail', 'payload')}`,
    treat: DELETE,
  },
  {
    table: 'import_row',
    leftOut: 'rows of a file that is being read; they are records when it was read to its end',
    rows: `${mentions('group_key', 'data')} or ${named('data')}`,
    treat: DELETE,
  },
  { table: 'deletion', title: 'Records deleted at a platform', rows: RECORD, treat: DELETE },
  { table: 'remap_kept', title: 'Days kept while the mapping changed', rows: RECORD, treat: DELETE },
  {
    table: 'pass_seen',
    leftOut: 'ids met in a reading, which go when it ends',
    rows: `t.remote_id = any({remotes}::text[]) and exists (select from stream_pass p
       where p.tenant_id = $1 and p.id = t.pass_id and p.stream_id = any({streams}::uuid[]))`,
    treat: DELETE,
  },
  { table: 'record_home', title: 'Which record belongs to whom', rows: RECORD, treat: DELETE },
  {
    table: 'write_ledger',
    leftOut: 'hashes of what we wrote to platforms; what was written stands among the messages and actions',
    rows: `${AT_CONNECTION} or t.request_id in (${REQUEST})`,
    treat: DELETE,
  },
  {
    table: 'write_breaker',
    title: 'Fields we stopped writing',
    rows: AT_CONNECTION,
    treat: DELETE,
  },
  {
    table: 'field_drift',
    leftOut: 'about fields of platforms, with an example now and then',
    rows: mentions('message', 'detail'),
    treat: DELETE,
  },
  { table: 'contact_projection', title: 'Records as we read them', rows: RECORD, treat: DELETE },
  { table: 'company_projection', title: 'Records read as a company', rows: RECORD, treat: DELETE },
  { table: 'customer', title: 'The person', rows: 't.id = any({ids}::uuid[])', treat: DELETE },
  { table: 'company', title: 'The person as a company', rows: 't.id = any({ids}::uuid[])', treat: DELETE },
  {
    table: 'identity_key',
    title: 'What the person is found by',
    rows: 't.entity_id = any({ids}::uuid[])',
    treat: DELETE,
  },
  {
    table: 'merge_event',
    title: 'Records that were joined',
    rows: 't.survivor_id = any({ids}::uuid[]) or t.absorbed_id = any({ids}::uuid[])',
    treat: DELETE,
  },
  {
    table: 'merge_suggestion',
    title: 'Who may be the same',
    rows: 't.entity_id = any({ids}::uuid[]) or t.other_id = any({ids}::uuid[])',
    treat: DELETE,
  },
  {
    table: 'not_same',
    title: 'Who is not the same',
    rows: 't.a_id = any({ids}::uuid[]) or t.b_id = any({ids}::uuid[])',
    treat: DELETE,
  },
  { table: 'field_override', title: 'What was set by hand', rows: PERSON, treat: DELETE },
  {
    table: 'trigger_parked',
    title: 'What a trigger failed on',
    rows: `exists (select from change c where c.tenant_id = $1 and c.id = t.change_id
       and (c.customer_id = any({ids}::uuid[]) or c.entity_id = any({ids}::uuid[])))`,
    treat: DELETE,
  },
  {
    table: 'change',
    title: 'What changed',
    rows: `${PERSON} or t.entity_id = any({ids}::uuid[])`,
    treat: DELETE,
  },
  { table: 'customer_stale', leftOut: 'that something is to be computed anew', rows: PERSON, treat: DELETE },
  { table: 'customer_date', title: 'First and last dates', rows: PERSON, treat: DELETE },
  { table: 'score_written', title: 'Scores told to platforms', rows: RECORD, treat: DELETE },
  { table: 'progress_written', title: 'Next steps told to platforms', rows: RECORD, treat: DELETE },
  { table: 'customer_score', title: 'Relationship score', rows: PERSON, treat: DELETE },
  { table: 'score_history', title: 'Relationship score, day by day', rows: PERSON, treat: DELETE },
  { table: 'segment_member', title: 'Segments the person was in', rows: PERSON, treat: DELETE },
  { table: 'segment_pending', leftOut: 'about to enter or leave a segment', rows: PERSON, treat: DELETE },
  { table: 'customer_standing', title: 'Pinned as VIP, or no longer unhappy', rows: PERSON, treat: DELETE },
  { table: 'message_engagement', title: 'What became of messages', rows: PERSON, treat: DELETE },
  { table: 'consent', title: 'Consent as it stands', rows: PERSON, treat: DELETE },
  { table: 'consent_event', title: 'Consent, as it was given and taken back', rows: PERSON, treat: { how: 'own' } },
  {
    table: 'suppression',
    title: 'Addresses nothing is sent to, as keyed hashes',
    rows: "t.address_hash in (select decode(h, 'hex') from unnest({hashes}::text[]) as i(h))",
    treat: { how: 'blank', set: { evidence: "'{}'" } },
  },
  {
    table: 'keyword_answer',
    title: 'Answers to words such as STOP and HELP, under keyed hashes',
    rows: "t.address_hash in (select decode(h, 'hex') from unnest({hashes}::text[]) as i(h))",
    treat: DELETE,
  },
  { table: 'contact_preference', title: 'What the person chose on the preferences page', rows: PERSON, treat: DELETE },
  { table: 'touch', title: 'When messages were counted', rows: PERSON, treat: DELETE },
  { table: 'occurrence', title: 'What was noticed', rows: PERSON, treat: DELETE },
  { table: 'campaign_member', title: 'Campaigns the person was on the list of', rows: PERSON, treat: DELETE },
  { table: 'credit', title: 'What was credited to messages', rows: PERSON, treat: DELETE },
  { table: 'sequence_send', title: 'Messages of sequences, as they are counted', rows: PERSON, treat: DELETE },
  {
    table: 'run_step',
    title: 'Steps of enrolments',
    rows: `t.run_id in (${RUN})`,
    treat: { how: 'blank', set: { detail: 'null' } },
  },
  {
    table: 'run',
    title: 'Enrolments',
    rows: PERSON,
    treat: { how: 'blank', set: { cause: "'{}'", waiting_for: 'null', business_key: 't.id::text' } },
  },
  {
    table: 'escalation',
    title: 'Escalations to staff',
    rows: PERSON,
    treat: { how: 'blank', set: { plan: "'{}'" } },
  },
  {
    table: 'receivable_hold',
    title: 'Promises to pay and disputes',
    rows: PERSON,
    treat: { how: 'blank', set: { note: 'null', outcome: 'null' } },
  },
  {
    table: 'action_attempt',
    title: 'Tries of messages and actions',
    rows: `t.request_id in (${REQUEST})`,
    treat: { how: 'blank', set: { message: 'null' } },
  },
  {
    table: 'action_request',
    title: 'Messages and actions, as they were sent',
    rows: PERSON,
    treat: {
      how: 'blank',
      set: {
        recipient: "'erased:' || t.id::text",
        plan: "'{}'",
        content: 'null',
        idempotency_key: 'null',
        reason_detail: 'null',
        native_id: 'null',
        native_url: 'null',
      },
    },
  },
  {
    // The score stays as a number among others.
    table: 'survey_invitation',
    title: 'Surveys the person was asked, and what they answered',
    rows: `${PERSON} or t.customer_ref in (select s::text || '/' || r from unnest({streams}::uuid[], {remotes}::text[]) as i(s, r))`,
    treat: { how: 'blank', set: { answers: "'{}'", customer_ref: "'erased'", counts_at: 'null' } },
  },
  ...documents,
  { table: 'entity_alias', title: 'Earlier ids', rows: 't.entity_id = any({ids}::uuid[])', treat: DELETE },
  {
    table: 'idempotency',
    leftOut: 'answers of the API, sealed, kept for a day',
    treat: { how: 'own' },
  },
  { table: 'audit_event', title: 'The audit trail', rows: PERSON, treat: { how: 'own' } },
  {
    table: 'erasure',
    title: 'Receipts',
    rows: PERSON,
    treat: { how: 'keep', reason: 'the receipt itself: numbers and keyed hashes' },
  },
  ...keep('keyed hashes only', 'erasure_block'),
  ...keep('ids that serve as locks', 'contact_guard'),
  ...keep('about people who work here, not about customers', 'membership', 'api_key', 'staff', 'owner'),
  ...keep(
    'configuration that the business wrote',
    ...['setting', 'segment', 'trigger', 'sequence', 'sequence_version', 'template', 'mapping_override', 'kill_switch'],
    ...['score_rules', 'pipeline_stage', 'campaign', 'survey', 'survey_version'],
  ),
  ...keep('access to platforms', 'connection', 'credential'),
  ...keep(
    'counts and states of the work, about nobody',
    ...['call_count', 'stream', 'stream_cost', 'stream_pass', 'hook_watch', 'field_definition', 'field_tally'],
    ...['import_run', 'calendar_pass', 'remap_run', 'deletion_batch', 'score_yardstick', 'score_state', 'send_breaker'],
  ),
];
