import type { FastifyReply } from 'fastify';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { badRow, type Call, goodRow, refuse, shown, unknownId } from './sandbox.answers.ts';
import { GOVERNED, type ZohoOrg } from './sandbox.state.ts';
import type { Fields } from './sandbox.table.ts';
import { crm } from './version.ts';

const MANDATORY: Record<string, string[]> = {
  Tasks: ['Subject'],
  Events: ['Event_Title', 'Start_DateTime', 'End_DateTime'],
  Cases: ['Subject', 'Status', 'Case_Origin'],
  Contacts: ['Last_Name'],
};
/** Lookups and the modules they lead to. */
const LOOKUPS: Record<string, string> = { Who_Id: 'Contacts', Related_To: 'Contacts', Account_Name: 'Accounts' };

/** Why a row cannot be written, as the row of the answer says it. */
function refusal(org: ZohoOrg, module: string, fields: Fields, fresh: boolean): object | undefined {
  const missing = fresh ? MANDATORY[module]?.find((name) => !fields[name]) : undefined;
  if (missing) return badRow('MANDATORY_NOT_FOUND', 'required field not found', { api_name: missing });
  const owner = (fields.Owner as { id?: string } | undefined)?.id;
  if (owner && !org.users.some(({ id, status }) => id === owner && status === 'active'))
    return badRow('INVALID_DATA', 'the id given seems to be invalid.', { api_name: 'Owner' });
  for (const [name, other] of Object.entries(LOOKUPS)) {
    const id = (fields[name] as { id?: string } | null | undefined)?.id;
    if (id && !org.table(other).find(id))
      return badRow('INVALID_DATA', 'the id given seems to be invalid.', { api_name: name });
  }
  const twin = fresh ? org.twinOf(module, fields) : undefined;
  return twin && badRow('DUPLICATE_DATA', 'duplicate data', { api_name: twin.field, id: twin.record.id });
}

interface Hooks {
  tell(operation: 'insert' | 'update' | 'delete', module: string, ids: readonly string[]): void;
}

function created(org: ZohoOrg, hooks: Hooks, request: Call, reply: FastifyReply): FastifyReply {
  const module = request.params.module ?? 'Notes';
  const rows = ((request.body?.data ?? []) as Fields[]).map((fields) => {
    const bad = refusal(org, module, fields, true);
    if (bad) return { bad };
    const record = org.create(module, fields);
    hooks.tell('insert', module, [record.id]);
    return { good: goodRow(record, org.users[0]!, 'record added') };
  });
  return reply
    .code(rows.every(({ good }) => good) ? 201 : 202)
    .send({ data: rows.map(({ good, bad }) => good ?? bad) });
}

function updated(org: ZohoOrg, hooks: Hooks, request: Call, reply: FastifyReply): FastifyReply {
  const { module = '', id = '' } = request.params;
  const record = org.table(module).find(id);
  if (!record) return unknownId(reply);
  const [fields = {}] = (request.body?.data ?? []) as Fields[];
  if (GOVERNED in fields && record.fields[GOVERNED] !== undefined)
    return reply.code(202).send({
      data: [badRow('RECORD_IN_BLUEPRINT', 'The record is in blue print', { api_name: GOVERNED })],
    });
  const bad = refusal(org, module, fields, false);
  if (bad) return reply.code(202).send({ data: [bad] });
  org.update(module, id, fields);
  hooks.tell('update', module, [id]);
  return reply.send({ data: [goodRow(record, org.users[0]!, 'record updated')] });
}

function tagged(org: ZohoOrg, hooks: Hooks, verb: 'add' | 'remove', request: Call, reply: FastifyReply): FastifyReply {
  const { module = '' } = request.params;
  const { tags = [], ids = [] } = request.body as { tags: { name: string }[]; ids: string[] };
  const rows = ids.map((id) => {
    if (!org.table(module).find(id))
      return badRow('INVALID_DATA', 'invalid data', { api_name: 'ids', json_path: '$.ids[0]' });
    for (const { name } of tags) org.tag(module, id, name, verb);
    hooks.tell('update', module, [id]);
    const details = { id, tags: tags.map(({ name }, at) => ({ name, id: String(at + 1), color_code: '#57B1FD' })) };
    return { code: 'SUCCESS', details, message: `tags updated successfully`, status: 'success' };
  });
  if (rows.some((row) => 'status' in row && row.status === 'error')) return reply.code(400).send({ data: rows });
  return reply.send({ data: rows, wf_scheduler: false, success_count: String(ids.length), locked_count: '0' });
}

export function installWrites(app: SandboxServer['app'], org: ZohoOrg, hooks: Hooks): void {
  app.get(crm(':module/:id'), async (request: Call, reply) => {
    const record = org.table(request.params.module!).find(request.params.id!);
    return record ? { data: [shown(record, request.query.fields?.split(','))] } : unknownId(reply);
  });
  app.post(crm('Notes'), async (request: Call, reply) => {
    const [note] = (request.body?.data ?? []) as { Parent_Id?: { id: string; module: { api_name: string } } }[];
    const parent = note?.Parent_Id;
    if (!parent || !org.table(parent.module.api_name).find(parent.id))
      return refuse(reply, 400, 'INVALID_DATA', 'invalid data', { api_name: 'Parent_Id' });
    return created(org, hooks, request, reply);
  });
  app.post(crm(':module'), async (request: Call, reply) => created(org, hooks, request, reply));
  app.put(crm(':module/:id'), async (request: Call, reply) => updated(org, hooks, request, reply));
  for (const verb of ['add', 'remove'] as const)
    app.post(crm(`:module/actions/${verb}_tags`), async (request: Call, reply) =>
      tagged(org, hooks, verb, request, reply),
    );
  app.get(crm(':module/:id/Notes'), async (request: Call, reply) => {
    const visible = org.visible() ?? Number.POSITIVE_INFINITY;
    const notes = org
      .table('Notes')
      .live()
      .filter(({ fields, at }) => (fields.Parent_Id as { id: string }).id === request.params.id && at <= visible);
    if (notes.length === 0) return reply.code(204).send();
    const data = notes.map((note) => shown(note, request.query.fields?.split(',')));
    return { data, info: { per_page: 200, count: data.length, page: 1, more_records: false } };
  });
}
