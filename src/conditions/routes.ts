import { Type } from 'typebox';
import type { Clock } from '../base/clock.ts';
import type { Database, Tx } from '../base/database.ts';
import { notFound } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, ref } from '../http/helpers.ts';
import { findCustomer } from '../model/store.ts';
import type { Catalogue } from './catalogue.ts';
import { loadCatalogue } from './custom.ts';
import { dependenciesOf } from './depends.ts';
import { describeCondition } from './describe.ts';
import { builtInFields } from './fields.ts';
import { customPhrase, phrase } from './phrases.ts';
import { Condition, ConditionCheck, ConditionField, ConditionTrial } from './schema.ts';
import { TEST_NAMES, TESTS } from './tests.ts';
import { namesOf, readCondition, tryCondition } from './trial.ts';

// Anything is let through to the checker, which tells every mistake at once and follows nothing into the deep; the
// reference shows what is meant.
const Given = Type.Unsafe<unknown>({ anyOf: [{}, ref(Condition)], description: 'A condition' });
const written = {
  condition: Type.Optional(Given),
  sentence: Type.Optional(Type.String({ maxLength: 50_000, description: 'The same as a sentence' })),
};

const fieldsOf = (catalogue: Catalogue) => [
  ...builtInFields().map((field) => ({
    name: field.name,
    of: field.scope,
    title: field.title,
    phrase: phrase(field.name),
    type: field.type,
    tests: Object.keys(TESTS[field.type as 'text']).filter((test) => !(field.measure && test === 'empty')),
    words: field.values ? [...field.values] : null,
    seen: null,
    sources: null,
  })),
  ...[...catalogue.custom.values()].map((field) => ({
    name: field.name,
    of: field.scope,
    title: field.name.slice(`${field.scope}.custom.`.length),
    phrase: customPhrase(field),
    type: 'custom',
    tests: [...TEST_NAMES],
    words: null,
    seen: [...field.seen],
    sources: [...field.sources],
  })),
];

/** The fields conditions can name, what is wrong with a condition, and who matches it. */
export function conditionRoutes(
  app: App,
  deps: {
    db: Database;
    clock: Clock;
    /** The segments of the business, names by id. */
    segments: (tx: Tx) => Promise<ReadonlyMap<string, string>>;
  },
): void {
  const catalogueOf = async (tx: Tx): Promise<Catalogue> => loadCatalogue(tx, await deps.segments(tx));

  app.get(
    '/v1/condition-fields',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['conditions'],
        summary: 'Every field a condition can name, with its type, its words and its tests',
        response: { 200: Type.Object({ items: Type.Array(ref(ConditionField)) }) },
      },
    },
    async (request) => ({ items: fieldsOf(await deps.db.tenant(caller(request).tenantId, catalogueOf)) }),
  );

  app.post(
    '/v1/conditions/check',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['conditions'],
        summary: 'Every mistake in a condition or sentence, and the one as the other; changes nothing',
        body: Type.Object(written, { additionalProperties: false }),
        response: { 200: ref(ConditionCheck) },
      },
    },
    async (request) => {
      const catalogue = await deps.db.tenant(caller(request).tenantId, catalogueOf);
      const { problems, condition } = readCondition(request.body, catalogue);
      return {
        problems,
        condition: condition ?? null,
        sentence: condition ? describeCondition(condition, namesOf(catalogue)) : null,
        timeRelative: condition ? dependenciesOf(condition).timeRelative : null,
      };
    },
  );

  app.post(
    '/v1/conditions/try',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['conditions'],
        summary: 'Who matches a condition now: how many, some of them, and whether and why one customer does',
        body: Type.Object(
          { ...written, customerId: Type.Optional(Type.String({ format: 'uuid' })) },
          { additionalProperties: false },
        ),
        response: { 200: ref(ConditionTrial) },
      },
    },
    async (request) => {
      const now = deps.clock.now();
      const { customerId, ...written } = request.body;
      return deps.db.tenant(caller(request).tenantId, async (tx) => {
        const customer = customerId === undefined ? undefined : await findCustomer(tx, customerId);
        if (customerId !== undefined && !customer) throw notFound('customer', customerId);
        return tryCondition(tx, await catalogueOf(tx), written, customer?.id, now);
      });
    },
  );
}
