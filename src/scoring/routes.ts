import { type Static, Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database, Tx } from '../base/database.ts';
import { invalid, notFound, stale } from '../base/errors.ts';
import { words } from '../base/schema.ts';
import { addDays, daysBetween, localDate } from '../base/time.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { findCustomer } from '../model/store.ts';
import { tenantZone } from '../settings/store.ts';
import { shown } from './asof.ts';
import { explainScore } from './explain.ts';
import { BANDS } from './formula.ts';
import { type HistoryDay, scoreHistory } from './history.ts';
import { wakeScores } from './jobs.ts';
import { CustomerScore, ScoreDay, ScoreLine, Standing } from './schema.ts';
import { factorsOfRow, findStanding, type ListedScore, listScores, type StandingRow, saveStanding } from './store.ts';
import { toCustomerScore, toStanding } from './view.ts';

const toLine = (row: ListedScore): Static<typeof ScoreLine> => ({
  customerId: row.customer_id,
  name: row.name,
  score: row.score!,
  band: row.band as 'steady',
  vip: row.vip,
  unhappy: row.unhappy,
  factors: shown(factorsOfRow(row)),
});

const toDay = ({ day, score, factors, row, band }: HistoryDay): Static<typeof ScoreDay> => ({
  day,
  score,
  factors: shown(factors),
  band,
  vip: row.vip,
  unhappy: row.unhappy,
  stored: row.day === day,
});

/** The longest stretch of days that is computed at once. */
const MOST_DAYS = 400;

/** The living id behind an id. @throws Problem 404 */
async function living(tx: Tx, id: string): Promise<string> {
  const row = await findCustomer(tx, id);
  if (!row) throw notFound('customer', id);
  return row.id;
}

/** Scores, read-only; by hand are only the VIP pin and the end of being unhappy. */
export function scoreRoutes(app: App, deps: { db: Database; clock: Clock }): void {
  app.get(
    '/v1/scores',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['scores'],
        summary: 'Customers by their relationship score',
        querystring: Type.Object({
          ...PageQuery.properties,
          sort: Type.Optional(words(['-score', 'score'], 'Best first (-score, the default) or worst first')),
          band: Type.Optional(words(BANDS)),
          vip: Type.Optional(Type.Boolean()),
          unhappy: Type.Optional(Type.Boolean()),
        }),
        response: { 200: pageOf(ref(ScoreLine)) },
      },
    },
    async (request) => {
      const { cursor, limit, sort, band, vip, unhappy } = request.query;
      const after = cursorId(cursor);
      const rows = await deps.db.tenant(caller(request).tenantId, (tx) =>
        listScores(tx, {
          best: sort !== 'score',
          limit: limit + 1,
          ...(band === undefined ? {} : { band }),
          ...(vip === undefined ? {} : { vip }),
          ...(unhappy === undefined ? {} : { unhappy }),
          ...(after ? { after } : {}),
        }),
      );
      return toPage(
        rows.map((row) => ({ ...row, id: row.customer_id })),
        limit,
        toLine,
      );
    },
  );

  app.get(
    '/v1/customers/:id/score',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['scores'],
        summary: 'The score of a customer, with what it is made of and what would change it',
        params: IdParams,
        response: { 200: ref(CustomerScore) },
      },
    },
    async (request, reply) => {
      const body = await deps.db.tenant(caller(request).tenantId, async (tx) => {
        const id = await living(tx, request.params.id);
        return toCustomerScore(id, await explainScore(tx, id), toStanding(await findStanding(tx, id)));
      });
      tag(reply, body.standing.version);
      return body;
    },
  );

  app.get(
    '/v1/customers/:id/score/history',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['scores'],
        summary: 'The score of a customer day by day',
        params: IdParams,
        querystring: Type.Object({
          from: Type.Optional(Type.String({ format: 'date', description: 'Default: 90 days before `to`' })),
          to: Type.Optional(Type.String({ format: 'date', description: 'Default: today' })),
        }),
        response: { 200: Type.Object({ items: Type.Array(ref(ScoreDay)) }) },
      },
    },
    async (request) => {
      const days = await deps.db.tenant(caller(request).tenantId, async (tx) => {
        const id = await living(tx, request.params.id);
        const today = localDate(deps.clock.now(), await tenantZone(tx));
        const asked = request.query.to ?? today;
        const to = asked > today ? today : asked;
        const from = request.query.from ?? addDays(to, -90);
        if (daysBetween(from, to) > MOST_DAYS)
          throw invalid(`Not more than ${MOST_DAYS} days can be shown at once.`, [
            { path: 'from', message: `must be at most ${MOST_DAYS} days before \`to\`` },
          ]);
        return scoreHistory(tx, id, from, to);
      });
      return { items: days.map(toDay) };
    },
  );

  /** Stores what somebody decided and has the score looked at again. */
  const decide = async (
    who: { tenantId: string; actor: string },
    given: { id: string; expected: number },
    change: Partial<Omit<StandingRow, 'version'>>,
    event: { action: string; data: Record<string, unknown> },
  ): Promise<Static<typeof Standing>> => {
    const standing = await deps.db.tenant(who.tenantId, async (tx) => {
      const id = await living(tx, given.id);
      const { version: _version, ...before } = await findStanding(tx, id);
      const row = { ...before, ...change };
      const version = await saveStanding(tx, id, row, given.expected);
      if (version === undefined) throw stale('standing of the customer');
      await appendEvents(tx, [
        {
          actor: who.actor,
          action: event.action,
          subject: { kind: 'customer', id },
          customerId: id,
          data: event.data,
          at: deps.clock.now(),
        },
      ]);
      return toStanding({ ...row, version });
    });
    await wakeScores(deps, who.tenantId);
    return standing;
  };

  app.put(
    '/v1/customers/:id/vip',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['scores'],
        summary: 'Pin a customer as VIP, or as none, whatever the rule says',
        params: IdParams,
        body: Type.Object({ vip: Type.Boolean() }, { additionalProperties: false }),
        response: { 200: ref(Standing) },
      },
    },
    async (request, reply) => {
      const { vip } = request.body;
      const who = caller(request);
      const standing = await decide(
        who,
        { id: request.params.id, expected: expectedVersion(request) },
        { vip, vip_by: who.actor, vip_at: deps.clock.now() },
        { action: 'vip.pinned', data: { vip } },
      );
      tag(reply, standing.version);
      return standing;
    },
  );

  app.delete(
    '/v1/customers/:id/vip',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['scores'],
        summary: 'Let the rule decide again whether a customer is VIP',
        params: IdParams,
        response: { 200: ref(Standing) },
      },
    },
    async (request, reply) => {
      const standing = await decide(
        caller(request),
        { id: request.params.id, expected: expectedVersion(request) },
        { vip: null, vip_by: null, vip_at: null },
        { action: 'vip.unpinned', data: {} },
      );
      tag(reply, standing.version);
      return standing;
    },
  );

  app.post(
    '/v1/customers/:id/unhappy/clear',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['scores'],
        summary: 'Say that an unhappy customer is so no longer; a later bad answer or complaint counts again',
        params: IdParams,
        body: Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }, { additionalProperties: false }),
        response: { 200: ref(Standing) },
      },
    },
    async (request, reply) => {
      const who = caller(request);
      const { reason } = request.body;
      const standing = await decide(
        who,
        { id: request.params.id, expected: expectedVersion(request) },
        { cleared_at: deps.clock.now(), cleared_by: who.actor, cleared_reason: reason },
        { action: 'customer.unhappy_cleared', data: { reason } },
      );
      tag(reply, standing.version);
      return standing;
    },
  );
}
