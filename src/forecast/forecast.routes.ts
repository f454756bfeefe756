import { type Static, Type } from 'typebox';
import type { ActionDeps } from '../actions/deps.ts';
import { invalid, notFound } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, ref } from '../http/helpers.ts';
import { lookUpCustomer } from '../model/store.ts';
import { checkDefinition } from '../sequences/playbooks.ts';
import type { Definition } from '../sequences/schema.ts';
import { findSequence, loadDefinition, type SequenceRow } from '../sequences/store.ts';
import { tenantZone } from '../settings/store.ts';
import { lookAhead } from './forecast.ts';
import type { Draft } from './load.ts';
import { Forecast, ForecastInput, Tried, TryInput } from './schema.ts';
import { summaryOf } from './summary.ts';
import { tryOn } from './try.ts';

const DAYS = 90;
const MOST = 200;

/**
 * Looks ahead for a business, with a draft against what is active.
 * @throws Problem when the draft cannot run, or nobody or several are called like the customer
 */
export async function runForecast(
  deps: ActionDeps,
  tenantId: string,
  input: Static<typeof ForecastInput>,
): Promise<Static<typeof Forecast>> {
  const { days = DAYS, most = MOST } = input;
  const { zone, draft, customerId } = await deps.db.tenant(tenantId, async (tx) => ({
    zone: await tenantZone(tx),
    customerId: input.customer ? (await customerCalled(tx, input.customer)).id : undefined,
    draft: input.draft === undefined ? undefined : await draftOf(tx, input.draft),
  }));
  const before = draft ? await lookAhead(deps, tenantId, { days, customerId }) : undefined;
  return summaryOf(await lookAhead(deps, tenantId, { days, draft, customerId }), zone, most, before);
}

type Tx = Parameters<typeof lookUpCustomer>[0];

async function draftOf(tx: Tx, given: unknown): Promise<Draft> {
  const definition = await checkDefinition(tx, given);
  return { sequence: await findSequence(tx, definition.key), definition };
}

async function customerCalled(tx: Tx, text: string): Promise<{ id: string; name: string | null }> {
  const found = await lookUpCustomer(tx, text);
  if (found.length > 1)
    throw invalid(`Several customers are called "${text}".`, [
      { path: 'customer', message: 'name one by id or address' },
    ]);
  if (!found[0]) throw notFound('customer', text);
  return found[0];
}

/** Tries a sequence on one customer. @throws Problem like `runForecast` */
export async function runTry(
  deps: ActionDeps,
  tenantId: string,
  idOrKey: string,
  input: Static<typeof TryInput>,
): Promise<Static<typeof Tried>> {
  const trying = await deps.db.tenant(tenantId, async (tx) => {
    const sequence = await findSequence(tx, idOrKey);
    if (!sequence) throw notFound('sequence', idOrKey);
    return {
      sequence,
      definition: await definitionOf(tx, sequence, input),
      customer: await customerCalled(tx, input.customer),
    };
  });
  return tryOn(deps, tenantId, { ...trying, from: input.from, days: input.days ?? DAYS });
}

async function definitionOf(
  tx: Tx,
  sequence: SequenceRow,
  { version, definition }: Static<typeof TryInput>,
): Promise<Definition> {
  if (definition !== undefined) return checkDefinition(tx, definition);
  if (version !== undefined && version > sequence.latest_version)
    throw invalid(`There is no version ${version}.`, [
      { path: 'version', message: `is at most ${sequence.latest_version}` },
    ]);
  return loadDefinition(tx, sequence.id, version ?? sequence.latest_version);
}

/** Looking ahead, for everybody or for one. Nothing is kept, and nothing goes out. */
export function forecastRoutes(app: App, deps: ActionDeps): void {
  app.post(
    '/v1/forecast',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'Every message of the days to come, and what a draft would change',
        body: ref(ForecastInput),
        response: { 200: ref(Forecast) },
      },
    },
    (request) => runForecast(deps, caller(request).tenantId, request.body),
  );

  app.post(
    '/v1/sequences/:id/try',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'What a sequence would do with a customer: every date, text and gate',
        params: Type.Object({ id: Type.String({ maxLength: 60, description: 'Id or key' }) }),
        body: ref(TryInput),
        response: { 200: ref(Tried) },
      },
    },
    (request) => runTry(deps, caller(request).tenantId, request.params.id, request.body),
  );
}
