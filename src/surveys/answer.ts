import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { languageOf } from '../consent/texts/index.ts';
import { applyRecords } from '../model/apply.ts';
import type { Mapped } from '../model/types.ts';
import { setting, tenantZone } from '../settings/store.ts';
import type { SyncDeps } from '../sync/deps.ts';
import { sourcesOf } from '../sync/source.ts';
import { type InvitationRow, invitedCustomer, saveInvitation } from './invitations.ts';
import type { SurveyPorts } from './ports.ts';
import { commentOf, countingAnswers, isBad, mainQuestion } from './questions.ts';
import type { Answers, SurveyDefinition } from './schema.ts';
import { setOff } from './setoff.ts';

export interface SurveyDeps extends SyncDeps {
  surveyPorts: SurveyPorts;
}

/** The source of answers given here: no connection delivers them. The same for every business. */
export const HUB_STREAM = '00000000-0000-7000-8000-737572766579';

const DAY_MS = 86_400_000;

/** The score among answers, as given, or null. */
export function scoreOf(survey: SurveyDefinition, answers: Answers): number | null {
  const main = mainQuestion(survey);
  const answer = main && answers[main.key];
  return typeof answer === 'number' ? answer : null;
}

/**
 * Keeps what was given so far. It is no fact yet: it becomes one when it is handed in, or when the survey's days are
 * over and the score is among it.
 * @param row held by the caller, who saw that it is not answered
 */
export async function keepPartial(
  tx: Tx,
  row: InvitationRow,
  survey: SurveyDefinition,
  answers: Answers,
  now: Date,
): Promise<void> {
  const started = Object.keys(answers).length > 0;
  const days = survey.partial_after_days;
  const counts = days !== undefined && scoreOf(survey, answers) !== null;
  const countsAt = counts ? (row.counts_at ?? new Date(now.getTime() + days * DAY_MS)) : null;
  await saveInvitation(
    tx,
    {
      ...{ ...row, answers, state: started ? 'started' : 'open', counts_at: countsAt },
      started_at: row.started_at ?? (started ? now : null),
    },
    now,
  );
  if (countsAt) await bumpDue(tx, tx.tenantId, 'surveys', countsAt);
}

/**
 * Hands answers in: they become a fact through the same door as what platforms send, and everything the survey wants
 * done is planned, all in this transaction.
 * @param row held by the caller, who saw that it is not answered
 * @returns whether there was still somebody to take them from
 */
export async function handIn(
  deps: SurveyDeps,
  tx: Tx,
  row: InvitationRow,
  survey: SurveyDefinition,
  answers: Answers,
  by: 'person' | 'time',
  now: Date,
): Promise<boolean> {
  const customer = await invitedCustomer(tx, row);
  if (!customer) return false;
  const counting = countingAnswers(survey.questions, answers);
  const score = scoreOf(survey, counting);
  await saveInvitation(
    tx,
    {
      ...{ ...row, state: 'answered', answers: counting, score: score === null ? null : String(score) },
      ...{ started_at: row.started_at ?? now, answered_at: now, completed_by: by, counts_at: null },
    },
    now,
  );
  await bringIn(deps, tx, await factOf(tx, row, survey, counting, score, now), now);
  const bad = isBad(survey, score);
  const { country } = await setting(tx, 'business');
  const planned = await setOff(
    deps.surveyPorts,
    tx,
    { ...{ row, survey, answers: counting, score, bad, by }, customer, language: languageOf({ country }) },
    now,
  );
  await appendEvents(tx, [
    {
      actor: by === 'person' ? 'customer' : 'system',
      action: 'survey.answered',
      subject: { kind: 'survey_invitation', id: row.id },
      customerId: customer.id,
      data: { survey: survey.key, version: row.number, score, bad, by, planned },
      at: now,
    },
  ]);
  return true;
}

/** The answers as a record that arrived, for the model to take in. */
async function factOf(
  tx: Tx,
  row: InvitationRow,
  survey: SurveyDefinition,
  answers: Answers,
  score: number | null,
  now: Date,
): Promise<Mapped> {
  return {
    kind: 'survey_response',
    streamId: HUB_STREAM,
    remoteId: row.id,
    values: {
      ...{ survey: survey.key, kind: await scaleName(tx, survey), score, answers },
      comment: commentOf(survey, answers),
      answered_at: now.toISOString(),
    },
    references: row.customer_ref ? { customer: row.customer_ref } : {},
    createdAt: now.toISOString(),
    updatedAt: now.toISOString(),
    mappingVersion: `survey ${row.number}`,
    isNew: true,
  };
}

/**
 * The scale as triggers and the score know it. Our satisfaction is 1 to 5; where a business reads that of its platforms
 * on another scale, ours goes as stars, which are always 1 to 5.
 */
async function scaleName(tx: Tx, survey: SurveyDefinition): Promise<string> {
  const main = mainQuestion(survey);
  if (main?.kind === 'nps') return 'nps';
  if (main?.kind === 'csat') return (await setting(tx, 'score')).csatScale === 5 ? 'csat' : 'stars';
  return main && (main.points ?? 5) === 5 ? 'stars' : 'custom';
}

/** Brings a fact of our own into the model, with everything that reacts to facts. */
async function bringIn(deps: SurveyDeps, tx: Tx, fact: Mapped, now: Date): Promise<void> {
  const { onMerge, onUnmerge, changes } = deps.listeners;
  await applyRecords(
    tx,
    [fact],
    {
      ...{ now, origin: 'live', onMerge, onUnmerge },
      ...{ zone: await tenantZone(tx), sourceOf: await sourcesOf(deps, tx) },
    },
    changes,
  );
  await deps.queue.send(tx, 'changes', { tenantId: tx.tenantId });
  // A merge at this very moment is not seen here; whoever connects late comers follows it.
  tx.afterCommit(() => bumpDue({ query: deps.db.statement }, tx.tenantId, 'link', now));
}
