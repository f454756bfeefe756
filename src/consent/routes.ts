import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import { type Database, one } from '../base/database.ts';
import { notFound } from '../base/errors.ts';
import { hashToken } from '../base/ids.ts';
import { words } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, IdParams } from '../http/helpers.ts';
import { page } from '../http/pages.ts';
import { findCustomer } from '../model/store.ts';
import { CHANNELS, SETTINGS } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import { COMPLIANCE } from './compliance.ts';
import { type OptOutDeps, optOut } from './optout.ts';
import { consentHistory, consentsOf, lockGuards, recordConsent } from './store.ts';

const ConsentView = Type.Object({
  channel: Type.String(),
  topic: Type.String(),
  state: words(['granted', 'denied']),
  basis: Type.String(),
  source: Type.String(),
  evidence: Type.Unknown(),
  recordedAt: Type.String(),
});

interface Link {
  tenant_id: string;
  subject: { customerId: string; channel: string; topic: string; address: string };
}

/** Consent over the API, and the pages a recipient sees. */
export function consentRoutes(app: App, deps: { db: Database; clock: Clock; optOut: OptOutDeps }): void {
  app.get(
    '/v1/customers/:id/consent',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['consent'],
        summary: 'Present choices and their whole history: the proof',
        params: IdParams,
        response: { 200: Type.Object({ present: Type.Array(ConsentView), history: Type.Array(ConsentView) }) },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      return deps.db.tenant(tenantId, async (tx) => {
        const customer = await findCustomer(tx, request.params.id);
        if (!customer) throw notFound('customer', request.params.id);
        const show = (row: {
          channel: string;
          topic: string;
          state: 'granted' | 'denied';
          basis: string;
          source: string;
          evidence: unknown;
          recorded_at: Date;
        }) => ({
          channel: row.channel,
          topic: row.topic,
          state: row.state,
          basis: row.basis,
          source: row.source,
          evidence: row.evidence,
          recordedAt: row.recorded_at.toISOString(),
        });
        return {
          present: (await consentsOf(tx, [customer.id])).map(show),
          history: (await consentHistory(tx, customer.id)).map(show),
        };
      });
    },
  );

  app.post(
    '/v1/customers/:id/consent',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['consent'],
        summary: 'Record a choice with its evidence',
        params: IdParams,
        body: Type.Object(
          {
            channel: words(CHANNELS),
            topic: Type.Optional(Type.String({ maxLength: 50 })),
            state: words(['granted', 'denied']),
            basis: Type.Optional(Type.String({ maxLength: 50 })),
            evidence: Type.String({ minLength: 3, maxLength: 2000, description: 'Where and how the person said so' }),
            expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
          },
          { additionalProperties: false },
        ),
        response: { 201: Type.Object({ recorded: Type.Boolean() }) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const { channel, topic, state, basis, evidence, expiresAt } = request.body;
      const at = deps.clock.now();
      const recorded = await deps.db.tenant(tenantId, async (tx) => {
        const customer = await findCustomer(tx, request.params.id);
        if (!customer) throw notFound('customer', request.params.id);
        await lockGuards(tx, [customer.id]);
        const entry = {
          customerId: customer.id,
          channel,
          topic: topic ?? '*',
          state,
          basis: basis ?? (state === 'granted' ? 'consent' : 'objection'),
          source: actor,
          evidence: { text: evidence },
          at,
          expiresAt: expiresAt ? new Date(expiresAt) : null,
        };
        const written = await recordConsent(tx, entry);
        if (state === 'denied')
          await deps.optOut.cancelQueued(tx, {
            customerId: customer.id,
            channel,
            topic,
            marketingOnly: true,
            reason: 'opted_out',
            at,
          });
        await appendEvents(tx, [
          {
            actor,
            action: `consent.${state}`,
            subject: { kind: 'channel', id: channel },
            customerId: customer.id,
            data: { topic: topic ?? '*', evidence },
            at,
          },
        ]);
        return written;
      });
      return reply.code(201).send({ recorded });
    },
  );

  app.get(
    '/v1/compliance',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['consent'],
        summary: 'Legal constants with source and effective date, and the defaults made of them',
        response: { 200: Type.Unknown() },
      },
    },
    async () => ({
      rules: COMPLIANCE,
      defaults: { quietHours: SETTINGS.quietHours.value, caps: SETTINGS.caps.value },
    }),
  );

  const find = async (token: string): Promise<Link | undefined> =>
    one(
      await deps.db.statement<Link>(
        "select tenant_id, subject from link_route where token_hash = $1 and purpose = 'unsubscribe'",
        [hashToken(token)],
      ),
    );
  const params = { params: Type.Object({ token: Type.String({ maxLength: 100 }) }) };

  // GET shows, POST acts: link scanners follow every link of a mail, and must not unsubscribe anybody (RFC 8058).
  app.get(
    '/u/:token',
    { config: { permission: 'public' }, schema: { hide: true, ...params } },
    async (request, reply) => {
      const link = await find(request.params.token);
      if (!link)
        return reply
          .code(404)
          .type('text/html')
          .send(
            page(
              'Unknown link',
              '<p>This link is not known here. If you want no more messages, answer one of them with STOP.</p>',
            ),
          );
      const business = await deps.db.tenant(link.tenant_id, (tx) => setting(tx, 'business'));
      return reply
        .type('text/html')
        .send(
          page(
            'Unsubscribe',
            `<p>No more ${label(link.subject.topic)} from <strong>${escapeHtml(business.name)}</strong>?</p><form method="post"><button>Yes, unsubscribe me</button></form>`,
          ),
        );
    },
  );

  app.post(
    '/u/:token',
    { config: { permission: 'public' }, schema: { hide: true, ...params } },
    async (request, reply) => {
      const link = await find(request.params.token);
      // Whether a token exists is nobody's business: the answer is the same.
      if (link) {
        const { customerId, channel, topic, address } = link.subject;
        await deps.db.tenant(link.tenant_id, (tx) =>
          optOut(deps.optOut, tx, {
            channel,
            address,
            customerId,
            scope: 'marketing',
            topic: topic === '*' ? undefined : topic,
            reason: 'unsubscribe_link',
            source: 'one_click',
            evidence: { ip: request.ip, agent: request.headers['user-agent'] ?? null },
            at: deps.clock.now(),
          }),
        );
      }
      return reply.type('text/html').send(page('Unsubscribed', '<p>Done. You will get no more of these messages.</p>'));
    },
  );
}

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const label = (topic: string): string => (topic === '*' ? 'messages' : `messages about ${escapeHtml(topic)}`);
