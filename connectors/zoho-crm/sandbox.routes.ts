import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { badRow, type Call, person, refuse, unknownId } from './sandbox.answers.ts';
import { GOVERNED, shownTime, TRANSITIONS, type ZohoOrg, type ZohoUser } from './sandbox.state.ts';
import { crm } from './version.ts';

const shownUser = (user: ZohoUser): object => ({
  ...user,
  time_zone: 'America/New_York',
  created_time: '2024-01-02T09:00:00-05:00',
  confirm: true,
  language: 'en_US',
});

/** A field as the settings show it. */
function fieldOf(name: string, more: object = {}): object {
  const known: Record<string, string> = {
    Email: 'email',
    Phone: 'phone',
    Modified_Time: 'datetime',
    Amount: 'currency',
  };
  return {
    api_name: name,
    field_label: name.replaceAll('_', ' '),
    data_type: known[name] ?? 'text',
    custom_field: false,
    ...more,
  };
}

const STANDARD = ['Owner', 'Email', 'Phone', 'Description', 'Modified_Time', 'Created_Time', 'Tag'];
const STATUSES: Record<string, string[]> = {
  Tasks: ['Not Started', 'Deferred', 'In Progress', 'Completed', 'Waiting for input'],
  Cases: ['New', 'On Hold', 'Escalated', 'Closed'],
};

function fieldsOf(org: ZohoOrg, module: string): object[] {
  const used = org
    .table(module)
    .rows.slice(0, 50)
    .flatMap(({ fields }) => Object.keys(fields));
  const own = org.custom.get(module) ?? [];
  const named = new Set([...STANDARD, ...used].filter((name) => !own.some((field) => field.name === name)));
  const statuses = STATUSES[module]?.map((value, at) => ({
    ...{ id: String(at + 1), actual_value: value, display_value: value, type: 'used', sequence_number: at + 1 },
  }));
  if (statuses) named.delete('Status');
  if (module === 'Deals') named.delete('Stage');
  return [
    ...[...named].map((name) => fieldOf(name)),
    ...(statuses ? [fieldOf('Status', { data_type: 'picklist', pick_list_values: statuses })] : []),
    ...(module === 'Deals' ? [fieldOf('Stage', { data_type: 'picklist', pick_list_values: org.stages })] : []),
    ...own.map(({ name, label }) => fieldOf(name, { field_label: label, custom_field: true })),
  ];
}

function installSettings(app: SandboxServer['app'], org: ZohoOrg, orgId: () => string): void {
  app.get(crm('org'), async () => ({
    org: [
      {
        ...{ id: '5725767000000000225', zgid: orgId(), company_name: 'Riverside Heating', country_code: 'US' },
        ...{ time_zone: 'America/New_York', iso_code: 'USD', currency: 'US Dollar - USD', type: 'Production' },
      },
    ],
  }));
  app.get(crm('users'), async (request: Call, reply) => {
    const { type, page = '1', per_page = '200' } = request.query;
    const all = type === 'CurrentUser' ? org.users.slice(0, 1) : org.users.filter(({ status }) => status === 'active');
    const size = Number(per_page);
    const users = all.slice((Number(page) - 1) * size, Number(page) * size);
    if (users.length === 0) return reply.code(204).send();
    const info = {
      per_page: size,
      count: users.length,
      page: Number(page),
      more_records: all.length > Number(page) * size,
    };
    return { users: users.map(shownUser), info };
  });
  app.get(crm('settings/fields'), async (request: Call, reply) => {
    const { module } = request.query;
    if (!module)
      return refuse(reply, 400, 'REQUIRED_PARAM_MISSING', 'One of the expected parameter is missing', {
        param_name: 'module',
      });
    return { fields: fieldsOf(org, module) };
  });
  app.post(crm('settings/fields'), async (request: Call, reply) => {
    const [field] = request.body.fields as { field_label: string; unique?: object }[];
    const module = request.query.module!;
    const name = field!.field_label.replaceAll(' ', '_');
    if (org.custom.get(module)?.some((one) => one.name === name))
      return reply.code(400).send({
        fields: [
          badRow('INVALID_DATA', 'duplicate data', { api_name: 'field_label', json_path: '$.fields[0].field_label' }),
        ],
      });
    org.addField(module, name, field!.field_label, field!.unique !== undefined);
    const row = { code: 'SUCCESS', details: { id: org.newId() }, message: 'field created', status: 'success' };
    return reply.code(201).send({ fields: [row] });
  });
}

function installBlueprint(app: SandboxServer['app'], org: ZohoOrg): void {
  const path = crm(':module/:id/actions/blueprint');
  const notInProcess = ['RECORD_NOT_IN_PROCESS', 'record not in process'] as const;
  app.get(path, async (request: Call, reply) => {
    const record = org.table(request.params.module!).find(request.params.id!);
    if (!record) return unknownId(reply);
    const state = record.fields[GOVERNED] as string | undefined;
    if (state === undefined) return refuse(reply, 400, ...notInProcess);
    const transitions = (TRANSITIONS[state] ?? []).map(({ id, name, to }) => ({
      ...{ id, name, next_field_value: to, criteria_matched: true, fields: [], data: {}, next_transitions: [] },
    }));
    const process = { field_label: 'Service Status', api_name: GOVERNED, field_value: state, name: 'Service' };
    return { blueprint: { process_info: process, transitions } };
  });
  app.put(path, async (request: Call, reply) => {
    const { module = '', id = '' } = request.params;
    const record = org.table(module).find(id);
    if (!record) return unknownId(reply);
    const [{ transition_id }] = request.body.blueprint as [{ transition_id: string }];
    const transition = TRANSITIONS[String(record.fields[GOVERNED])]?.find((one) => one.id === transition_id);
    if (!transition) return refuse(reply, 400, 'INVALID_DATA', 'invalid transition', { api_name: 'transition_id' });
    org.update(module, id, { [GOVERNED]: transition.to });
    org.automated.push(`transition:${transition.name}:${module}:${id}`);
    return { code: 'SUCCESS', details: {}, message: 'transition updated successfully', status: 'success' };
  });
  app.post(crm(':module/actions/enrol_in_cadences'), async (request: Call, reply) => {
    const { cadences_ids: [cadence] = [], ids: [id] = [] } = request.body as { cadences_ids: string[]; ids: string[] };
    const { module = '' } = request.params;
    if (!/^\d+$/.test(cadence ?? ''))
      return refuse(reply, 400, 'INVALID_DATA', 'invalid data', {
        api_name: 'cadences_ids',
        json_path: '$.cadences_ids[0]',
      });
    if (!org.table(module).find(id!)) return unknownId(reply);
    // Whoever is in it is told so in the row, and is not put in twice.
    const place = `${cadence}:${module}:${id}`;
    const known = org.automated.includes(place);
    if (!known) org.automated.push(place);
    const message = known ? 'record is already enrolled in the cadence' : 'record enrolled successfully';
    return { data: [{ code: 'SUCCESS', message, status: 'success', details: { id } }] };
  });
}

function installMail(app: SandboxServer['app'], org: ZohoOrg): void {
  app.post(crm(':module/:id/actions/send_mail'), async (request: Call, reply) => {
    const { module = '', id = '' } = request.params;
    if (!org.table(module).find(id)) return unknownId(reply);
    const [mail] = request.body.data as { from: { email: string }; to: { email: string }[]; subject: string }[];
    if (!org.users.some(({ email }) => email === mail!.from.email))
      return refuse(reply, 400, 'INVALID_DATA', 'the from address is not confirmed', {
        api_name: 'from',
        json_path: '$.data[0].from',
      });
    const sent = org.send({ module, record: id, to: mail!.to[0]!.email, subject: mail!.subject });
    const details = { message_id: sent.id, blocked_email_addresses: [] };
    return {
      data: [{ code: 'SUCCESS', details, message: 'Your mail has been sent successfully.', status: 'success' }],
    };
  });
  app.get(crm(':module/:id/Emails'), async (request: Call, reply) => {
    const visible = org.visible() ?? Number.POSITIVE_INFINITY;
    const sent = org.mails.filter(({ record, at }) => record === request.params.id && at <= visible).reverse();
    if (sent.length === 0) return reply.code(204).send();
    const owner = person(org.users[0]!);
    const from = { user_name: org.users[0]!.full_name, email: org.users[0]!.email };
    const Emails = sent.slice(0, 10).map((mail) => ({
      ...{ message_id: mail.id, subject: mail.subject, from, to: [{ user_name: mail.to, email: mail.to }], owner },
      ...{ sent: true, read: false, source: 'crm', time: shownTime(mail.at), status: [{ type: 'sent' }] },
    }));
    return {
      Emails,
      info: { count: Emails.length, next_index: '', prev_index: '', per_page: 10, more_records: sent.length > 10 },
    };
  });
}

export function installRoutes(app: SandboxServer['app'], org: ZohoOrg, orgId: () => string): void {
  installSettings(app, org, orgId);
  installBlueprint(app, org);
  installMail(app, org);
}
