import { type Static, Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database, Tx } from '../base/database.ts';
import { notFound } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, IdParams, ref } from '../http/helpers.ts';
import { findCustomer } from '../model/store.ts';
import { SETTINGS } from '../settings/schema.ts';
import { type Basis, expiryOf } from './bases.ts';
import { COMPLIANCE } from './compliance.ts';
import { type OptOutDeps, optOutPerson } from './optout.ts';
import { preferencesOf } from './preferences.ts';
import { ConsentBody, ConsentProof, type Proof, type ProofPorts } from './schema.ts';
import { type ConsentRow, consentHistory, consentsOf, lockGuards, recordConsent } from './store.ts';

const view = (row: ConsentRow): Proof['present'][number] => ({
  channel: row.channel,
  topic: row.topic,
  class: row.class,
  state: row.state,
  basis: row.basis,
  source: row.source,
  evidence: row.evidence,
  recordedAt: row.recorded_at.toISOString(),
  expiresAt: row.expires_at?.toISOString() ?? null,
});

export interface ConsentRouteDeps extends ProofPorts {
  db: Database;
  clock: Clock;
  optOut: OptOutDeps;
}

/** Consent over the API. */
export function consentRoutes(app: App, deps: ConsentRouteDeps): void {
  app.get(
    '/v1/customers/:id/consent',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['consent'],
        summary: 'The proof: present choices, their whole history, what the gate would say now, and who was told',
        params: IdParams,
        response: { 200: ref(ConsentProof) },
      },
    },
    async (request) => {
      const now = deps.clock.now();
      return deps.db.rehearse(caller(request).tenantId, async (tx) => {
        const customer = await findCustomer(tx, request.params.id);
        if (!customer) throw notFound('customer', request.params.id);
        const [wish] = await preferencesOf(tx, [customer.id]);
        return {
          present: (await consentsOf(tx, [customer.id])).map(view),
          history: (await consentHistory(tx, customer.id)).map(view),
          standing: await deps.standing(tx, customer.id, now),
          wishes: {
            pausedUntil: wish?.paused_until && wish.paused_until > now ? wish.paused_until.toISOString() : null,
            atMost:
              wish?.at_most_messages === null || wish === undefined
                ? null
                : { messages: wish.at_most_messages, days: wish.at_most_days! },
            source: wish?.source ?? null,
          },
          passedOn: await deps.passedOn(tx, customer.id),
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
        body: ref(ConsentBody),
        response: { 201: Type.Object({ recorded: Type.Boolean() }) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const recorded = await deps.db.tenant(tenantId, (tx) => record(deps, tx, request.params.id, request.body, actor));
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
}

async function record(
  deps: ConsentRouteDeps,
  tx: Tx,
  id: string,
  body: Static<typeof ConsentBody>,
  actor: string,
): Promise<boolean> {
  const { channel, topic, state, evidence } = body;
  const at = deps.clock.now();
  const messageClass = body.class ?? 'marketing';
  const basis: Basis = body.basis ?? (state === 'granted' ? 'consent' : 'objection');
  const expiresAt = expiryOf(
    {
      ...{ state, basis, messageClass },
      since: body.since ? new Date(body.since) : undefined,
      expiresAt: body.expiresAt ? new Date(body.expiresAt) : undefined,
    },
    at,
  );
  const customer = await findCustomer(tx, id);
  if (!customer) throw notFound('customer', id);
  const choice = { customerId: customer.id, channel, topic, class: messageClass, source: actor, at };
  if (state === 'denied')
    return optOutPerson(deps.optOut, tx, { ...choice, evidence: { text: evidence }, reason: 'recorded', actor });
  await lockGuards(tx, [customer.id]);
  const written = await recordConsent(tx, {
    ...choice,
    topic: topic ?? '*',
    state,
    basis,
    evidence: { text: evidence, ...(body.since ? { since: body.since } : {}) },
    expiresAt,
  });
  await appendEvents(tx, [
    {
      actor,
      action: 'consent.granted',
      subject: { kind: 'channel', id: channel },
      customerId: customer.id,
      data: { topic: topic ?? '*', class: messageClass, basis, evidence, expiresAt: expiresAt?.toISOString() ?? null },
      at,
    },
  ]);
  return written;
}
