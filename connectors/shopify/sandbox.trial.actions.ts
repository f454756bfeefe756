import type { ActionTrial, Refusals, Trial } from '../../src/kit/index.ts';
import { person } from './sandbox.people.ts';
import type { ShopState } from './sandbox.state.ts';
import type { Node } from './sandbox.table.ts';

const idOf = (node: Node): string => String(node.legacyResourceId);
const NOBODY = { about: { contact: '1' } };

/** Shopify's side of each action. */
export function actionsOf(state: ShopState): Trial['actions'] {
  const customer = (n: number): string =>
    idOf(state.create('Customer', person('Acted', `Upon ${n}`, `acted${n}@example.com`, `+1614555${1000 + n}`)));
  const about = (n: number) => ({ about: { contact: customer(n) } });
  const order = (): string => {
    const schedule = { id: `gid://shopify/PaymentSchedule/${state.now().getTime()}`, dueAt: '2026-02-01T00:00:00Z' };
    const node = state.create('Order', {});
    const paymentSchedules = [{ ...schedule, id: `${schedule.id}${idOf(node)}`, issuedAt: null, completedAt: null }];
    state.change('Order', node.id, {
      paymentTerms: { paymentTermsName: 'Net 30', paymentTermsType: 'NET', overdue: true, paymentSchedules },
    });
    return idOf(node);
  };
  return {
    add_tag: tagTrial(state, customer, 'add'),
    remove_tag: tagTrial(state, customer, 'remove'),
    add_note: {
      input: (n) => ({ body: `Called ${n}`, ...about(n) }),
      done: () => state.notes,
      request: / AddNote$/,
      link: true,
      refused: [
        { input: { body: 'Whom?', ...NOBODY }, kind: 'not_found' },
        { input: { body: 'Whom?', about: {} }, kind: 'invalid' },
      ],
    },
    update_field: fieldTrial(state, customer),
    enrol_in_automation: {
      input: (n) => ({ automation: 'rapport-follow-up', ...about(n) }),
      done: () => state.flows.map(({ handle, payload }) => `${handle}:${String(payload.customer_id)}`),
      request: / StartFlow$/,
      get refused() {
        return [{ input: { automation: 'no-such-trigger', ...about(0) }, kind: 'not_found' as const }];
      },
    },
    send_invoice_reminder: {
      input: () => ({ invoice: order() }),
      done: () => state.reminders.map((id) => `reminder:${id}`),
      request: / Remind$/,
      link: true,
      refused: [{ input: { invoice: '1' }, kind: 'not_found' }],
    },
    record_opt_out: {
      input: (n) => ({ channel: 'email', address: `acted${n}@example.com`, contact: customer(n) }),
      done: () =>
        state.tables.Customer.all()
          .filter(
            (one) => (one.defaultEmailAddress as { marketingState?: string } | null)?.marketingState === 'UNSUBSCRIBED',
          )
          .map((one) => `email:${idOf(one)}`),
      request: / OptOutEmail$/,
      refused: [{ input: { channel: 'email', address: 'nobody@example.com' }, kind: 'not_found' }],
    },
  };
}

function tagTrial(state: ShopState, customer: (n: number) => string, verb: 'add' | 'remove'): ActionTrial {
  const asked: { id: string; tag: string }[] = [];
  return {
    input: (n) => {
      const wanted = { id: customer(n), tag: `Round ${n}` };
      if (verb === 'remove') state.change('Customer', wanted.id, { tags: [wanted.tag] });
      asked.push(wanted);
      return { tag: wanted.tag, about: { contact: wanted.id } };
    },
    done: () =>
      asked
        .filter(({ id, tag }) => (state.find('Customer', id)!.tags as string[]).includes(tag) === (verb === 'add'))
        .map(({ id, tag }) => `${id}:${tag}`),
    request: verb === 'add' ? / AddTag$/ : / RemoveTag$/,
    link: true,
    refused: [
      { input: { tag: 'lost', ...NOBODY }, kind: 'not_found' },
      { input: { tag: 'lost', about: {} }, kind: 'invalid' },
    ],
  };
}

function fieldTrial(state: ShopState, customer: (n: number) => string): ActionTrial {
  const asked: { id: string; score: number }[] = [];
  const value = (id: string): string | undefined =>
    (state.find('Customer', id)!.metafields as { key: string; value: string }[]).find(({ key }) => key === 'score')
      ?.value;
  return {
    input: (n) => {
      const wanted = { id: customer(n), score: 100 + n };
      asked.push(wanted);
      return { object: 'contact', id: wanted.id, fields: { 'rapport.score': wanted.score, locale: 'de' } };
    },
    done: () => asked.filter(({ id, score }) => value(id) === String(score)).map(({ id }) => id),
    request: / WriteFields$/,
    link: true,
    refused: [{ input: { object: 'contact', id: '1', fields: { 'rapport.score': 1 } }, kind: 'not_found' }],
  };
}

const answered = (body: object) => ({ kind: 'status', status: 200, body }) as const;
const failed = (code: string, message: string, more: object = {}) =>
  answered({ errors: [{ message, extensions: { code } }], ...more });

/** Shopify's refusals. Most have status 200; when to come back is reckoned from points and how fast they flow. */
export function refusalsOf(state: ShopState): Refusals {
  return {
    rateLimited: (until) => {
      const seconds = until ? Math.ceil((until.getTime() - state.now().getTime()) / 1000) : 2;
      const throttleStatus = { maximumAvailable: 2000, currentlyAvailable: 0, restoreRate: 100 };
      const cost = { requestedQueryCost: seconds * 100, actualQueryCost: null, throttleStatus };
      return failed('THROTTLED', 'Throttled', { extensions: { cost } });
    },
    expired: () => ({
      ...{ kind: 'status', status: 401 },
      body: { errors: '[API] Invalid API key or access token (unrecognized login or wrong password)' },
    }),
    forbidden: {
      permission: 'write_customers',
      fault: () =>
        failed('ACCESS_DENIED', 'Access denied for this field. Required access: `write_customers` access scope.'),
    },
    invalid: (message) => answered({ data: { done: { userErrors: [{ field: null, message }] } } }),
    unavailable: () => ({ kind: 'status', status: 503, body: '<html><h1>503 Service Unavailable</h1></html>' }),
  };
}
