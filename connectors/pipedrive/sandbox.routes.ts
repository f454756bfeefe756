import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { v1, v2 } from './paths.ts';
import type { Fields, Hook, PdRecord, PipedriveCompany, Type } from './sandbox.state.ts';

export type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string>;
  Body: Record<string, unknown>;
}>;

const isoTime = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;
const oldTime = (at: number): string => new Date(at).toISOString().slice(0, 19).replace('T', ' ');

export const problem = (reply: FastifyReply, status: number, error: string, code?: string): FastifyReply =>
  reply.code(status).send({ success: false, error, ...(code ? { code } : {}), data: null, additional_data: null });

const notFound = (reply: FastifyReply): FastifyReply => problem(reply, 404, 'Entity not found', 'ERR_NOT_FOUND');

/** Fields that come only when they are named. */
const OPTIONAL = ['marketing_status', 'attendees'];

/** A record in version 2. @param include optional fields that were asked for */
export function shown({ id, fields, addedAt, at, deletedAt }: PdRecord, include = ''): Fields {
  const named = include.split(',');
  const plain = Object.entries(fields).filter(([name]) => !OPTIONAL.includes(name) || named.includes(name));
  return {
    id,
    ...Object.fromEntries(plain),
    ...(named.includes('marketing_status') && !fields.marketing_status ? { marketing_status: 'no_consent' } : {}),
    add_time: isoTime(addedAt),
    update_time: isoTime(at),
    is_deleted: deletedAt !== undefined,
    // Activities have none of their own.
    ...(fields.subject === undefined ? { custom_fields: fields.custom_fields ?? {} } : {}),
  };
}

/** What reads on from a record: by value and id, so that nothing that comes or goes shifts it. */
interface Cursor {
  value: number;
  id: number;
}

const cursorOf = (record: PdRecord, by: string): string =>
  Buffer.from(JSON.stringify({ value: by === 'id' ? record.id : record.at, id: record.id })).toString('base64url');

function behind(rows: readonly PdRecord[], by: string, { value, id }: Cursor): number {
  let [low, high] = [0, rows.length];
  const after = (record: PdRecord): boolean => {
    const own = by === 'id' ? record.id : record.at;
    return own > value || (own === value && record.id > id);
  };
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (after(rows[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function list(company: PipedriveCompany, type: Type, request: Call): unknown {
  const { ids, limit = '100', cursor, sort_by = 'id', sort_direction = 'asc', updated_since, status } = request.query;
  const table = company.table(type);
  if (ids !== undefined) {
    const found = ids.split(',').flatMap((id) => table.find(Number(id)) ?? []);
    return {
      success: true,
      data: found.map((record) => shown(record, request.query.include_fields)),
      additional_data: { next_cursor: null },
    };
  }
  const by = sort_by === 'update_time' ? 'update_time' : 'id';
  const size = Math.min(500, Number(limit));
  const since = updated_since ? Date.parse(updated_since) : Number.NEGATIVE_INFINITY;
  const filters = ['person_id', 'deal_id', 'org_id'].filter((name) => request.query[name] !== undefined);
  const fits = (record: PdRecord): boolean =>
    (status === 'deleted' ? record.deletedAt !== undefined : record.deletedAt === undefined) &&
    record.at >= since &&
    filters.every((name) => String(record.fields[name]) === request.query[name]);
  const sorted = table.sorted(by, company.visible());
  const rows = sort_direction === 'desc' ? [...sorted].reverse() : sorted;
  const start =
    cursor && sort_direction !== 'desc' ? behind(rows, by, JSON.parse(Buffer.from(cursor, 'base64url').toString())) : 0;
  const page: PdRecord[] = [];
  for (let at = start; at < rows.length; at++) {
    if (!fits(rows[at]!)) continue;
    if (page.length === size)
      return {
        success: true,
        data: page.map((record) => shown(record, request.query.include_fields)),
        additional_data: { next_cursor: cursorOf(page.at(-1)!, by) },
      };
    page.push(rows[at]!);
  }
  return {
    success: true,
    data: page.map((record) => shown(record, request.query.include_fields)),
    additional_data: { next_cursor: null },
  };
}

const LINKS: Record<string, Type> = { person_id: 'persons', org_id: 'organizations', deal_id: 'deals' };

/** Why fields cannot be written, in Pipedrive's words. */
function complaint(company: PipedriveCompany, type: Type, fields: Fields): string | undefined {
  const owner = fields.owner_id;
  if (owner !== undefined && !company.users.some(({ id, is_deleted }) => id === owner && !is_deleted))
    return 'Validation failed: owner_id: User not found';
  if (type === 'activities' && fields.person_id !== undefined) return 'Validation failed: person_id: is read only';
  for (const [name, other] of Object.entries(LINKS))
    if (typeof fields[name] === 'number' && !company.table(other).find(fields[name]))
      return `Validation failed: ${name}: not found`;
  const known = company.fields[`${type.replace(/s$/, '').replace('activitie', 'activity')}Fields`] ?? [];
  const odd = Object.keys((fields.custom_fields as Fields | undefined) ?? {}).find(
    (code) => !known.some(({ field_code }) => field_code === code),
  );
  if (odd) return `Validation failed: custom_fields: ${odd}: unknown field`;
  if (fields.stage_id !== undefined && !company.stages.some(({ id }) => id === fields.stage_id))
    return 'Validation failed: stage_id: not found';
  return undefined;
}

export interface Hooks {
  tell(action: 'create' | 'change' | 'delete', type: Type, id: number): void;
}

const schemaError = (reply: FastifyReply, error: string): FastifyReply =>
  problem(reply, 400, error, 'ERR_SCHEMA_VALIDATION_FAILED');

function installRecords(app: SandboxServer['app'], company: PipedriveCompany, hooks: Hooks): void {
  for (const type of ['persons', 'organizations', 'deals', 'activities'] as const) {
    app.get(v2(type), async (request: Call) => list(company, type, request));
    app.get(v2(`${type}/:id`), async (request: Call, reply) => {
      const record = company.table(type).find(Number(request.params.id));
      return record ? { success: true, data: shown(record) } : notFound(reply);
    });
    app.post(v2(type), async (request: Call, reply) => {
      const bad = complaint(company, type, request.body);
      if (bad) return schemaError(reply, bad);
      const [participant] = (request.body.participants ?? []) as { person_id: number }[];
      const linked = participant ? { person_id: participant.person_id } : {};
      const made = type === 'activities' ? { done: false, ...linked } : {};
      const record = company.create(type, { ...request.body, ...made });
      hooks.tell('create', type, record.id);
      return { success: true, data: shown(record) };
    });
    app.patch(v2(`${type}/:id`), async (request: Call, reply) => {
      const bad = complaint(company, type, request.body);
      if (bad) return schemaError(reply, bad);
      const record = company.update(type, Number(request.params.id), request.body);
      if (!record) return notFound(reply);
      hooks.tell('change', type, record.id);
      return { success: true, data: shown(record) };
    });
  }
  app.get(v2('persons/search'), async (request: Call) => {
    const term = request.query.term?.toLowerCase();
    const found = company
      .table('persons')
      .sorted('id', company.visible())
      .filter(
        ({ fields, deletedAt }) =>
          deletedAt === undefined &&
          ((fields.emails ?? []) as { value: string }[]).some(({ value }) => value.toLowerCase() === term),
      );
    const items = found.slice(0, 100).map((record) => ({ result_score: 1, item: { id: record.id, type: 'person' } }));
    return { success: true, data: { items }, additional_data: { next_cursor: null } };
  });
}

function installNotes(app: SandboxServer['app'], company: PipedriveCompany): void {
  const noteOf = ({ id, fields, addedAt, at }: PdRecord): Fields => ({
    ...{ id, ...fields, active_flag: true },
    ...{ add_time: oldTime(addedAt), update_time: oldTime(at) },
  });
  app.get(v1('notes'), async (request: Call) => {
    const filters = ['person_id', 'deal_id', 'org_id'].filter((name) => request.query[name] !== undefined);
    const visible = company.visible() ?? Number.POSITIVE_INFINITY;
    const found = company
      .table('notes')
      .live()
      .filter(
        (note) => note.at <= visible && filters.every((name) => String(note.fields[name]) === request.query[name]),
      );
    const data = found
      .reverse()
      .slice(0, Number(request.query.limit ?? 100))
      .map(noteOf);
    const pagination = { start: 0, limit: 100, more_items_in_collection: found.length > data.length };
    return { success: true, data, additional_data: { pagination } };
  });
  app.post(v1('notes'), async (request: Call, reply) => {
    const bad = complaint(company, 'notes', request.body);
    if (bad) return problem(reply, 400, bad);
    return { success: true, data: noteOf(company.create('notes', request.body)) };
  });
}

function installSettings(app: SandboxServer['app'], company: PipedriveCompany, companyId: () => number): void {
  const userOf = (user: PipedriveCompany['users'][number]): Fields => ({
    ...user,
    ...{ timezone_name: 'America/New_York', default_currency: 'USD', locale: 'en_US', activated: true },
  });
  app.get(v1('users/me'), async () => ({
    success: true,
    data: {
      ...userOf(company.users[0]!),
      ...{ company_id: companyId(), company_name: 'Riverside Heating', company_domain: 'riverside' },
    },
  }));
  app.get(v1('users'), async () => ({ success: true, data: company.users.map(userOf) }));
  app.get(v2('stages'), async (request: Call) => pageBy(company.stages, request));
  app.get(v2('pipelines'), async (request: Call) => pageBy(company.pipelines, request));
  for (const kind of Object.keys(company.fields)) {
    app.get(v2(kind), async () => ({
      success: true,
      data: company.fields[kind],
      additional_data: { next_cursor: null },
    }));
    app.post(v2(`${kind}/label_ids/options`), async (request: Call) => {
      const labels = request.body as unknown as { label: string }[];
      return { success: true, data: labels.map(({ label }) => ({ id: company.addLabel(kind, label), label })) };
    });
  }
}

/** A short list in pages by id. */
function pageBy(rows: readonly { id: number }[], { query }: Call): unknown {
  const after = query.cursor ? Number(Buffer.from(query.cursor, 'base64url').toString()) : 0;
  const found = rows.filter(({ id }) => id > after);
  const data = found.slice(0, Math.min(500, Number(query.limit ?? 100)));
  const last = found.length > data.length ? data.at(-1)!.id : undefined;
  const next_cursor = last === undefined ? null : Buffer.from(String(last)).toString('base64url');
  return { success: true, data, additional_data: { next_cursor } };
}

function installHooks(app: SandboxServer['app'], company: PipedriveCompany): void {
  const hookOf = ({ id, event_object, subscription_url, is_active }: Hook): object => ({
    ...{ id, event_object, subscription_url, is_active },
    ...{ event_action: '*', version: '2.0', type: 'application' },
  });
  app.get(v1('webhooks'), async () => ({ success: true, status: 'ok', data: company.hooks.map(hookOf) }));
  app.post(v1('webhooks'), async (request: Call, reply) => {
    if (company.hooks.length >= 40)
      return reply.code(422).send({ success: false, status: 'error', error: 'The limit of 40 webhooks is reached.' });
    const hook = company.subscribe(request.body as unknown as Hook);
    return reply.code(201).send({ success: true, status: 'ok', data: hookOf(hook) });
  });
  app.delete(v1('webhooks/:id'), async (request: Call, reply) => {
    const at = company.hooks.findIndex(({ id }) => String(id) === request.params.id);
    if (at < 0) return notFound(reply);
    company.hooks.splice(at, 1);
    return { success: true, status: 'ok' };
  });
}

export function installRoutes(
  app: SandboxServer['app'],
  company: PipedriveCompany,
  companyId: () => number,
  hooks: Hooks,
): void {
  installSettings(app, company, companyId);
  installRecords(app, company, hooks);
  installNotes(app, company);
  installHooks(app, company);
}
