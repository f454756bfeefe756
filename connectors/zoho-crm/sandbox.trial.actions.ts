import type { ActionTrial, Refusals, Trial } from '../../src/kit/index.ts';
import { GOVERNED, type ZohoOrg } from './sandbox.state.ts';

const FROM = '2026-09-01T15:00:00Z';
const TO = '2026-09-01T16:00:00Z';
const CADENCE = '5725767000007001';
const TRANSITION = 'Service completed';
const HOUR_MS = 3_600_000;

/** Zoho's side of each action. */
export function actionsOf(org: ZohoOrg): Trial['actions'] {
  // They were there before: whatever an index shows late, it shows them.
  const person = (n: number): string =>
    org.create('Contacts', { Last_Name: `Upon ${n}`, Email: `acted${n}@example.com` }, org.now() - HOUR_MS).id;
  const about = (n: number) => ({ about: { contact: person(n) } });
  const made = (module: string): Pick<ActionTrial, 'done' | 'request' | 'link' | 'refusesTwins'> => ({
    done: () => org.table(module).rows.map(({ id }) => id),
    request: new RegExp(`^POST /crm/v8/${module}$`),
    link: true,
    refusesTwins: true,
  });
  const noOwner = { assignee: '999999', about: {} };
  const start = { dueAt: FROM };
  const slot = { startsAt: FROM, endsAt: TO };
  const mailsFrom = (module: string) => () => org.mails.filter((mail) => mail.module === module).map(({ id }) => id);
  return {
    create_task: {
      ...made('Tasks'),
      input: (n) => ({ title: `Call ${n}`, ...start, ...about(n) }),
      refused: [{ input: { title: 'Nobody', ...start, ...noOwner }, kind: 'invalid' }],
    },
    create_calendar_event: {
      ...made('Events'),
      input: (n) => ({ title: `Visit ${n}`, ...slot, attendees: ['ann@example.com'], ...about(n) }),
      refused: [{ input: { title: 'Nobody', ...slot, ...noOwner }, kind: 'invalid' }],
    },
    create_ticket: {
      ...made('Cases'),
      input: (n) => ({ title: `Leak ${n}`, ...about(n) }),
      refused: [{ input: { title: 'Nobody', ...noOwner }, kind: 'invalid' }],
    },
    add_note: {
      input: (n) => ({ body: `Called ${n}`, ...about(n) }),
      done: () => org.table('Notes').rows.map(({ id }) => id),
      request: /^POST \/crm\/v8\/Notes$/,
      link: true,
      refused: [{ input: { body: 'About nobody', about: {} }, kind: 'invalid' }],
    },
    update_field: {
      ...fieldTrial(org, person, (n) => ({ Title: `Title ${n}` })),
      refused: [{ input: { object: 'contact', id: '1', fields: { Title: 'x' } }, kind: 'not_found' }],
    },
    add_tag: tagTrial(org, person, 'add'),
    remove_tag: tagTrial(org, person, 'remove'),
    enrol_in_automation: {
      // By turns the two things there are to enrol in.
      input: (n) => {
        if (n % 2 === 0) return { automation: CADENCE, ...about(n) };
        const deal = org.create('Deals', { Deal_Name: `Visit ${n}`, [GOVERNED]: 'Scheduled' }, org.now() - HOUR_MS);
        return { automation: `transition:${TRANSITION}`, about: { deal: deal.id } };
      },
      done: () => org.automated,
      request: /^(POST \/crm\/v8\/\w+\/actions\/enrol_in_cadences|PUT \/crm\/v8\/\w+\/\d+\/actions\/blueprint)$/,
      get refused() {
        const deal = org.create('Deals', { Deal_Name: 'Done', [GOVERNED]: 'Completed' });
        return [
          { input: { automation: `transition:${TRANSITION}`, about: { deal: deal.id } }, kind: 'invalid' as const },
        ];
      },
    },
    send_email: {
      input: (n) => {
        person(n);
        return { to: `acted${n}@example.com`, subject: `Visit ${n}`, text: 'We come tomorrow.' };
      },
      done: mailsFrom('Contacts'),
      request: /^POST \/crm\/v8\/Contacts\/\d+\/actions\/send_mail$/,
    },
    send_invoice_reminder: {
      input: (n) => {
        const invoice = { Invoice_Number: `I-acted-${n}`, Contact_Name: { id: person(n) } };
        return { invoice: org.create('Invoices', invoice, org.now() - HOUR_MS).id };
      },
      done: mailsFrom('Invoices'),
      request: /^POST \/crm\/v8\/Invoices\/\d+\/actions\/send_mail$/,
      refused: [{ input: { invoice: '1' }, kind: 'not_found' }],
    },
    record_opt_out: optOutTrial(org, person),
  };
}

function fieldTrial(
  org: ZohoOrg,
  person: (n: number) => string,
  fields: (n: number) => Record<string, string>,
): ActionTrial {
  const asked: { id: string; wanted: Record<string, string> }[] = [];
  return {
    input: (n) => {
      const one = { id: person(n), wanted: fields(n) };
      asked.push(one);
      return { object: 'contact', id: one.id, fields: one.wanted };
    },
    done: () =>
      asked
        .filter(({ id, wanted }) => {
          const now = org.table('Contacts').find(id)?.fields ?? {};
          return Object.entries(wanted).every(([name, value]) => now[name] === value);
        })
        .map(({ id }) => id),
    request: /^PUT \/crm\/v8\/Contacts\/\d+$/,
    link: true,
  };
}

function optOutTrial(org: ZohoOrg, person: (n: number) => string): ActionTrial {
  const asked: string[] = [];
  return {
    input: (n) => {
      asked.push(person(n));
      return { channel: 'email', address: `acted${n}@example.com` };
    },
    done: () => asked.filter((id) => org.table('Contacts').find(id)?.fields.Email_Opt_Out === true),
    request: /^PUT \/crm\/v8\/Contacts\/\d+$/,
    link: true,
    refused: [{ input: { channel: 'email', address: 'nobody@nowhere.example' }, kind: 'not_found' }],
  };
}

function tagTrial(org: ZohoOrg, person: (n: number) => string, verb: 'add' | 'remove'): ActionTrial {
  const asked: string[] = [];
  const has = (id: string): boolean =>
    ((org.table('Contacts').find(id)?.fields.Tag ?? []) as { name: string }[]).some(({ name }) => name === 'VIP');
  return {
    input: (n) => {
      const contact = person(n);
      if (verb === 'remove') org.tag('Contacts', contact, 'VIP', 'add');
      asked.push(contact);
      return { tag: 'VIP', about: { contact } };
    },
    done: () => asked.filter((id) => has(id) === (verb === 'add')).map((id) => `VIP:${id}`),
    request: new RegExp(`^POST /crm/v8/Contacts/actions/${verb}_tags$`),
    refused: [{ input: { tag: 'VIP', about: { contact: '1' } }, kind: 'invalid' }],
  };
}

const refusal = (status: number, code: string, message: string, details: object = {}) =>
  ({ kind: 'status', status, body: { code, details, message, status: 'error' } }) as const;

/** Zoho's refusals; it never says when to come back. */
export const refusals: Refusals = {
  rateLimited: (until) => (until ? undefined : refusal(429, 'TOO_MANY_REQUESTS', 'too many requests fired')),
  expired: () => refusal(401, 'INVALID_TOKEN', 'invalid oauth token'),
  forbidden: {
    permission: 'Crm_Implied_Create_Tasks',
    fault: () => refusal(403, 'NO_PERMISSION', 'permission denied', { permissions: ['Crm_Implied_Create_Tasks'] }),
  },
  // In a row of an answer that looks good.
  invalid: (message) => ({
    ...{ kind: 'status', status: 202 },
    body: { data: [{ code: 'INVALID_DATA', details: {}, message, status: 'error' }] },
  }),
  unavailable: () => ({ kind: 'status', status: 503, body: '<html><h1>503 Service Unavailable</h1></html>' }),
};
