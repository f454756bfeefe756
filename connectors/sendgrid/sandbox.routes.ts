import { randomBytes, randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import type { Contact, ListName, Receiver, SendGridState } from './sandbox.state.ts';

export type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string | undefined>;
  Body: Record<string, never>;
}>;

export const refuse = (
  reply: FastifyReply,
  status: number,
  message: string,
  field: string | null = null,
): FastifyReply => reply.code(status).send({ errors: [{ message, field }] });

interface Events {
  /** Tells everybody who gets events. */
  tell(events: object[]): Promise<void>;
}

interface MailBody {
  from: { email: string };
  personalizations: { to: { email: string }[]; subject?: string; custom_args?: Record<string, string> }[];
  subject?: string;
  template_id?: string;
  content?: unknown[];
}

/** Everything about mails, the lists of who gets none, and who is told. */
export function installMail(app: SandboxServer['app'], state: SendGridState, { tell }: Events): void {
  app.get('/v3/scopes', async () => ({
    scopes: ['mail.send', 'suppression.read', 'user.webhooks.event.settings.read'],
  }));
  app.get('/v3/user/username', async () => ({ username: 'green-lane', user_id: 7_041_998 }));

  app.post('/v3/mail/send', async (request: Call, reply) => {
    const mail = request.body as unknown as MailBody;
    if (mail.from.email !== state.verified)
      return refuse(reply, 403, 'The from address does not match a verified Sender Identity.', 'from');
    if (!mail.template_id && !mail.content) return refuse(reply, 400, 'Content is missing.', 'content');
    const [personal] = mail.personalizations;
    const to = personal!.to[0]!.email;
    const taken = {
      ...{ id: randomBytes(11).toString('base64url'), to, args: personal!.custom_args ?? {} },
      ...{ subject: personal!.subject ?? mail.subject ?? '', template: mail.template_id },
    };
    state.mails.push(taken);
    // Whoever wants none is told afterwards: the call itself succeeds.
    const suppressed = state.lists.unsubscribes.has(to)
      ? 'Unsubscribed Address'
      : state.lists.bounces.has(to)
        ? 'Bounced Address'
        : undefined;
    if (suppressed) void tell([state.event('dropped', taken, { reason: suppressed })]);
    return reply.code(202).header('x-message-id', taken.id).send();
  });

  for (const name of ['unsubscribes', 'spam_reports', 'bounces'] as ListName[])
    app.get(`/v3/suppression/${name}`, async (request: Call) => {
      const { limit = '500', offset = '0', start_time: start = '0', end_time: end, email } = request.query;
      const visible =
        state.lateIndexMs > 0 ? Math.floor((state.now().getTime() - state.lateIndexMs) / 1000) : undefined;
      // One address is looked up where it is kept, not in the index.
      const shown = state.lists[name].shown(email === undefined ? visible : undefined);
      const found = shown.filter(
        (entry) =>
          entry.created >= Number(start) &&
          (end === undefined || entry.created <= Number(end)) &&
          (email === undefined || entry.email.startsWith(email)),
      );
      return found.slice(Number(offset), Number(offset) + Math.min(500, Number(limit)));
    });
  app.post('/v3/asm/suppressions/global', async (request: Call, reply) => {
    const emails = request.body.recipient_emails as unknown as string[];
    for (const email of emails) state.suppress('unsubscribes', email);
    return reply.code(201).send({ recipient_emails: emails });
  });
  app.post('/v3/asm/groups/:group/suppressions', async (request: Call, reply) => {
    const group = state.groups.get(Number(request.params.group));
    if (!group) return refuse(reply, 404, 'group not found');
    const emails = request.body.recipient_emails as unknown as string[];
    for (const email of emails) group.add(email);
    return reply.code(201).send({ recipient_emails: emails });
  });

  const settings = '/v3/user/webhooks/event/settings';
  app.get(`${settings}/all`, async () => ({ max_allowed: state.maxReceivers, webhooks: state.receivers }));
  app.post(settings, async (request: Call, reply) => {
    if (state.receivers.length >= state.maxReceivers)
      return refuse(reply, 400, 'maximum number of event webhooks reached');
    const receiver = { ...(request.body as object), id: randomUUID() } as Receiver;
    state.receivers.push(receiver);
    return reply.code(201).send(receiver);
  });
  app.patch(`${settings}/signed/:id`, async (request: Call, reply) => {
    const { id = '' } = request.params;
    if (!state.receivers.some((one) => one.id === id)) return refuse(reply, 404, 'webhook not found');
    return { id, public_key: state.signingKey(id) };
  });
}

/** A contact as searches show it: every field there is, empty where nobody filled it. */
const shownContact = ({ id, email, lists, fields }: Contact) => {
  const known = ['first_name', 'last_name', 'address_line_1', 'address_line_2', 'city', 'state_province_region'];
  const more = ['postal_code', 'country', 'phone_number', 'whatsapp', 'line', 'facebook', 'unique_name'];
  const at = '2026-03-01T00:00:00Z';
  return {
    ...Object.fromEntries([...known, ...more].map((name) => [name, String(fields[name] ?? '')])),
    ...{ id, email, alternate_emails: [], list_ids: [...lists], segment_ids: [], custom_fields: {} },
    ...{ created_at: at, updated_at: at, _metadata: { self: `https://api.sendgrid.com/v3/marketing/contacts/${id}` } },
  };
};

interface Upsert {
  list_ids?: string[];
  contacts: ({ email: string; custom_fields?: Record<string, unknown> } & Record<string, unknown>)[];
}

/** Marketing contacts, lists and Single Sends. Changes are taken as jobs that are done some seconds later. */
export function installMarketing(app: SandboxServer['app'], state: SendGridState): void {
  app.put('/v3/marketing/contacts', async (request: Call, reply) => {
    const { list_ids: lists = [], contacts } = request.body as unknown as Upsert;
    const lost = lists.find((id) => !state.marketingLists.some((list) => list.id === id));
    if (lost) return refuse(reply, 404, 'list not found', 'list_ids');
    for (const { email, custom_fields: custom = {}, ...fields } of contacts) {
      const unknown = Object.keys(custom).find((id) => !state.fields.some((field) => field.id === id));
      if (unknown) return refuse(reply, 400, `unknown custom field ${unknown}`, 'contacts');
      const contact = state.contact(email);
      Object.assign(contact.fields, fields, custom);
      for (const list of lists) contact.lists.add(list);
    }
    return reply.code(202).send({ job_id: randomUUID() });
  });
  app.post('/v3/marketing/contacts/search/emails', async (request: Call, reply) => {
    const emails = request.body.emails as unknown as string[];
    const found = emails.flatMap((email) => state.contacts.get(email) ?? []);
    if (found.length === 0) return refuse(reply, 404, 'contacts not found');
    const contacts = found.map((one) => [one.email, { contact: shownContact(one) }]);
    return { result: Object.fromEntries(contacts) };
  });
  app.get('/v3/marketing/lists', async () => ({
    result: state.marketingLists.map((list) => ({ ...list, contact_count: 0 })),
    _metadata: { count: state.marketingLists.length },
  }));
  app.delete('/v3/marketing/lists/:id/contacts', async (request: Call, reply) => {
    const { id = '' } = request.params;
    if (!state.marketingLists.some((list) => list.id === id)) return reply.code(404).send({});
    const ids = (request.query.contact_ids ?? '').split(',');
    for (const contact of state.contacts.values()) if (ids.includes(contact.id)) contact.lists.delete(id);
    return reply.code(202).send({ job_id: randomUUID() });
  });
  app.get('/v3/marketing/field_definitions', async () => ({
    custom_fields: state.fields,
    reserved_fields: [{ name: 'first_name', field_type: 'Text' }],
  }));
  app.get('/v3/marketing/singlesends/:id', async (request: Call, reply) => {
    const found = state.singleSends.get(request.params.id ?? '');
    if (!found) return refuse(reply, 404, 'single send not found', 'id');
    const { id, name, status } = found;
    const at = '2026-03-01T00:00:00Z';
    return { id, name, status, categories: [], send_at: null, created_at: at, updated_at: at, send_to: { all: true } };
  });
  app.put('/v3/marketing/singlesends/:id/schedule', async (request: Call, reply) => {
    const found = state.singleSends.get(request.params.id ?? '');
    if (!found) return refuse(reply, 404, 'single send not found', 'id');
    found.status = 'scheduled';
    found.scheduled += 1;
    return reply.code(201).send({ send_at: request.body.send_at, status: 'scheduled' });
  });
}
