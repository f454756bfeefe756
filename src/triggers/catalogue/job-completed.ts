import type { Static } from 'typebox';
import type { Tx } from '../../base/database.ts';
import type { LocalDate } from '../../base/time.ts';
import type { Change } from '../../model/types.ts';
import { defineEvent } from '../events.ts';
import { candidateOf, hitsOf, type Moment, momentOf, rowsDated } from '../found.ts';
import { customerDone, DONE, jobDone, mayComplete } from '../jobs-done.ts';
import { isOneOf } from '../match.ts';
import type { Candidate, DetectEnv } from '../schema.ts';
import { anyOf, Stages } from '../stages.ts';

type Settings = Static<typeof DONE>;
type Look = (tx: Tx, changes: readonly Change[], settings: Settings, env: DetectEnv) => Promise<Candidate[]>;

const ofJob = (
  hit: Parameters<typeof candidateOf>[1],
  moment: Moment,
  { field, value }: { field: string; value: string },
): Candidate =>
  candidateOf('job', hit, moment, {
    key: hit.row.entity as string,
    data: { kind: hit.row.kind, title: hit.row.title, asset: hit.row.asset },
    fact: { field, operator: 'equals', values: [value], lasting: true },
  });

const jobs: Look = async (tx, changes, settings, env) =>
  (await hitsOf(tx, changes, 'job', mayComplete)).flatMap((hit) => {
    const done = jobDone(hit.row, settings);
    // Sorted or tagged later, it counts by the day it was completed; without one nobody knows how long ago that was.
    if (!hit.change.fields.some((field) => field === 'status' || field === 'native_status') && !hit.row.completed_on)
      return [];
    return done ? ofJob(hit, momentOf(hit, env, hit.row.completed_on as LocalDate | null), done) : [];
  });

const deals: Look = async (tx, changes, settings, env) => {
  if (settings.dealStages.length === 0) return [];
  const hits = await hitsOf(
    tx,
    changes,
    'deal',
    ({ fields }) => fields.includes('stage') || fields.includes('native_status'),
  );
  if (hits.length === 0) return [];
  const stages = await Stages.load(tx, 'deal');
  const wanted = stages.named(settings.dealStages);
  return hits.flatMap((hit) => {
    const move = stages.move(hit.change, hit.row);
    if (!move || !anyOf(move.to, wanted)) return [];
    return candidateOf('deal', hit, momentOf(hit, env), {
      key: hit.change.entity_id,
      data: { title: hit.row.name, stage: hit.row.stage },
      // From there a deal moves on to be won or invoiced; that takes nothing back.
      fact: { field: 'stage', operator: 'equals', values: move.to.map(String), lasting: false },
    });
  });
};

const ticketDone = (hit: Parameters<typeof candidateOf>[1], moment: Moment): Candidate =>
  candidateOf('ticket', hit, moment, {
    key: hit.row.entity as string,
    data: { title: hit.row.subject, kind: hit.row.category },
    fact: { field: 'status', operator: 'equals', values: ['closed'], lasting: true },
  });

const ofCategory = (category: unknown, { ticketCategories }: Settings): boolean =>
  ticketCategories.length === 0 || isOneOf(category, ticketCategories);

const tickets: Look = async (tx, changes, settings, env) => {
  if (!settings.tickets) return [];
  const hits = await hitsOf(tx, changes, 'ticket', (change) => change.after?.status === 'closed');
  return hits
    .filter(({ row }) => row.status === 'closed' && ofCategory(row.category, settings))
    .map((hit) => ticketDone(hit, momentOf(hit, env, hit.row.closed_at as Date | null)));
};

const customers: Look = async (tx, changes, settings, env) => {
  const hits = await hitsOf(tx, changes, 'contact', (change) => customerDone(change, settings) !== undefined);
  return hits.map((hit) => {
    const { field, value } = customerDone(hit.change, settings)!;
    const moment = momentOf(hit, env);
    return candidateOf('contact', hit, moment, {
      // A customer comes to this stage after every service; once a day is once.
      key: `${hit.change.entity_id}:${moment.on}`,
      data: { title: value },
      fact: { field, operator: 'equals', values: [value], lasting: false },
    });
  });
};

export const jobCompleted = defineEvent({
  name: 'job.completed',
  title: 'Job completed',
  arms: 'Fires once for each service, installation or order when it is completed: by its status, or by the stage of a deal, a closed ticket, a field of the customer or the tags of an order where the settings say so. Completing the same one again fires nothing; taking it back ends what it started. A customer who comes to the stage again another day fires again.',
  key: 'job',
  kinds: ['job', 'deal', 'ticket', 'contact'],
  settings: DONE,
  defaults: {
    kinds: [],
    nativeStatuses: [],
    orderKinds: ['order'],
    orderTags: ['Service', 'Installation'],
    dealStages: ['Service Completed', 'Installation Completed', 'Job Completed'],
    tickets: false,
    ticketCategories: [],
    customerFields: ['native_status', 'custom.lifecycle_stage', 'custom.service_status'],
    customerValues: ['Service Completed', 'Installation Completed'],
  },
  fromChanges: async (tx, changes, settings, env) => {
    const found: Candidate[] = [];
    for (const look of [jobs, deals, tickets, customers]) found.push(...(await look(tx, changes, settings, env)));
    return found;
  },
  dated: async (tx, from, to, settings, env) => {
    const done = await rowsDated(tx, 'job', { date: 'completed_on' }, from, to, env, 'true');
    const found = done.flatMap(({ row, moment }) => {
      const by = jobDone(row, settings);
      return by ? ofJob({ row }, moment, by) : [];
    });
    if (!settings.tickets) return found;
    const closed = await rowsDated(tx, 'ticket', { time: 'closed_at' }, from, to, env, "t.status = 'closed'");
    return [
      ...found,
      ...closed
        .filter(({ row }) => ofCategory(row.category, settings))
        .map(({ row, moment }) => ticketDone({ row }, moment)),
    ];
  },
});
