import { Type } from 'typebox';
import { notFound } from '../base/errors.ts';
import { words } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import type { CampaignDeps } from './deps.ts';
import { enrolInCampaign, unenrol } from './enrol.ts';
import { campaignNamed } from './manage.ts';
import { findMember, listMembers } from './members.ts';
import { MEMBER_STATES, Member } from './schema.ts';
import { showMember } from './views.ts';

const MemberParams = Type.Object({ ...IdParams.properties, customerId: Type.String({ format: 'uuid' }) });

/** The enrolments of a campaign: who is on its list, who entered, and who did not and why. */
export function campaignMemberRoutes(app: App, deps: CampaignDeps): void {
  app.get(
    '/v1/campaigns/:id/enrolments',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['campaigns'],
        summary: 'Who is on the list of a campaign, and how each stands',
        params: IdParams,
        querystring: Type.Object({ ...PageQuery.properties, state: Type.Optional(words(MEMBER_STATES)) }),
        response: { 200: pageOf(ref(Member)) },
      },
    },
    async (request) => {
      const { cursor, limit, state } = request.query;
      const after = cursorId(cursor);
      const rows = await deps.db.tenant(caller(request).tenantId, async (tx) => {
        const { id } = await campaignNamed(tx, request.params.id);
        return listMembers(tx, id, { ...(state ? { state } : {}), ...(after ? { after } : {}), limit: limit + 1 });
      });
      return toPage(
        rows.map((row) => ({ ...row, id: row.customer_id })),
        limit,
        showMember,
      );
    },
  );

  app.post(
    '/v1/campaigns/:id/enrolments',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['campaigns'],
        summary: 'Put customers on the list of a campaign that runs; they enter when it is their turn',
        params: IdParams,
        body: Type.Object(
          {
            customers: Type.Array(Type.String({ maxLength: 200 }), {
              minItems: 1,
              maxItems: 500,
              description: 'Ids, e-mail addresses or phone numbers',
            }),
            reason: Type.String({ minLength: 3, maxLength: 500 }),
            confirm: Type.Optional(Type.Integer({ description: 'How many people, where it is asked for' })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            items: Type.Array(
              Type.Object({
                customer: Type.String({ description: 'As it was given' }),
                outcome: Type.String(),
                enrolment: Type.Union([ref(Member), Type.Null()]),
              }),
            ),
          }),
        },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const items = await deps.db.tenant(tenantId, async (tx) => {
        const { id } = await campaignNamed(tx, request.params.id);
        return enrolInCampaign(deps, tx, id, { ...request.body, actor }, deps.clock.now());
      });
      return {
        items: items.map(({ customer, outcome, member }) => ({
          customer,
          outcome,
          enrolment: member ? showMember(member) : null,
        })),
      };
    },
  );

  app.get(
    '/v1/campaigns/:id/enrolments/:customerId',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['campaigns'],
        summary: 'How one customer stands in a campaign',
        params: MemberParams,
        response: { 200: ref(Member) },
      },
    },
    async (request, reply) => {
      const { id, customerId } = request.params;
      const row = await deps.db.tenant(caller(request).tenantId, async (tx) =>
        findMember(tx, (await campaignNamed(tx, id)).id, customerId),
      );
      if (!row) throw notFound('customer of this campaign', customerId);
      tag(reply, row.version);
      return showMember(row);
    },
  );

  app.delete(
    '/v1/campaigns/:id/enrolments/:customerId',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['campaigns'],
        summary: 'Take a customer out of a campaign, whether they wait or are in the sequence',
        params: MemberParams,
        querystring: Type.Object({ reason: Type.String({ minLength: 3, maxLength: 500 }) }),
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const how = { reason: request.query.reason, expected: expectedVersion(request), actor };
      const { id, customerId } = request.params;
      await deps.db.tenant(tenantId, async (tx) =>
        unenrol(deps, tx, { campaignId: (await campaignNamed(tx, id)).id, customerId }, how, deps.clock.now()),
      );
      return reply.code(204).send();
    },
  );
}
