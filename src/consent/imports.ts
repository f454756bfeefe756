import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import type { Change, ChangeListener } from '../model/types.ts';
import { type OptOutDeps, optOut } from './optout.ts';

interface Person {
  id: string;
  email: string | null;
  phone: string | null;
  emails: string[] | null;
  phones: string[] | null;
  email_opt_out: boolean | null;
  sms_opt_out: boolean | null;
  topic_opt_outs: string[] | null;
}

/** Fields in which platforms hold objections; every connector's mapping fills those it has. */
const FIELDS = {
  email_opt_out: { channel: 'email', scope: 'marketing' },
  // Opted out of texts at a platform usually means a STOP to a number, which carriers enforce for every class.
  sms_opt_out: { channel: 'sms', scope: 'all' },
  /** Topics, as channel:topic; a topic alone means e-mail. */
  topic_opt_outs: undefined,
} as const;
type Field = keyof typeof FIELDS;

/**
 * An objection recorded at any connected platform counts here too, from the transaction that brings it. That a platform
 * no longer says so is noted and grants nothing: only the person can take an objection back.
 */
export function consentImport(deps: OptOutDeps): ChangeListener {
  return async (tx, changes, now) => {
    for (const field of Object.keys(FIELDS) as Field[]) {
      const about = changes.filter(
        (change) =>
          change.kind === 'contact' &&
          change.op !== 'deleted' &&
          // What we told a platform comes back later than the person may have changed their mind here.
          change.origin !== 'echo' &&
          change.fields.includes(field),
      );
      if (about.length === 0) continue;
      await noteTakenBack(tx, about, field, now);
      const ids = about.map((change) => change.entity_id);
      const knowing = await whoSays(tx, ids, field);
      for (const person of await objecting(tx, ids, field))
        for (const choice of choicesOf(person, field))
          await optOut(deps, tx, {
            ...choice,
            customerId: person.id,
            reason: 'opted_out_at_platform',
            source: 'platform',
            evidence: { field },
            from: knowing.get(person.id) ?? [],
            at: now,
          });
    }
  };
}

const addressesOf = (person: Person, channel: string): string[] => {
  const all = channel === 'email' ? [person.email, ...(person.emails ?? [])] : [person.phone, ...(person.phones ?? [])];
  return [...new Set(all.filter((address) => address !== null))];
};

type Choice = { channel: string; address: string; scope: 'all' | 'marketing'; topic?: string };

function choicesOf(person: Person, field: Field): Choice[] {
  const flag = FIELDS[field];
  if (flag) return addressesOf(person, flag.channel).map((address) => ({ ...flag, address }));
  return (person.topic_opt_outs ?? []).flatMap((entry) => {
    const [channel, topic] = entry.includes(':') ? entry.split(':', 2) : ['email', entry];
    // A topic is a choice of the person: one address stands for all of theirs.
    const [address] = addressesOf(person, channel!);
    return address && topic ? [{ channel: channel!, address, scope: 'marketing' as const, topic }] : [];
  });
}

async function objecting(tx: Tx, ids: readonly string[], field: Field): Promise<Person[]> {
  const { rows } = await tx.query<Person>(
    `select id, email, phone, emails, phones, email_opt_out, sms_opt_out, topic_opt_outs from customer
     where tenant_id = $1 and id = any($2) and ${says(field)}`,
    [tx.tenantId, ids],
  );
  return rows;
}

const says = (field: Field): string => (field === 'topic_opt_outs' ? 'cardinality(topic_opt_outs) > 0' : field);

/** Connections whose own records say so: they need not be told. By customer. */
async function whoSays(tx: Tx, ids: readonly string[], field: Field): Promise<Map<string, string[]>> {
  const { rows } = await tx.query<{ entity_id: string; connection_id: string }>(
    `select distinct p.entity_id, s.connection_id from contact_projection p join stream s on s.tenant_id = p.tenant_id and s.id = p.stream_id
     where p.tenant_id = $1 and p.entity_id = any($2) and p.deleted_at is null and ${says(field).replace(field, `p.${field}`)}`,
    [tx.tenantId, ids],
  );
  const found = new Map<string, string[]>();
  for (const row of rows) found.set(row.entity_id, [...(found.get(row.entity_id) ?? []), row.connection_id]);
  return found;
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === true ? [true] : []);

async function noteTakenBack(tx: Tx, changes: readonly Change[], field: Field, now: Date): Promise<void> {
  const back = changes.filter(({ before, after }) => {
    const still = new Set(list(after?.[field]));
    return list(before?.[field]).some((said) => !still.has(said));
  });
  await appendEvents(
    tx,
    back.map((change) => ({
      actor: 'system',
      action: 'consent.kept',
      subject: { kind: 'field', id: field },
      customerId: change.entity_id,
      data: { reason: 'A platform no longer holds the objection; only the person can take it back.' },
      at: now,
    })),
  );
}
