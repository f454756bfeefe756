import { type Static, Type } from 'typebox';
import type { Clock } from '../base/clock.ts';
import type { Database, Tx } from '../base/database.ts';
import { notFound, stale } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, ref, tag } from '../http/helpers.ts';
import type { StartRuns } from '../triggers/detect.ts';
import { createSequence, editSequence, switchSequence } from './playbooks.ts';
import type { SequencePorts } from './ports.ts';
import { countRuns } from './runs.ts';
import { type Definition, Sequence } from './schema.ts';
import { findSequence, listSequences, loadDefinition, type SequenceRow } from './store.ts';

export interface SequenceRouteDeps {
  db: Database;
  clock: Clock;
  ports: SequencePorts;
  start: StartRuns;
}

/** A sequence with its newest definition and how many enrolments it has, as it is shown. */
export async function toSequence(tx: Tx, row: SequenceRow): Promise<Static<typeof Sequence>> {
  const counts = (await countRuns(tx)).filter((count) => count.sequence_id === row.id);
  return {
    id: row.id,
    key: row.key,
    title: row.title,
    state: row.state,
    mode: row.mode,
    activeVersion: row.active_version,
    latestVersion: row.latest_version,
    playbook: row.playbook,
    definition: await loadDefinition(tx, row.id, row.latest_version),
    enrolments: Object.fromEntries(counts.map((count) => [count.state, count.n])),
    version: row.version,
  };
}

// What is wrong with one is told by the sequences themselves: of a step, the mistakes of its own kind.
const DefinitionBody = Type.Object({}, { additionalProperties: true, description: 'A SequenceDefinition' });

const KeyParams = Type.Object({ id: Type.String({ maxLength: 60, description: 'Id or key' }) });

/** Sequences: made, edited as new versions, switched on and off. Each answer about one says what it lacks of the business. */
export function sequenceRoutes(
  app: App,
  deps: SequenceRouteDeps & { missing(tx: Tx, definition: Definition): Promise<string[]> },
): void {
  const shown = async (tx: Tx, row: SequenceRow): Promise<Static<typeof Sequence>> => {
    const sequence = await toSequence(tx, row);
    return { ...sequence, missing: await deps.missing(tx, sequence.definition as Definition) };
  };
  const load = async (tx: Tx, id: string): Promise<SequenceRow> => {
    const row = await findSequence(tx, id);
    if (!row) throw notFound('sequence', id);
    return row;
  };

  app.get(
    '/v1/sequences',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'Sequences with their enrolments by state',
        response: { 200: Type.Object({ items: Type.Array(ref(Sequence)) }) },
      },
    },
    async (request) => ({
      items: await deps.db.tenant(caller(request).tenantId, async (tx) => {
        const items = [];
        for (const row of await listSequences(tx)) items.push(await toSequence(tx, row));
        return items;
      }),
    }),
  );

  app.post(
    '/v1/sequences',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sequences'],
        summary: "Make a sequence of one's own, as a draft",
        body: DefinitionBody,
        response: { 201: ref(Sequence) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const sequence = await deps.db.tenant(tenantId, async (tx) =>
        shown(tx, await createSequence(tx, request.body, actor, deps.clock.now())),
      );
      tag(reply, sequence.version);
      return reply.code(201).send(sequence);
    },
  );

  app.get(
    '/v1/sequences/:id',
    {
      config: { permission: 'read' },
      schema: { tags: ['sequences'], summary: 'One sequence', params: KeyParams, response: { 200: ref(Sequence) } },
    },
    async (request, reply) => {
      const sequence = await deps.db.tenant(caller(request).tenantId, async (tx) =>
        shown(tx, await load(tx, request.params.id)),
      );
      tag(reply, sequence.version);
      return sequence;
    },
  );

  app.put(
    '/v1/sequences/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sequences'],
        summary: 'Save an edit as a new version; enrolments that run keep theirs',
        params: KeyParams,
        body: DefinitionBody,
        response: { 200: ref(Sequence) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const sequence = await deps.db.tenant(tenantId, async (tx) => {
        const row = await load(tx, request.params.id);
        if ((await editSequence(tx, row, request.body, actor, expected, deps.clock.now())) === undefined)
          throw stale('sequence');
        return shown(tx, await load(tx, row.id));
      });
      tag(reply, sequence.version);
      return sequence;
    },
  );

  app.post(
    '/v1/sequences/:id/switch',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sequences'],
        summary: 'Switch on (the newest version, counting from now) or pause',
        params: KeyParams,
        body: Type.Object({ on: Type.Boolean() }, { additionalProperties: false }),
        response: { 200: ref(Sequence) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const sequence = await deps.db.tenant(tenantId, async (tx) => {
        const row = await load(tx, request.params.id);
        if (!(await switchSequence(tx, row, request.body.on, actor, expected, deps.clock.now())))
          throw stale('sequence');
        return shown(tx, await load(tx, row.id));
      });
      tag(reply, sequence.version);
      return sequence;
    },
  );
}
