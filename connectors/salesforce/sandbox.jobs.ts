import type { FastifyRequest } from 'fastify';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { dataPath } from './api.ts';
import type { SalesforceState } from './sandbox.state.ts';
import type { Values } from './sandbox.table.ts';

/** Milliseconds it takes to write an export. */
const WRITING_MS = 45_000;

type Call = FastifyRequest<{ Params: { id: string }; Querystring: Record<string, string>; Body: { query: string } }>;

/** A value in a file: everything is text, moments end with a Z. */
function cell(value: unknown): string {
  const text =
    value === null || value === undefined ? '' : String(value).replace(/(T\d\d:\d\d:\d\d\.\d{3})\+0000$/, '$1Z');
  return `"${text.replaceAll('"', '""')}"`;
}

/** Exports: ordered, written after a while, fetched in parts. */
export function installJobs(app: SandboxServer['app'], state: SalesforceState): void {
  const jobs = new Map<string, { fields: string[]; object: string; rows: Values[]; readyAt: number }>();
  const told = (id: string) => {
    const { object, readyAt } = jobs.get(id)!;
    return {
      id,
      operation: 'query',
      object,
      state: state.now() >= readyAt ? 'JobComplete' : 'InProgress',
      apiVersion: 67,
    };
  };
  const unknown = [{ errorCode: 'NOT_FOUND', message: 'The requested resource does not exist' }];
  app.post(dataPath('/jobs/query'), async (request: Call, reply) => {
    const { query, rows } = state.query(request.body.query, false);
    if (query.children.length > 0)
      return reply.code(400).send([{ errorCode: 'API_ERROR', message: 'Nested queries are not supported in bulk.' }]);
    const id = `750${String(jobs.size + 1).padStart(12, '0')}AAA`;
    const made = rows.map(({ values }) => values);
    jobs.set(id, { fields: query.fields, object: query.object, rows: made, readyAt: state.now() + WRITING_MS });
    return { ...told(id), state: 'UploadComplete' };
  });
  app.get(dataPath('/jobs/query/:id'), async (request: Call, reply) =>
    jobs.has(request.params.id) ? told(request.params.id) : reply.code(404).send(unknown),
  );
  app.get(dataPath('/jobs/query/:id/results'), async (request: Call, reply) => {
    const job = jobs.get(request.params.id);
    if (!job || state.now() < job.readyAt) return reply.code(404).send(unknown);
    const from = Number(request.query.locator ?? 0);
    const end = Math.min(job.rows.length, from + Number(request.query.maxRecords ?? 100_000));
    const lines = job.rows
      .slice(from, end)
      .map((values) => job.fields.map((name) => cell(state.valueOf(job.object, values, name))).join(','));
    return reply
      .header('sforce-locator', end < job.rows.length ? String(end) : 'null')
      .type('text/csv')
      .send([job.fields.map((name) => `"${name}"`).join(','), ...lines, ''].join('\n'));
  });
}
