import type { Tx } from '../base/database.ts';
import type { Change, ChangeListener } from '../model/types.ts';
import { type OptOutDeps, optOut } from './optout.ts';

const FLAGS = [
  { field: 'email_opt_out', channel: 'email', addresses: 'emails', address: 'email', scope: 'marketing' },
  // Opted out of texts at a platform usually means a STOP to a number, which carriers enforce for every class.
  { field: 'sms_opt_out', channel: 'sms', addresses: 'phones', address: 'phone', scope: 'all' },
] as const;

interface Person {
  id: string;
  email: string | null;
  phone: string | null;
  emails: string[] | null;
  phones: string[] | null;
}

/** An objection recorded at any connected platform counts here too, from the transaction that brings it. */
export function consentImport(deps: OptOutDeps): ChangeListener {
  return async (tx, changes, now) => {
    for (const flag of FLAGS) {
      const ids = changes
        .filter((change) => change.kind === 'contact' && change.op !== 'deleted' && change.fields.includes(flag.field))
        .map((change: Change) => change.entity_id);
      if (ids.length === 0) continue;
      for (const person of await objecting(tx, ids, flag.field)) {
        const addresses = [
          ...new Set([person[flag.address], ...(person[flag.addresses] ?? [])].filter((address) => address !== null)),
        ];
        for (const address of addresses) {
          await optOut(deps, tx, {
            channel: flag.channel,
            address,
            scope: flag.scope,
            reason: 'opted_out_at_platform',
            source: 'platform',
            evidence: { field: flag.field },
            at: now,
          });
        }
      }
    }
  };
}

async function objecting(tx: Tx, ids: readonly string[], field: 'email_opt_out' | 'sms_opt_out'): Promise<Person[]> {
  const { rows } = await tx.query<Person>(
    `select id, email, phone, emails, phones from customer where tenant_id = $1 and id = any($2) and ${field}`,
    [tx.tenantId, ids],
  );
  return rows;
}
