import type { Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { type AuditRow, appendEvents } from './store.ts';

/** The action of an event that tells that bodies of earlier ones were taken out. */
export const REDACTED = 'audit.redacted';

/** Events whose bodies go together: told of in one event. */
const MOST = 500;

/**
 * Takes the bodies out of sealed events. That it was done, to which events and with which hashes, is an event itself.
 * @param events sealed events with their hashes
 * @returns how many bodies were taken out now
 */
export async function redactEvents(
  tx: Tx,
  events: readonly { id: string; hash: Buffer }[],
  told: { actor: string; subject: { kind: string; id: string }; at: Date },
): Promise<number> {
  let done = 0;
  for (let from = 0; from < events.length; from += MOST) {
    const some = events.slice(from, from + MOST);
    const id = newId();
    const { rows } = await tx.query<{ n: string }>('select redact_audit($1, $2, $3) as n', [
      tx.tenantId,
      some.map((event) => event.id),
      id,
    ]);
    done += Number(rows[0]!.n);
    const named = Object.fromEntries(some.map((event) => [event.id, event.hash.toString('hex')]));
    await appendEvents(tx, [{ id, action: REDACTED, ...told, data: { events: named } }]);
  }
  return done;
}

/** Redactions met on the way along a chain, and what the chain tells of them. */
export interface Redactions {
  met: Map<string, { seq: number; by: string; hash: string }>;
  told: Map<string, { by: string; hash: string }>;
}

export const newRedactions = (): Redactions => ({ met: new Map(), told: new Map() });

/** Notes what an event of the chain says about redactions, of itself or of others. */
export function noteRedactions({ met, told }: Redactions, row: AuditRow): void {
  if (row.redacted_by) met.set(row.id, { seq: row.seq!, by: row.redacted_by, hash: row.hash!.toString('hex') });
  if (row.action !== REDACTED) return;
  for (const [id, hash] of Object.entries((row.data.events ?? {}) as Record<string, string>))
    told.set(id, { by: row.id, hash });
}

/** The first event whose body is gone without an event that tells of it. */
export function untoldRedaction({ met, told }: Redactions): { seq: number; reason: string } | undefined {
  for (const [id, { seq, by, hash }] of met) {
    const teller = told.get(id);
    if (teller?.by !== by || teller.hash !== hash)
      return { seq, reason: `the body of event ${id} was taken out, and no event tells why` };
  }
  return undefined;
}
