import type { FastifyReply } from 'fastify';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { type Call, refuse, shown } from './sandbox.answers.ts';
import { shownTime, type ZohoOrg } from './sandbox.state.ts';
import type { ZohoRecord } from './sandbox.table.ts';
import { crm } from './version.ts';

const PAGED = 2000;

/** One page out of many, without building the rest. */
function pageOf<T>(items: Iterable<T>, skip: number, size: number): { page: T[]; more: boolean } {
  const page: T[] = [];
  let seen = 0;
  for (const item of items) {
    if (seen++ < skip) continue;
    if (page.length === size) return { page, more: true };
    page.push(item);
  }
  return { page, more: false };
}

const sinceOf = (request: Call): number => {
  const header = request.headers['if-modified-since'];
  // "Later than": whole seconds.
  return header === undefined ? Number.NEGATIVE_INFINITY : Date.parse(String(header)) + 1000;
};

function list(org: ZohoOrg, request: Call, reply: FastifyReply): unknown {
  const { ids, sort_by = 'id', sort_order = 'desc', page = '1', per_page = '200', page_token } = request.query;
  const fields = request.query.fields?.split(',');
  const table = org.table(request.params.module!);
  if (!fields)
    return refuse(reply, 400, 'REQUIRED_PARAM_MISSING', 'One of the expected parameter is missing', {
      param: 'fields',
    });
  if (fields.length > 50) return refuse(reply, 400, 'LIMIT_EXCEEDED', 'Record count exceeded', { limit: 50 });
  if (ids !== undefined) {
    const found = ids.split(',').flatMap((id) => table.find(id) ?? []);
    return found.length === 0
      ? reply.code(204).send()
      : {
          data: found.map((record) => shown(record, fields)),
          info: { per_page: 200, count: found.length, page: 1, more_records: false },
        };
  }
  const size = Math.min(200, Number(per_page));
  const skip = page_token ? Number(Buffer.from(page_token, 'base64url').toString()) : (Number(page) - 1) * size;
  if (!page_token && skip + size > PAGED)
    return refuse(reply, 400, 'LIMIT_EXCEEDED', 'Record count exceeded', { limit: PAGED });
  const byTime = sort_by === 'Modified_Time' || sort_by === 'Created_Time';
  const rows = table.listed(byTime ? 'time' : 'id', sinceOf(request), org.visible());
  const { page: records, more } = pageOf(sort_order === 'asc' ? rows : [...rows].reverse(), skip, size);
  if (records.length === 0) return reply.code(request.headers['if-modified-since'] ? 304 : 204).send();
  const info = {
    ...{ per_page: size, count: records.length, sort_by, sort_order, more_records: more },
    ...(page_token ? {} : { page: Number(page) }),
    ...(more ? { next_page_token: Buffer.from(String(skip + size)).toString('base64url') } : {}),
  };
  return { data: records.map((record) => shown(record, fields)), info };
}

const QUERY =
  /^select ([\w, ]+) from (\w+) where Modified_Time (=|>=) '([^']+)' order by (id|Modified_Time) asc limit (\d+), (\d+)$/;

/** The part of COQL that is asked here. */
function coql(org: ZohoOrg, request: Call, reply: FastifyReply): unknown {
  const match = QUERY.exec(String(request.body?.select_query ?? ''));
  if (!match || Number(match[7]) > 2000)
    return refuse(reply, 400, 'INVALID_QUERY', 'Please check whether the input values are correct');
  const [, columns, module, operator, time, order, offset, limit] = match as unknown as string[];
  const from = Date.parse(time!);
  const rows = org.table(module!).listed(order === 'id' ? 'id' : 'time', from, org.visible());
  const matching = (function* (): Generator<ZohoRecord> {
    for (const record of rows) if (operator !== '=' || record.at === from) yield record;
  })();
  const { page, more } = pageOf(matching, Number(offset), Number(limit));
  if (page.length === 0) return reply.code(204).send();
  const names = columns!.split(',').map((name) => name.trim());
  const fields = names.filter((name) => name !== 'id');
  return { data: page.map((record) => shown(record, fields)), info: { count: page.length, more_records: more } };
}

function search(org: ZohoOrg, request: Call, reply: FastifyReply): unknown {
  const { email, criteria, fields } = request.query;
  const match = /^\((\w+):equals:(.*)\)$/.exec(criteria ?? '');
  if (!match && !email) return refuse(reply, 400, 'INVALID_QUERY', 'Please check whether the input values are correct');
  const [field, value] = match ? [match[1]!, match[2]!] : ['Email', email!];
  const found = [...org.table(request.params.module!).listed('id', Number.NEGATIVE_INFINITY, org.visible())].filter(
    (record) => String(record.fields[field] ?? '').toLowerCase() === value.toLowerCase(),
  );
  if (found.length === 0) return reply.code(204).send();
  const data = found.slice(0, 200).map((record) => shown(record, fields?.split(',')));
  return { data, info: { per_page: 200, count: data.length, page: 1, more_records: found.length > 200 } };
}

function deleted(org: ZohoOrg, request: Call, reply: FastifyReply): unknown {
  const size = Math.min(200, Number(request.query.per_page ?? 200));
  const page = Number(request.query.page ?? 1);
  const since = sinceOf(request);
  const gone = org
    .table(request.params.module!)
    .rows.filter(({ deletedAt }) => (deletedAt ?? Number.NaN) >= since - 1000);
  const shownRows = gone.slice((page - 1) * size, page * size);
  if (shownRows.length === 0) return reply.code(204).send();
  return {
    data: shownRows.map(({ id, deletedAt }) => ({
      ...{ deleted_by: null, id, display_name: id, type: 'recycle', created_by: null },
      deleted_time: shownTime(deletedAt!),
    })),
    info: { per_page: size, count: shownRows.length, page, more_records: page * size < gone.length },
  };
}

export function installLists(app: SandboxServer['app'], org: ZohoOrg): void {
  app.post(crm('coql'), async (request: Call, reply) => coql(org, request, reply));
  app.get(crm(':module'), async (request: Call, reply) => list(org, request, reply));
  app.get(crm(':module/search'), async (request: Call, reply) => search(org, request, reply));
  app.get(crm(':module/deleted'), async (request: Call, reply) => deleted(org, request, reply));
  app.get(crm(':module/actions/count'), async (request: Call) => ({
    count: String(org.table(request.params.module!).live().length),
  }));
}
