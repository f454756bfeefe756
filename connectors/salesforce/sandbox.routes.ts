import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { dataPath, MAX_ROWS, VERSION } from './api.ts';
import { installJobs } from './sandbox.jobs.ts';
import { described } from './sandbox.schema.ts';
import { type Query, SoqlError } from './sandbox.soql.ts';
import { type Fields, type SalesforceState, stampOf } from './sandbox.state.ts';
import type { Row } from './sandbox.table.ts';
import { collection, composite, createRecord, updateRecord, upsertRecord, WriteError } from './sandbox.writes.ts';

export const refuse = (reply: FastifyReply, status: number, errorCode: string, message: string, fields?: string[]) =>
  reply.code(status).send([{ message, errorCode, ...(fields ? { fields } : {}) }]);

type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string>;
  Body: Record<string, never>;
}>;

interface Organisation {
  state: SalesforceState;
  orgId: string;
  instance: string;
}

const DAY_MS = 86_400_000;

/** What goes wrong is answered in the vendor's form. */
const answered =
  (work: (request: Call, reply: FastifyReply) => unknown) =>
  async (request: Call, reply: FastifyReply): Promise<unknown> => {
    try {
      return await work(request, reply);
    } catch (error) {
      if (error instanceof SoqlError) return refuse(reply, 400, error.code, `\n${error.message}`);
      if (error instanceof WriteError) return refuse(reply, error.status, error.code, error.message, error.fields);
      throw error;
    }
  };

export function installRoutes(app: SandboxServer['app'], organisation: Organisation): void {
  const { state } = organisation;
  app.get('/services/oauth2/userinfo', async () => ({
    sub: `https://login.salesforce.com/id/${organisation.orgId}/${state.userId}`,
    user_id: state.userId,
    organization_id: organisation.orgId,
    preferred_username: 'rita@business.example',
    email: 'rita@business.example',
    zoneinfo: 'America/New_York',
    urls: { rest: `${organisation.instance}/services/data/v{version}/` },
  }));
  installQueries(app, state);
  app.get(dataPath('/sobjects/:object/describe'), async (request: Call, reply) => {
    const object = state.schema.get(request.params.object!);
    if (!object) return refuse(reply, 404, 'NOT_FOUND', 'The requested resource does not exist');
    return described(object, state.hidden.get(object.name) ?? new Set());
  });
  app.get(dataPath('/sobjects/:object/deleted/'), async (request: Call, reply) => {
    const [start, end] = [Date.parse(request.query.start ?? ''), Date.parse(request.query.end ?? '')];
    const oldest = state.now() - 15 * DAY_MS;
    if (!(start < end) || end - start > 30 * DAY_MS || start < oldest - 60_000)
      return refuse(
        reply,
        400,
        'INVALID_REPLICATION_DATE',
        'startDate before org replication enabled date or after endDate',
      );
    const gone = state
      .table(request.params.object!)
      .rows.filter(({ deletedAt = 0 }) => deletedAt >= start && deletedAt <= end);
    return {
      deletedRecords: gone.map(({ values, deletedAt }) => ({ id: values.Id, deletedDate: stampOf(deletedAt!) })),
      earliestDateAvailable: stampOf(oldest),
      latestDateCovered: stampOf(end),
    };
  });
  installJobs(app, state);
  installWrites(app, state);
  installInvocables(app, state);
}

function installQueries(app: SandboxServer['app'], state: SalesforceState): void {
  const { places } = state;
  const page = (id: string, from: number): object => {
    const { query, rows } = places.get(id)!;
    const end = Math.min(rows.length, from + MAX_ROWS);
    // The vendor keeps which rows were found; what stands in them, and whether they still are, is as it is now.
    const shown = rows
      .slice(from, end)
      .filter(({ values, purged }) => !purged && (from === 0 || values.IsDeleted !== true));
    const done = end >= rows.length;
    if (done) places.delete(id);
    return {
      totalSize: rows.length,
      done,
      ...(done ? {} : { nextRecordsUrl: dataPath(`/query/${id}-${end}`) }),
      records: shown.map((row) => recordOf(state, query, row)),
    };
  };
  let last = 0;
  for (const name of ['query', 'queryAll'] as const)
    app.get(
      dataPath(`/${name}`),
      answered((request) => {
        const found = state.query(request.query.q ?? '', name === 'queryAll');
        if (found.query.count) return { totalSize: found.rows.length, done: true, records: [] };
        const id = `01g5e0000${String(++last).padStart(9, '0')}`;
        places.set(id, found);
        return page(id, 0);
      }),
    );
  app.get(dataPath('/query/:place'), async (request: Call, reply) => {
    const [id = '', from] = (request.params.place ?? '').split('-');
    if (!places.has(id)) return refuse(reply, 400, 'INVALID_QUERY_LOCATOR', 'invalid query locator');
    return page(id, Number(from));
  });
}

function recordOf(state: SalesforceState, query: Query, { values }: Row): object {
  const attributes = { type: query.object, url: dataPath(`/sobjects/${query.object}/${values.Id}`) };
  const record: Fields = { attributes };
  for (const name of query.fields) {
    const [root = '', inner] = name.split('.');
    const value = state.valueOf(query.object, values, name) ?? null;
    if (inner === undefined) record[name] = value;
    else record[root] = { ...(record[root] as object), [inner]: value };
  }
  for (const child of query.children) {
    const rows = state.childrenOf(values.Id, child);
    const records = rows.map((row) => recordOf(state, { ...child, object: child.object.replace(/s$/, '') }, row));
    record[child.object] = rows.length > 0 ? { totalSize: rows.length, done: true, records } : null;
  }
  return record;
}

function installWrites(app: SandboxServer['app'], state: SalesforceState): void {
  const made = (id: string, created = true) => ({
    id,
    success: true,
    errors: [],
    ...(created ? {} : { created: false }),
  });
  app.post(
    dataPath('/sobjects/:object'),
    answered((request, reply) => {
      const id = createRecord(state, request.params.object!, request.body);
      return reply.code(201).send(made(id));
    }),
  );
  app.patch(
    dataPath('/sobjects/:object/:id'),
    answered((request, reply) => {
      updateRecord(state, request.params.object!, request.params.id!, request.body);
      return reply.code(204).send();
    }),
  );
  app.patch(
    dataPath('/sobjects/:object/:field/:value'),
    answered((request, reply) => {
      const { object, field, value } = request.params as Record<'object' | 'field' | 'value', string>;
      const { id, created } = upsertRecord(state, object, { field, value }, request.body);
      return reply.code(created ? 201 : 200).send({ id, success: true, errors: [], created });
    }),
  );
  app.delete(
    dataPath('/sobjects/:object/:id'),
    answered((request, reply) => {
      if (!state.remove(request.params.object!, request.params.id!))
        throw new WriteError(404, 'ENTITY_IS_DELETED', 'entity is deleted');
      return reply.code(204).send();
    }),
  );
  app.post(
    dataPath('/composite'),
    answered((request) => {
      const { compositeRequest } = request.body as unknown as { compositeRequest: Parameters<typeof composite>[1] };
      if (compositeRequest.length > 25) throw new WriteError(400, 'LIMIT_EXCEEDED', 'At most 25 subrequests.');
      return composite(state, compositeRequest);
    }),
  );
  app.patch(
    dataPath('/composite/sobjects'),
    answered((request) => {
      const { records } = request.body as unknown as { records: Fields[] };
      if (records.length > 200) throw new WriteError(400, 'EXCEEDED_ID_LIMIT', 'At most 200 records.');
      return collection(state, records);
    }),
  );
}

function installInvocables(app: SandboxServer['app'], state: SalesforceState): void {
  type Inputs = { inputs: Fields[] };
  const failed = (actionName: string, statusCode: string, message: string) => [
    { actionName, errors: [{ statusCode, message, fields: [] }], isSuccess: false, outputValues: null },
  ];
  app.post(dataPath('/actions/custom/flow/:name'), async (request: Call, reply) => {
    const name = request.params.name!;
    const variables = state.flows.get(name);
    if (!variables) return refuse(reply, 404, 'NOT_FOUND', 'The requested resource does not exist');
    const [inputs = {}] = (request.body as unknown as Inputs).inputs;
    const unknown = Object.keys(inputs).find((variable) => !variables.includes(variable));
    if (unknown)
      return reply
        .code(400)
        .send(failed(name, 'FLOW_EXCEPTION', `The flow has no variable ${unknown} that is available for input.`));
    state.flowRuns.push({ flow: name, inputs });
    return [{ actionName: name, errors: null, isSuccess: true, outputValues: { Flow__InterviewStatus: 'Finished' } }];
  });
  app.post(dataPath('/actions/standard/emailSimple'), async (request: Call, reply) => {
    const [{ emailAddresses = '', emailSubject = '' } = {}] = (request.body as unknown as Inputs).inputs as Record<
      string,
      string
    >[];
    const people = [...state.all('Contact'), ...state.all('Lead')].filter(({ Email }) => Email === emailAddresses);
    if (state.bounced.has(emailAddresses))
      return reply
        .code(400)
        .send(
          failed('emailSimple', 'EMAIL_ADDRESS_BOUNCED', 'Email address has bounced. Please verify email address.'),
        );
    if (people.some(({ HasOptedOutOfEmail }) => HasOptedOutOfEmail === true))
      return reply
        .code(400)
        .send(failed('emailSimple', 'EMAIL_OPTED_OUT', 'The recipient has opted out of receiving email.'));
    state.emails.push({ to: emailAddresses, subject: emailSubject });
    return [{ actionName: 'emailSimple', errors: null, isSuccess: true, outputValues: null }];
  });
  app.get('/services/data/', async () => [
    { label: "Summer '26", url: `/services/data/v${VERSION}`, version: VERSION },
  ]);
}
