import { Type } from 'typebox';
import type { Tx } from '../base/database.ts';
import { words } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import type { CampaignDeps } from './deps.ts';
import { pauseCampaign, resumeCampaign, stopCampaign } from './halt.ts';
import { campaignNamed, changeCampaign, createCampaign, removeCampaign } from './manage.ts';
import { previewOf } from './preview.ts';
import { CAMPAIGN_STATES, Campaign, CampaignChange, CampaignInput, Preview } from './schema.ts';
import { startCampaign } from './start.ts';
import { type CampaignRow, listCampaigns } from './store.ts';
import { undoCampaign } from './undo.ts';
import { showCampaigns } from './views.ts';

const Reason = Type.String({ minLength: 3, maxLength: 500 });

/** Campaigns: sequences aimed at people, a few at a time. */
export function campaignRoutes(app: App, deps: CampaignDeps): void {
  const now = (): Date => deps.clock.now();
  const shown = async (tx: Tx, row: CampaignRow) => (await showCampaigns(tx, [row]))[0]!;

  app.get(
    '/v1/campaigns',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['campaigns'],
        summary: 'Campaigns, newest first',
        querystring: Type.Object({ ...PageQuery.properties, state: Type.Optional(words(CAMPAIGN_STATES)) }),
        response: { 200: pageOf(ref(Campaign)) },
      },
    },
    async (request) => {
      const { cursor, limit, state } = request.query;
      const before = cursorId(cursor);
      return deps.db.tenant(caller(request).tenantId, async (tx) => {
        const filter = { ...(before ? { before } : {}), ...(state ? { state } : {}), limit: limit + 1 };
        const page = toPage(await listCampaigns(tx, filter), limit, (row) => row);
        return { items: await showCampaigns(tx, page.items), next: page.next };
      });
    },
  );

  app.post(
    '/v1/campaigns',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['campaigns'],
        summary: 'Make a campaign; nobody enters before it is started',
        body: ref(CampaignInput),
        response: { 201: ref(Campaign) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const view = await deps.db.tenant(tenantId, async (tx) =>
        shown(tx, await createCampaign(tx, request.body, actor, now())),
      );
      tag(reply, view.version);
      return reply.code(201).send(view);
    },
  );

  app.get(
    '/v1/campaigns/:id',
    {
      config: { permission: 'read' },
      schema: { tags: ['campaigns'], summary: 'One campaign', params: IdParams, response: { 200: ref(Campaign) } },
    },
    async (request, reply) => {
      const view = await deps.db.tenant(caller(request).tenantId, async (tx) =>
        shown(tx, await campaignNamed(tx, request.params.id)),
      );
      tag(reply, view.version);
      return view;
    },
  );

  app.patch(
    '/v1/campaigns/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['campaigns'],
        summary: 'Change a campaign; once started only its title, its end and how many an hour',
        params: IdParams,
        body: ref(CampaignChange),
        response: { 200: ref(Campaign) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const meta = { expected: expectedVersion(request), actor, now: now() };
      const view = await deps.db.tenant(tenantId, async (tx) =>
        shown(tx, await changeCampaign(tx, request.params.id, request.body, meta)),
      );
      tag(reply, view.version);
      return view;
    },
  );

  app.delete(
    '/v1/campaigns/:id',
    {
      config: { permission: 'integrate' },
      schema: { tags: ['campaigns'], summary: 'Remove a campaign that does not run, with its list', params: IdParams },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const meta = { expected: expectedVersion(request), actor, now: now() };
      await deps.db.tenant(tenantId, (tx) => removeCampaign(tx, request.params.id, meta));
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/campaigns/:id/preview',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['campaigns'],
        summary: 'Who would enter, who not and why, when, and how many messages a day; its token goes with the start',
        params: IdParams,
        response: { 200: ref(Preview) },
      },
    },
    async (request) =>
      deps.db.tenant(caller(request).tenantId, async (tx) =>
        previewOf(deps, tx, await campaignNamed(tx, request.params.id), now()),
      ),
  );

  app.post(
    '/v1/campaigns/:id/start',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['campaigns'],
        summary: 'Start a campaign as it was previewed; where many would be written to, their number must be typed',
        params: IdParams,
        body: Type.Object(
          {
            token: Type.String({ maxLength: 200, description: 'Of the preview' }),
            confirm: Type.Optional(Type.Integer({ description: 'How many people, where the preview asks for it' })),
          },
          { additionalProperties: false },
        ),
        response: { 200: ref(Campaign) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const wish = { ...request.body, expected: expectedVersion(request), actor };
      const view = await deps.db.tenant(tenantId, async (tx) =>
        shown(tx, await startCampaign(deps, tx, request.params.id, wish, now())),
      );
      tag(reply, view.version);
      return view;
    },
  );

  for (const [verb, summary, work] of [
    ['pause', 'Pause a campaign: nobody enters, and what it has to send is held', pauseCampaign],
    ['stop', 'End a campaign: nobody enters any more, who is in the sequence goes on', stopCampaign],
  ] as const)
    app.post(
      `/v1/campaigns/:id/${verb}`,
      {
        config: { permission: 'operate' },
        schema: {
          ...{ tags: ['campaigns'], summary, params: IdParams },
          body: Type.Object({ reason: Reason }, { additionalProperties: false }),
          response: { 200: ref(Campaign) },
        },
      },
      async (request, reply) => {
        const { tenantId, actor } = caller(request);
        const hand = { expected: expectedVersion(request), actor, now: now() };
        const view = await deps.db.tenant(tenantId, async (tx) =>
          shown(tx, await work(tx, request.params.id, request.body.reason, hand)),
        );
        tag(reply, view.version);
        return view;
      },
    );

  app.post(
    '/v1/campaigns/:id/resume',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['campaigns'],
        summary: 'Let a paused campaign go on; nothing is made up for',
        params: IdParams,
        response: { 200: ref(Campaign) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const hand = { expected: expectedVersion(request), actor, now: now() };
      const view = await deps.db.tenant(tenantId, async (tx) =>
        shown(tx, await resumeCampaign(tx, request.params.id, hand)),
      );
      tag(reply, view.version);
      return view;
    },
  );

  app.post(
    '/v1/campaigns/:id/undo',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['campaigns'],
        summary: 'Take a campaign back as far as nothing has gone out, and tell what had',
        params: IdParams,
        body: Type.Object(
          {
            reason: Reason,
            endOthers: Type.Optional(
              Type.Boolean({ description: 'Also end enrolments of which something has gone out; default: no' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            campaign: ref(Campaign),
            removed: Type.Integer({ description: 'People who had not entered yet' }),
            ended: Type.Integer({ description: 'Enrolments that were ended' }),
            cancelled: Type.Integer({ description: 'Messages and actions that do not go out' }),
            out: Type.Array(Type.Object({ channel: Type.String(), messages: Type.Integer(), people: Type.Integer() }), {
              description: 'What had gone out already',
            }),
            others: Type.Object({ enrolments: Type.Integer(), ended: Type.Boolean() }),
          }),
        },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const hand = { expected: expectedVersion(request), actor, now: now() };
      const { reason, endOthers = false } = request.body;
      const undone = await deps.db.tenant(tenantId, async (tx) => {
        const { campaign, ...rest } = await undoCampaign(tx, request.params.id, { reason, endOthers }, hand);
        return { campaign: await shown(tx, campaign), ...rest };
      });
      tag(reply, undone.campaign.version);
      return undone;
    },
  );
}
