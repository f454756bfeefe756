import { one, type Tx } from '../base/database.ts';
import { loadOverrides, type Override } from './overrides.ts';
import type { CustomerRow } from './store.ts';

/** The days of a customer that come back every year. */
export const DATE_KINDS = ['birthday', 'first_service', 'first_installation'] as const;
export type DateKind = (typeof DATE_KINDS)[number];

/** One such day: what counts, where it comes from, and what it would be without what was set by hand. */
export interface CustomerDate {
  kind: DateKind;
  /** `YYYY-MM-DD`, or `--MM-DD` for a birthday without a year; null when nobody knows it. */
  value: string | null;
  origin: 'customer' | 'staff' | 'platform' | 'jobs' | null;
  setBy: string | null;
  setAt: Date | null;
  note: string | null;
}

/** Kinds of work, in the words businesses use, that are an installation. */
const INSTALLATION = '(install|einbau|montage|instal)';

/** Whether a kind of work is an installation. */
export const isInstallation = (kind: string): boolean => new RegExp(INSTALLATION, 'i').test(kind);

/** The first completed job of a customer, and the first that was an installation. */
async function firstJobs(tx: Tx, customerId: string): Promise<{ service: string | null; installation: string | null }> {
  const row = one(
    await tx.query<{ service: string | null; installation: string | null }>(
      `select min(completed_on)::text as service, min(completed_on) filter (where kind ~* $3 or title ~* $3)::text as installation
       from job where tenant_id = $1 and customer_id = $2 and status = 'completed' and deleted_at is null`,
      [tx.tenantId, customerId, INSTALLATION],
    ),
  );
  return row ?? { service: null, installation: null };
}

/** Birthday and anniversaries of a customer: set by hand, else from the platforms, else derived from the jobs. */
export async function datesOf(tx: Tx, customer: CustomerRow): Promise<CustomerDate[]> {
  const byHand = (await loadOverrides(tx, [customer.id])).get(customer.id) ?? [];
  const { service, installation } = await firstJobs(tx, customer.id);
  const dateOf = (kind: DateKind, value: string | null, origin: 'platform' | 'jobs'): CustomerDate => {
    const set: Override | undefined = byHand.find(({ field }) => field === kind);
    if (!set) return { kind, value, origin: value === null ? null : origin, setBy: null, setAt: null, note: null };
    return { kind, value: set.value, origin: set.source, setBy: set.set_by, setAt: set.set_at, note: set.note };
  };
  return [
    dateOf('birthday', (customer.birthday as string | null) ?? null, 'platform'),
    dateOf('first_service', service, 'jobs'),
    dateOf('first_installation', installation, 'jobs'),
  ];
}
