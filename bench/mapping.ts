import { isDeepStrictEqual } from 'node:util';
import jsonata from 'jsonata';
import { compileMapping } from '../src/mapping/compile.ts';
import type { Env } from '../src/mapping/compiler.ts';
import type { MappingFile } from '../src/mapping/schema.ts';
import { type Result, ratio, spread } from './figures.ts';

const RECORDS = 2_000;
const ROUNDS = 9;

const MAPPING: MappingFile = {
  streams: {
    contacts: {
      contact: {
        fields: {
          name: { template: '{properties.firstname} {properties.lastname}' },
          first_name: { path: 'properties.firstname' },
          last_name: { path: 'properties.lastname' },
          email: { path: 'properties.email' },
          city: { path: 'properties.city' },
          region: { path: 'properties.state' },
          postal_code: { path: 'properties.zip' },
          company_name: { first: [{ path: 'properties.company' }, { path: 'properties.employer' }] },
          job_title: { path: 'properties.jobtitle' },
          native_status: { path: 'properties.lifecyclestage' },
          status: {
            enum: {
              of: { path: 'properties.lifecyclestage' },
              map: { customer: 'customer', lead: 'lead', subscriber: 'lead' },
              else: null,
            },
          },
          email_opt_out: { boolean: { path: 'properties.hs_email_optout' } },
        },
      },
    },
  },
};

/** The same twelve fields in JSONata. */
const EXPRESSION = `{
  "name": properties.firstname & " " & properties.lastname,
  "first_name": properties.firstname,
  "last_name": properties.lastname,
  "email": properties.email,
  "city": properties.city,
  "region": properties.state,
  "postal_code": properties.zip,
  "company_name": properties.company ? properties.company : properties.employer,
  "job_title": properties.jobtitle,
  "native_status": properties.lifecyclestage,
  "status": $lookup({"customer": "customer", "lead": "lead", "subscriber": "lead"}, properties.lifecyclestage),
  "email_opt_out": properties.hs_email_optout = "true"
}`;

const contact = (n: number): object => ({
  id: String(n),
  properties: {
    firstname: 'Ann',
    lastname: `Miller ${n}`,
    email: `ann${n}@example.com`,
    city: 'Columbus',
    state: 'OH',
    zip: String(43_000 + n),
    ...(n % 2 ? { company: `Company ${n}` } : { employer: `Employer ${n}` }),
    jobtitle: 'Fleet manager',
    lifecyclestage: n % 3 ? 'customer' : 'lead',
    hs_email_optout: n % 5 ? 'false' : 'true',
  },
});

/** Twelve fields of a record by a compiled mapping, against the same fields by JSONata, which open hubs use for it. */
export async function mapping(): Promise<Result> {
  const records = Array.from({ length: RECORDS }, (_, n) => contact(n));
  const { mapping: compiled, errors } = compileMapping(MAPPING);
  if (errors.length > 0) throw new Error(errors.map(({ path, message }) => `${path} ${message}`).join('; '));
  const stream = compiled.streams.get('contacts')!;
  const env: Env = { zone: 'UTC', today: '2026-06-10', account: '1', connector: 'bench', lookup: () => undefined };
  const expression = jsonata(EXPRESSION);
  const ours = (record: object): unknown => {
    const result = stream.run(record, env);
    if (result instanceof Promise) throw new Error('A mapping without expressions does not wait.');
    return result.entities[0]!.values;
  };
  for (const record of records.slice(0, 50)) {
    const theirs = await expression.evaluate(record);
    if (!isDeepStrictEqual({ ...(ours(record) as object) }, { ...theirs })) throw new Error('The two do not agree.');
  }
  const raw: Record<string, number[]> = { mapping_ms: [], jsonata_ms: [] };
  // In turns, so that what else the machine does falls on both. The first round warms up.
  for (let round = -1; round < ROUNDS; round++) {
    const started = performance.now();
    for (const record of records) ours(record);
    const between = performance.now();
    for (const record of records) await expression.evaluate(record);
    const ended = performance.now();
    if (round < 0) continue;
    raw.mapping_ms!.push(between - started);
    raw.jsonata_ms!.push(ended - between);
  }
  const [fast, slow] = [spread(raw.mapping_ms!).p50, spread(raw.jsonata_ms!).p50];
  const perSecond = (ms: number): number => Math.round(RECORDS / (ms / 1000));
  const value = ratio(slow, fast);
  return {
    name: 'mapping',
    what: 'Twelve fields of a record by a compiled mapping, against the same fields by JSONata.',
    figures: { mapping_per_second: perSecond(fast), jsonata_per_second: perSecond(slow) },
    ratios: { ratio: value },
    aim: 'ratio 25',
    met: value >= 25,
    raw,
  };
}
