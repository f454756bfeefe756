import { redactEvents } from '../audit/redaction.ts';
import { insertRows, type Row, type Tx } from '../base/database.ts';
import type { Keyring } from '../base/keyring.ts';
import { answerContext } from '../http/idempotency.ts';
import type { Scope } from './scope.ts';
import { bind } from './statement.ts';
import type { ErasureRow } from './store.ts';

type Open = ErasureRow & { scope: Scope };

const NOBODY = new Date(0);

/**
 * Of a consent stays what proves it later: the channel, the choice, on what basis, through whom and when, and the keyed
 * hashes of the addresses. What was said, and where, goes.
 */
export async function eraseConsentHistory(tx: Tx, { id, scope, hashes }: Open): Promise<number> {
  const { rows } = await tx.query<Row>(
    `select id, customer_id, channel, topic, state, basis, source, class, expires_at, recorded_at from consent_event
     where tenant_id = $1 and customer_id = any($2) and evidence ->> 'erasure' is null`,
    [tx.tenantId, scope.ids],
  );
  await tx.query('delete from consent_event where tenant_id = $1 and id = any($2)', [
    tx.tenantId,
    rows.map((row) => row.id),
  ]);
  const columns = [
    ...['id', 'customer_id'].map((name) => ({ name, type: 'uuid' })),
    ...['channel', 'topic', 'class', 'state', 'basis', 'source'].map((name) => ({ name, type: 'text' })),
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'expires_at', type: 'timestamptz' },
    { name: 'evidence', type: 'jsonb' },
  ];
  const evidence = { erasure: id, addressHashes: hashes };
  await insertRows(
    tx,
    'consent_event',
    columns,
    rows.map((row) => ({ ...row, evidence })),
  );
  return rows.length;
}

/** Answers of the API are kept sealed: each is opened, and those that speak of the person go. */
export async function eraseAnswers(keyring: Keyring, tx: Tx, { scope }: Open): Promise<number> {
  const { rows } = await tx.query<{ key: string; body: unknown }>(
    'select key, body from idempotency where tenant_id = $1 and body is not null',
    [tx.tenantId],
  );
  const signs = [...scope.terms, ...scope.names, ...scope.ids];
  const doomed = rows
    .filter(({ key, body }) => {
      const text = keyring.open(Buffer.from(String(body), 'base64'), answerContext(tx.tenantId, key)).toLowerCase();
      return signs.some((sign) => text.includes(sign));
    })
    .map(({ key }) => key);
  const { rowCount } = await tx.query('delete from idempotency where tenant_id = $1 and key = any($2)', [
    tx.tenantId,
    doomed,
  ]);
  return rowCount;
}

/** Bodies of the audit trail that are about the person, or that name an address of theirs. The chain still verifies. */
export async function eraseTrail(tx: Tx, { id, scope, hashes, requested_by }: Open, now: Date): Promise<number> {
  const { text, values } = bind(
    `select t.id, t.hash from audit_event t where t.tenant_id = $1 and t.seq is not null and t.redacted_by is null
       and t.action not like 'person.%' and t.action <> 'audit.redacted'
       and (t.customer_id = any({ids}::uuid[]) or t.subject_id = any({ids}::text[]) or lower(t.data::text) like any({patterns}::text[])
         or t.customer_id is null and lower(t.data::text) like any({anyName}::text[]))
     order by t.seq`,
    { scope, hashes, now },
  );
  const { rows } = await tx.query<{ id: string; hash: Buffer }>(text, [tx.tenantId, ...values]);
  return redactEvents(tx, rows, { actor: requested_by, subject: { kind: 'erasure', id }, at: now });
}

/**
 * What platforms posted about the person loses its bytes; that it was posted stays known. A post may name a record by its
 * id only, so those of the account that name it go too: they were read long ago, and polls are the net below them.
 */
export async function erasePosts(tx: Tx, { scope, hashes }: Open): Promise<number> {
  const { rows: records } = await tx.query<{
    connector: string;
    connection_id: string;
    account_id: string | null;
    remote_id: string;
  }>(
    `select c.connector, c.id as connection_id, c.account_id, i.r as remote_id from unnest($2::uuid[], $3::text[]) as i(s, r)
     join stream s on s.tenant_id = $1 and s.id = i.s join connection c on c.tenant_id = $1 and c.id = s.connection_id`,
    [tx.tenantId, scope.streams.slice(0, scope.own), scope.remotes.slice(0, scope.own)],
  );
  const { rows: known } = await tx.query<{ connector: string }>(
    'select distinct connector from connection where tenant_id = $1',
    [tx.tenantId],
  );
  // Posts belong to no tenant yet, so they are looked through on their own.
  const { text, values } = bind(
    `update hook_inbox t set body = ''::bytea, headers = '{}', url = '', routed_at = coalesce(t.routed_at, t.received_at)
     where length(t.body) > 0 and t.connector = any($1::text[])
       and (lower(encode(t.body, 'escape')) like any({patterns}::text[]) or lower(encode(t.body, 'escape')) like any({anyName}::text[]))`,
    { scope, hashes, now: NOBODY },
  );
  let done = (await tx.query(text, [known.map(({ connector }) => connector), ...values])).rowCount;
  for (const { connector, connection_id, account_id, remote_id } of records)
    done += (
      await tx.query(
        `update hook_inbox set body = ''::bytea, headers = '{}', url = '', routed_at = coalesce(routed_at, received_at)
         where connector = $1 and length(body) > 0 and position($2::text in encode(body, 'escape')) > 0
           and (connection_id = $3 or position($4::text in encode(body, 'escape')) > 0)`,
        [connector, remote_id, connection_id, account_id ?? connection_id],
      )
    ).rowCount;
  return done;
}

/** Links in messages that were sent say whose they are; without their row they lead nowhere. */
export async function eraseLinks(tx: Tx, { scope }: Open): Promise<number> {
  const { rowCount } = await tx.query(
    `delete from link_route where tenant_id = $1 and (subject ->> 'customerId' = any($2::text[])
       or lower(subject ->> 'address') = any($3::text[]))`,
    [tx.tenantId, scope.ids, scope.terms],
  );
  return rowCount;
}
