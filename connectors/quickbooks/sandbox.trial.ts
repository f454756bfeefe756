import {
  type Clock,
  hmacSha256,
  listAt,
  type SignedPost,
  type StreamTrial,
  type Trial,
  type TrialEvent,
  at as valueAt,
} from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import { cloudEvent } from './sandbox.hooks.ts';
import type { QuickBooksCompany } from './sandbox.state.ts';
import type { Fields } from './sandbox.store.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

interface Account {
  state: QuickBooksCompany;
  server: SandboxServer;
  oauth: SandboxOAuth;
  hookUrl?: string | undefined;
}

/** QuickBooks' side of the cases every connector is tried with. */
export function trialOf(account: Account, clock: Clock, verifier: string): Trial {
  const { state, server, oauth } = account;
  return {
    streams: streamsOf(state),
    hook: hooksOf(account, verifier),
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
    actions: actionsOf(state),
    refusals: refusalsOf(clock),
    grants: grantsOf(oauth),
  };
}

interface Kind {
  entity: string;
  /** A record the vendor could have made. */
  make: (n: number) => Fields;
  field: string;
  /** What writes a mark into the field; default: the property of that name. */
  marked?: (mark: string) => Fields;
  removed?: (id: string) => void;
  quiet?: true;
}

const ENTITIES: Record<string, string> = {
  customers: 'Customer',
  invoices: 'Invoice',
  payments: 'Payment',
  credit_memos: 'CreditMemo',
  sales_receipts: 'SalesReceipt',
  refund_receipts: 'RefundReceipt',
  estimates: 'Estimate',
  time_activities: 'TimeActivity',
};

function streamsOf(state: QuickBooksCompany): Record<string, StreamTrial> {
  const sold = { TxnDate: '2026-03-01', CustomerRef: { value: '1' }, CurrencyRef: { value: 'USD' }, Line: [] };
  const method = {
    field: 'PaymentMethodRef.name',
    marked: (name: string) => ({ PaymentMethodRef: { value: '1', name } }),
  };
  const paid = { ...sold, TotalAmt: 10, PaymentMethodRef: { value: '1', name: 'Check' } };
  const people: Kind = {
    entity: 'Customer',
    make: (n) => ({
      DisplayName: `Person ${n}`,
      FullyQualifiedName: `Person ${n}`,
      FamilyName: `Number ${n}`,
      Active: true,
      Job: false,
      Balance: 0,
      BalanceWithJobs: 0,
    }),
    field: 'FamilyName',
    // Customers are not deleted, only hidden.
    removed: (id) => void state.change('Customer', id, { Active: false }),
  };
  const kinds: Record<string, Kind> = {
    customers: people,
    invoices: {
      entity: 'Invoice',
      make: (n) => ({ ...sold, DocNumber: `I-${n}`, DueDate: '2026-03-31', TotalAmt: 10, Balance: 10, LinkedTxn: [] }),
      field: 'DocNumber',
    },
    payments: { entity: 'Payment', make: () => ({ ...paid, UnappliedAmt: 10 }), ...method },
    credit_memos: {
      entity: 'CreditMemo',
      make: (n) => ({ ...sold, PrivateNote: `Credit ${n}`, TotalAmt: 10, RemainingCredit: 10, LinkedTxn: [] }),
      field: 'PrivateNote',
    },
    sales_receipts: { entity: 'SalesReceipt', make: () => ({ ...paid, Balance: 0 }), ...method },
    refund_receipts: { entity: 'RefundReceipt', make: () => ({ ...paid, Balance: 0 }), ...method },
    estimates: {
      entity: 'Estimate',
      make: (n) => ({ ...sold, DocNumber: `E-${n}`, TxnStatus: 'Pending', TotalAmt: 10, LinkedTxn: [] }),
      field: 'DocNumber',
    },
    time_activities: {
      entity: 'TimeActivity',
      make: (n) => ({
        TxnDate: '2026-03-01',
        NameOf: 'Employee',
        EmployeeRef: { value: '55', name: 'Emily Platt' },
        CustomerRef: { value: '1' },
        BillableStatus: 'Billable',
        Hours: 1,
        Minutes: 0,
        Description: `Work ${n}`,
      }),
      field: 'Description',
    },
    recurring: {
      entity: 'RecurringTransaction',
      make: (n) => ({ ...sold, TotalAmt: 10, RecurringInfo: recurringInfo(`Template ${n}`), wrappedIn: 'Invoice' }),
      field: 'RecurringInfo.Name',
      marked: (name) => ({ RecurringInfo: recurringInfo(name) }),
      quiet: true,
    },
  };
  return Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, streamTrial(state, kind)]));
}

const recurringInfo = (Name: string): Fields => ({
  Name,
  RecurType: 'Automated',
  Active: true,
  ScheduleInfo: { IntervalType: 'Monthly', NumInterval: 1, StartDate: '2026-01-01', NextDate: '2026-04-01' },
});

function streamTrial(state: QuickBooksCompany, { entity, make, field, marked, removed, quiet }: Kind): StreamTrial {
  let made = 0;
  return {
    create: (count, at) => Array.from({ length: count }, () => state.add(entity, make(++made), at).Id),
    change: (id, mark, at) => void state.change(entity, id, marked?.(mark) ?? { [field]: mark }, at),
    remove: removed ?? ((id) => state.remove(entity, id)),
    ...(entity === 'Customer' ? { merge: (from: string, into: string) => state.merge(into, from) } : {}),
    ids: () =>
      state
        .all(entity)
        .filter(({ Active }) => Active !== false)
        .map(({ Id }) => Id),
    ...(quiet ? {} : { announced: true as const }),
    listed: /^GET \/v3\/company\/[^/]+\/query$/,
    field,
    records: (body) => {
      const found = listAt(body, `QueryResponse.${entity}`);
      return entity === 'RecurringTransaction'
        ? found.map((wrapped) => valueAt(wrapped, Object.keys(wrapped as object)[0]!))
        : found;
    },
  };
}

const OPERATIONS = { changed: 'updated', deleted: 'deleted', merged: 'merged' };

/** One address for the app; no time is signed. */
function hooksOf(account: Account, verifier: string): (event: TrialEvent, at: Date) => SignedPost {
  const known = new Map<string, Date>();
  return ({ stream, id, change, into, event }, when) => {
    const at = known.get(event) ?? when;
    known.set(event, at);
    const told = cloudEvent({
      realm: account.state.realm,
      entity: ENTITIES[stream] ?? stream,
      operation: OPERATIONS[change],
      at,
      eventId: event,
      ...(change === 'merged' ? { id: into!, deletedId: id } : { id }),
    });
    const body = JSON.stringify([told]);
    const signature = hmacSha256(verifier, body).toString('base64');
    return {
      url: account.hookUrl!,
      body,
      headers: { 'content-type': 'application/json', 'intuit-signature': signature },
    };
  };
}
