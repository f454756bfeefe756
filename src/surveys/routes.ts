import { type Static, Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database, Tx } from '../base/database.ts';
import { conflict, notFound } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, ref, tag } from '../http/helpers.ts';
import { findCustomer } from '../model/store.ts';
import { listSequences, listTemplates, loadDefinition } from '../sequences/store.ts';
import { invite, type LinkDeps, linkTo } from './invitations.ts';
import { changeSurvey, createSurvey, removeSurvey, surveyNamed, switchSurvey } from './manage.ts';
import { Survey, SurveyDefinition } from './schema.ts';
import { listSurveys, type SurveyRow } from './store.ts';

export const SurveyParams = Type.Object({ id: Type.String({ maxLength: 60, description: 'Id or key' }) });

const toSurvey = (row: SurveyRow): Static<typeof Survey> => ({
  id: row.id,
  key: row.key,
  state: row.state,
  latestVersion: row.latest_version,
  definition: row.definition,
  updatedAt: row.updated_at.toISOString(),
  version: row.version,
});

const templateKeys = async (tx: Tx): Promise<Set<string>> => new Set((await listTemplates(tx)).map(({ key }) => key));

/** Titles of the sequences that ask a survey. */
async function usersOf(tx: Tx, key: string): Promise<string[]> {
  const titles: string[] = [];
  for (const sequence of await listSequences(tx)) {
    if (sequence.state === 'archived') continue;
    const { steps } = await loadDefinition(tx, sequence.id, sequence.latest_version);
    if (steps.some((step) => 'survey' in step && step.survey.survey === key)) titles.push(`"${sequence.title}"`);
  }
  return titles;
}

/** Surveys and invitations to them. */
export function surveyRoutes(app: App, deps: { db: Database; clock: Clock; links: LinkDeps }): void {
  app.get(
    '/v1/surveys',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['surveys'],
        summary: 'Surveys',
        response: { 200: Type.Object({ items: Type.Array(ref(Survey)) }) },
      },
    },
    async (request) => ({
      items: (await deps.db.tenant(caller(request).tenantId, (tx) => listSurveys(tx))).map(toSurvey),
    }),
  );

  app.get(
    '/v1/surveys/:id',
    {
      config: { permission: 'read' },
      schema: { tags: ['surveys'], summary: 'One survey', params: SurveyParams, response: { 200: ref(Survey) } },
    },
    async (request, reply) => {
      const row = await deps.db.tenant(caller(request).tenantId, (tx) => surveyNamed(tx, request.params.id));
      tag(reply, row.version);
      return toSurvey(row);
    },
  );

  app.post(
    '/v1/surveys',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['surveys'],
        summary: 'Make a survey',
        body: ref(SurveyDefinition),
        response: { 201: ref(Survey) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const row = await deps.db.tenant(tenantId, async (tx) =>
        createSurvey(tx, request.body, { actor, at: deps.clock.now(), templates: await templateKeys(tx) }),
      );
      tag(reply, row.version);
      return reply.code(201).send(toSurvey(row));
    },
  );

  app.put(
    '/v1/surveys/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['surveys'],
        summary: 'Change a survey',
        description: 'Saved as a new version. Who was invited before goes on with the version they were asked with.',
        params: SurveyParams,
        body: ref(SurveyDefinition),
        response: { 200: ref(Survey) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const row = await deps.db.tenant(tenantId, async (tx) => {
        const meta = { actor, at: deps.clock.now(), templates: await templateKeys(tx), expected };
        return changeSurvey(tx, request.params.id, request.body, meta);
      });
      tag(reply, row.version);
      return toSurvey(row);
    },
  );

  for (const [verb, state, summary] of [
    ['close', 'closed', 'Close a survey: its links say so and take no more answers'],
    ['open', 'open', 'Open a closed survey again'],
  ] as const)
    app.post(
      `/v1/surveys/:id/${verb}`,
      {
        config: { permission: 'operate' },
        schema: { tags: ['surveys'], summary, params: SurveyParams, response: { 200: ref(Survey) } },
      },
      async (request, reply) => {
        const { tenantId, actor } = caller(request);
        const meta = { actor, at: deps.clock.now(), expected: expectedVersion(request) };
        const row = await deps.db.tenant(tenantId, (tx) => switchSurvey(tx, request.params.id, state, meta));
        tag(reply, row.version);
        return toSurvey(row);
      },
    );

  app.delete(
    '/v1/surveys/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['surveys'],
        summary: 'Remove a survey nobody was invited to and no sequence asks',
        params: SurveyParams,
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const meta = { actor, at: deps.clock.now(), expected: expectedVersion(request) };
      await deps.db.tenant(tenantId, async (tx) => {
        const { key } = await surveyNamed(tx, request.params.id);
        await removeSurvey(tx, request.params.id, await usersOf(tx, key), meta);
      });
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/surveys/:id/invitations',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['surveys'],
        summary: 'Invite a customer by hand: the answer has the link, and nothing is sent',
        params: SurveyParams,
        body: Type.Object({ customerId: Type.String({ format: 'uuid' }) }, { additionalProperties: false }),
        response: {
          201: Type.Object({
            id: Type.String({ format: 'uuid' }),
            customerId: Type.String({ format: 'uuid' }),
            link: Type.String({ description: 'Whoever has it can answer, once' }),
          }),
        },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const at = deps.clock.now();
      const asked = { survey: request.params.id, customer: request.body.customerId };
      const made = await deps.db.tenant(tenantId, (tx) => inviteByHand(deps.links, tx, asked, actor, at));
      return reply.code(201).send(made);
    },
  );
}

/**
 * A link for a customer; nothing is sent.
 * @param asked id or key of the survey, and id of the customer
 * @throws Problem when there is no such survey or customer, or the survey is closed
 */
export async function inviteByHand(
  links: LinkDeps,
  tx: Tx,
  asked: { survey: string; customer: string },
  actor: string,
  at: Date,
): Promise<{ id: string; customerId: string; link: string }> {
  const survey = await surveyNamed(tx, asked.survey);
  const customer = await findCustomer(tx, asked.customer);
  if (!customer) throw notFound('customer', asked.customer);
  if (survey.state === 'closed') throw conflict('This survey is closed.', 'Open it first: POST /v1/surveys/{id}/open.');
  const { id: customerId } = customer;
  const row = await invite(tx, survey, { customerId, by: actor }, at);
  await appendEvents(tx, [
    {
      ...{ actor, action: 'survey.invited', subject: { kind: 'survey_invitation', id: row.id }, customerId },
      ...{ data: { survey: survey.key }, at },
    },
  ]);
  return { id: row.id, customerId, link: await linkTo(links, tx, row, at) };
}
