import { one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { structureOf } from './graph.ts';
import type { Definition } from './schema.ts';

export interface SequenceRow {
  id: string;
  key: string;
  title: string;
  state: 'draft' | 'active' | 'paused' | 'archived';
  /** In shadow everything is decided and written down, and nothing goes out. */
  mode: 'live' | 'shadow';
  active_version: number | null;
  latest_version: number;
  playbook: string | null;
  created_at: Date;
  updated_at: Date;
  /** When it last went on after a pause. */
  resumed_at: Date | null;
  /** The last publishing, as long as it can be taken back. */
  published: { id: string; from: number | null; to: number; by: string; at: string } | null;
  version: number;
}

const SEQUENCE =
  'id, key, title, state, mode, active_version, latest_version, playbook, created_at, updated_at, resumed_at, published, version';

export async function findSequence(tx: Tx, idOrKey: string): Promise<SequenceRow | undefined> {
  return one(
    await tx.query<SequenceRow>(
      `select ${SEQUENCE} from sequence where tenant_id = $1 and (id::text = $2 or key = $2)`,
      [tx.tenantId, idOrKey],
    ),
  );
}

/** Sequences by their ids. */
export async function sequencesOf(tx: Tx, ids: readonly string[]): Promise<Map<string, SequenceRow>> {
  const { rows } = await tx.query<SequenceRow>(
    `select ${SEQUENCE} from sequence where tenant_id = $1 and id = any($2)`,
    [tx.tenantId, ids],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

export async function listSequences(tx: Tx): Promise<SequenceRow[]> {
  return (
    await tx.query<SequenceRow>(`select ${SEQUENCE} from sequence where tenant_id = $1 order by id`, [tx.tenantId])
  ).rows;
}

export async function insertSequence(
  tx: Tx,
  row: { key: string; title: string; playbook: string | null; definition: Definition; by: string; now: Date },
): Promise<string | undefined> {
  const id = newId();
  const { rowCount } = await tx.query(
    `insert into sequence (tenant_id, id, key, title, state, latest_version, playbook, created_at, updated_at) values ($1, $2, $3, $4, 'draft', 1, $5, $6, $6)
     on conflict (tenant_id, key) do nothing`,
    [tx.tenantId, id, row.key, row.title, row.playbook, row.now],
  );
  if (rowCount === 0) return undefined;
  await insertVersion(tx, id, 1, row.definition, row.by, row.now);
  return id;
}

async function insertVersion(
  tx: Tx,
  id: string,
  number: number,
  definition: Definition,
  by: string,
  now: Date,
): Promise<void> {
  await tx.query(
    'insert into sequence_version (tenant_id, sequence_id, number, definition, structure, created_at, created_by) values ($1, $2, $3, $4, $5, $6, $7)',
    [tx.tenantId, id, number, definition, structureOf(definition), now, by],
  );
}

/** Adds a version; enrolments that run keep theirs. @returns its number, or undefined when someone else was faster */
export async function addVersion(
  tx: Tx,
  id: string,
  change: { definition: Definition; by: string; expected: number; now: Date },
): Promise<number | undefined> {
  const row = one(
    await tx.query<{ latest_version: number }>(
      `update sequence set latest_version = latest_version + 1, title = $3, updated_at = $4, version = version + 1 where tenant_id = $1 and id = $2 and version = $5 returning latest_version`,
      [tx.tenantId, id, change.definition.title, change.now, change.expected],
    ),
  );
  if (!row) return undefined;
  await insertVersion(tx, id, row.latest_version, change.definition, change.by, change.now);
  return row.latest_version;
}

export async function setSequenceState(
  tx: Tx,
  id: string,
  change: { state: SequenceRow['state']; activeVersion: number | null; expected: number; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update sequence set state = $3, active_version = coalesce($4, active_version), updated_at = $5, version = version + 1,
       resumed_at = case when state = 'paused' and $3 = 'active' then $5 else resumed_at end where tenant_id = $1 and id = $2 and version = $6`,
    [tx.tenantId, id, change.state, change.activeVersion, change.now, change.expected],
  );
  return rowCount === 1;
}

const definitions = new Map<string, Definition>();
/** Read by a transaction that has not ended: what it made itself may be taken back. */
const unsure = new WeakMap<Tx, Map<string, Definition>>();

/** A version's definition. Versions never change, so they are kept in memory once they are there for good. */
export async function loadDefinition(tx: Tx, sequenceId: string, number: number): Promise<Definition> {
  const key = `${tx.tenantId} ${sequenceId} ${number}`;
  const mine = unsure.get(tx) ?? new Map<string, Definition>();
  const known = definitions.get(key) ?? mine.get(key);
  if (known) return known;
  const row = one(
    await tx.query<{ definition: Definition }>(
      'select definition from sequence_version where tenant_id = $1 and sequence_id = $2 and number = $3',
      [tx.tenantId, sequenceId, number],
    ),
  );
  if (!row) throw new Error(`Sequence ${sequenceId} has no version ${number}.`);
  unsure.set(tx, mine.set(key, row.definition));
  tx.afterCommit(() => {
    if (definitions.size > 2000) definitions.clear();
    definitions.set(key, row.definition);
  });
  return row.definition;
}

/** Notes which playbook a sequence came from. */
export async function notePlaybook(tx: Tx, id: string, playbook: string): Promise<void> {
  await tx.query('update sequence set playbook = $3 where tenant_id = $1 and id = $2', [tx.tenantId, id, playbook]);
}

export interface TemplateRow {
  key: string;
  channel: string;
  locale: string;
  subject: string | null;
  body: string;
  /** Of e-mail: a page of one's own instead of the one that is built from the body. */
  html?: string | null;
  /** The platform's own approved template that is sent instead of the body, with its variables. */
  native: { id: string; variables: Record<string, string> } | null;
  version: number;
}

export async function putTemplate(
  tx: Tx,
  template: Omit<TemplateRow, 'version'>,
  by: string,
  now: Date,
): Promise<void> {
  await tx.query(
    `insert into template as t (tenant_id, key, channel, locale, subject, body, native, html, updated_at, updated_by) values ($1, $2, $3, $4, $5, $6, $9, $10, $7, $8)
     on conflict (tenant_id, key, channel, locale) do update set subject = excluded.subject, body = excluded.body, native = excluded.native, html = excluded.html, updated_at = excluded.updated_at,
       updated_by = excluded.updated_by, version = t.version + 1`,
    [
      tx.tenantId,
      template.key,
      template.channel,
      template.locale,
      template.subject,
      template.body,
      now,
      by,
      template.native,
      template.html ?? null,
    ],
  );
}

export async function listTemplates(tx: Tx, key?: string): Promise<TemplateRow[]> {
  const { rows } = await tx.query<TemplateRow>(
    'select key, channel, locale, subject, body, html, native, version from template where tenant_id = $1 and ($2::text is null or key = $2) order by key, channel, locale',
    [tx.tenantId, key ?? null],
  );
  return rows;
}

/** Removes a text in one language for one channel. @returns whether there was one */
export async function deleteTemplate(tx: Tx, key: string, channel: string, locale: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    'delete from template where tenant_id = $1 and key = $2 and channel = $3 and locale = $4',
    [tx.tenantId, key, channel, locale],
  );
  return rowCount === 1;
}
