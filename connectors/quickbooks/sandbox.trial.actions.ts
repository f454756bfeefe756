import type { ActionTrial, Clock, Refusals, Trial } from '../../src/kit/index.ts';
import { fault, gatewayFault } from './sandbox.faults.ts';
import type { QuickBooksCompany } from './sandbox.state.ts';

/** QuickBooks' side of each action. */
export function actionsOf(state: QuickBooksCompany): Trial['actions'] {
  let made = 0;
  const customer = (n: number, fields: Record<string, unknown> = {}): string => {
    made += 1;
    const PrimaryEmailAddr = { Address: `books${n}@example.com` };
    return state.addCustomer({ DisplayName: `Acted Upon ${n}.${made}`, PrimaryEmailAddr, ...fields }).Id;
  };
  const full = (): string => {
    made += 1;
    return state.addCustomer({ DisplayName: `Full of notes ${made}`, Notes: 'n'.repeat(1999) }).Id;
  };
  return {
    send_invoice_reminder: {
      input: (n) => ({ invoice: state.addInvoice({ customer: customer(n), amount: 100 + n }).Id }),
      done: () => state.mails.map(({ invoice }) => invoice),
      request: /^POST .*\/invoice\/\d+\/send$/,
      link: true,
      get refused() {
        const silent = state.addInvoice({ customer: customer(0), amount: 10, email: null }).Id;
        return [
          { input: { invoice: '999999' }, kind: 'not_found' as const },
          { input: { invoice: silent }, kind: 'invalid' as const },
        ];
      },
    },
    add_note: noteTrial(state, customer, full),
    update_field: fieldTrial(state, customer),
  };
}

function noteTrial(state: QuickBooksCompany, customer: (n: number) => string, full: () => string): ActionTrial {
  const asked: { id: string; body: string }[] = [];
  return {
    input: (n) => {
      const wanted = { id: customer(n), body: `Noted for number ${n}.` };
      asked.push(wanted);
      return { body: wanted.body, about: { contact: wanted.id } };
    },
    // A note that stands there twice was added twice.
    done: () =>
      asked.flatMap(({ id, body }) => {
        const text = String(state.find('Customer', id)?.Notes ?? '');
        return Array<string>(text.split(body).length - 1).fill(id);
      }),
    request: /^POST \/v3\/company\/[^/]+\/customer$/,
    link: true,
    get refused() {
      return [
        { input: { body: 'Does not fit', about: { contact: full() } }, kind: 'invalid' as const },
        { input: { body: 'About nobody', about: {} }, kind: 'invalid' as const },
        { input: { body: 'About nobody', about: { contact: '999999' } }, kind: 'not_found' as const },
      ];
    },
  };
}

function fieldTrial(state: QuickBooksCompany, customer: (n: number) => string): ActionTrial {
  const asked: { id: string; name: string }[] = [];
  return {
    input: (n) => {
      const wanted = { id: customer(n), name: `Written Works ${n}` };
      asked.push(wanted);
      return { object: 'customer', id: wanted.id, fields: { CompanyName: wanted.name } };
    },
    done: () => asked.filter(({ id, name }) => state.find('Customer', id)?.CompanyName === name).map(({ id }) => id),
    request: /^POST \/v3\/company\/[^/]+\/customer$/,
    link: true,
    get refused() {
      const [one, other] = [customer(0), customer(0)];
      const taken = state.get('Customer', one).DisplayName as string;
      return [
        { input: { object: 'customer', id: other, fields: { DisplayName: taken } }, kind: 'conflict' as const },
        { input: { object: 'customer', id: other, fields: { Title: 'x'.repeat(17) } }, kind: 'invalid' as const },
        { input: { object: 'deal', id: other, fields: { Title: 'x' } }, kind: 'invalid' as const },
      ];
    },
  };
}

/** QuickBooks' refusals. */
export function refusalsOf(clock: Clock): Refusals {
  const refusal = (status: number, type: string, code: string, message: string, detail: string) =>
    ({ kind: 'status', status, body: fault(clock, type, code, message, detail) }) as const;
  return {
    rateLimited: (until) => ({
      ...refusal(429, 'SERVICE', '003001', 'ThrottleExceeded', 'message=ThrottleExceeded; statusCode=429'),
      headers: until
        ? { 'retry-after': String(Math.ceil((until.getTime() - clock.now().getTime()) / 1000)) }
        : ({} as Record<string, string>),
    }),
    expired: () => ({ kind: 'status', status: 401, body: gatewayFault }),
    revoked: () =>
      refusal(403, 'AuthorizationFault', '003100', 'ApplicationAuthorizationFailed', 'No access to this company'),
    forbidden: {
      fault: () =>
        refusal(400, 'ValidationFault', '5020', 'Permission Denied Error', 'You do not have permission to do this.'),
    },
    invalid: (reason) => refusal(400, 'ValidationFault', '6000', 'A business validation error has occurred', reason),
    unavailable: () => refusal(503, 'SystemFault', '10000', 'An application error has occurred', 'Service unavailable'),
  };
}
