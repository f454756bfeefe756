import { Type } from 'typebox';
import { notFound } from '../base/errors.ts';
import { nullable } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, IdParams, ref } from '../http/helpers.ts';
import { findSequence } from '../sequences/store.ts';
import { trippedBreakers } from './breaker.ts';
import type { CampaignDeps } from './deps.ts';
import { forksOf } from './forks.ts';
import { campaignNamed } from './manage.ts';
import { Results } from './results.schema.ts';
import { resultsOf } from './results.ts';

/** What sequences and campaigns brought about, and what stopped by itself. */
export function resultRoutes(app: App, deps: Pick<CampaignDeps, 'db' | 'clock'>): void {
  app.get(
    '/v1/sequences/:id/results',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'What a sequence brought about, by step and variant, and against those left out',
        params: IdParams,
        response: { 200: ref(Results) },
      },
    },
    async (request) =>
      deps.db.tenant(caller(request).tenantId, async (tx) => {
        const sequence = await findSequence(tx, request.params.id);
        if (!sequence) throw notFound('sequence', request.params.id);
        return resultsOf(tx, { sequenceId: sequence.id }, await forksOf(tx, sequence.id), deps.clock.now());
      }),
  );

  app.get(
    '/v1/campaigns/:id/results',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['campaigns'],
        summary: 'What a campaign brought about, by step and variant, and against those left out',
        params: IdParams,
        response: { 200: ref(Results) },
      },
    },
    async (request) =>
      deps.db.tenant(caller(request).tenantId, async (tx) => {
        const campaign = await campaignNamed(tx, request.params.id);
        const forks = await forksOf(tx, campaign.sequence_id);
        return resultsOf(tx, { campaignId: campaign.id }, forks, deps.clock.now());
      }),
  );

  const Instant = Type.String({ format: 'date-time' });
  app.get(
    '/v1/send-breakers',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['actions'],
        summary: 'Sequences and campaigns that stopped by themselves because too many messages came to no good',
        response: {
          200: Type.Object({
            items: Type.Array(
              Type.Object({
                scope: Type.String({ description: 'sequence:<key> or campaign:<id>' }),
                reason: nullable(Type.String()),
                figures: Type.Unknown(),
                trippedAt: nullable(Instant),
                fix: Type.String(),
              }),
            ),
          }),
        },
      },
    },
    async (request) => ({
      items: (await deps.db.tenant(caller(request).tenantId, trippedBreakers)).map((row) => ({
        scope: row.scope,
        reason: row.reason,
        figures: row.figures,
        trippedAt: row.tripped_at?.toISOString() ?? null,
        fix: row.scope.startsWith('campaign:')
          ? `Look into it, then POST /v1/campaigns/${row.scope.slice('campaign:'.length)}/resume.`
          : `Look into it, then DELETE /v1/kill-switches/${row.scope}.`,
      })),
    }),
  );
}
