import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { conflict, invalid, notFound, stale } from '../base/errors.ts';
import { findSequence, loadDefinition, type SequenceRow } from '../sequences/store.ts';
import { readAudience } from './audience.ts';
import { entryMistake } from './entrance.ts';
import type { Audience, CampaignChange, CampaignInput } from './schema.ts';
import {
  type CampaignDraft,
  type CampaignRow,
  deleteCampaign,
  findCampaign,
  insertCampaign,
  updateCampaign,
} from './store.ts';
import { turnAnew } from './turns.ts';

/** @throws Problem 404 when there is none */
export async function campaignNamed(tx: Tx, idOrKey: string): Promise<CampaignRow> {
  const row = await findCampaign(tx, idOrKey);
  if (!row) throw notFound('campaign', idOrKey);
  return row;
}

const date = (text: string | null | undefined): Date | null => (text ? new Date(text) : null);

/**
 * What somebody decided, checked against the sequence.
 * @param stored the audience as it is stored already: it is not refused for what has gone since
 * @throws Problem with every mistake and its place
 */
async function draftOf(tx: Tx, input: Omit<CampaignInput, 'key'>, stored?: Audience): Promise<CampaignDraft> {
  const sequence = await findSequence(tx, input.sequence);
  if (!sequence)
    throw invalid(`There is no sequence "${input.sequence}".`, [{ path: 'sequence', message: 'is not there' }]);
  const draft: CampaignDraft = {
    title: input.title.trim(),
    sequenceId: sequence.id,
    audience: input.audience === stored ? stored : await readAudience(tx, input.audience),
    entry: input.entry ?? { mode: 'from_now' },
    open: input.open ?? false,
    perHour: input.perHour ?? null,
    percentPerDay: input.percentPerDay ?? null,
    holdoutPercent: input.holdoutPercent ?? 0,
    startsAt: date(input.startsAt),
    endsAt: date(input.endsAt),
  };
  const mistakes = await mistakesOf(tx, draft, sequence);
  if (mistakes.length > 0)
    throw invalid(
      `The campaign cannot be like this: ${mistakes.map(({ path, message }) => `${path} ${message}`).join('; ')}.`,
      mistakes,
    );
  return draft;
}

async function mistakesOf(
  tx: Tx,
  draft: CampaignDraft,
  sequence: SequenceRow,
): Promise<{ path: string; message: string }[]> {
  const definition = await loadDefinition(tx, sequence.id, sequence.active_version ?? sequence.latest_version);
  const entry = entryMistake(definition, draft.entry);
  return [
    ...(draft.open && !('segment' in draft.audience)
      ? [{ path: 'open', message: 'needs a segment: only of one is it known who comes into it later' }]
      : []),
    ...(draft.startsAt && draft.endsAt && draft.endsAt <= draft.startsAt
      ? [{ path: 'endsAt', message: 'must be after startsAt' }]
      : []),
    ...(entry ? [{ path: 'entry', message: entry }] : []),
  ];
}

/** @throws Problem when something does not fit, or the key is taken */
export async function createCampaign(tx: Tx, input: CampaignInput, actor: string, now: Date): Promise<CampaignRow> {
  const draft = await draftOf(tx, input);
  const row = await insertCampaign(tx, input.key, draft, actor, now);
  if (!row) throw conflict(`There is a campaign "${input.key}" already.`, 'Choose another key, or change that one.');
  await appendEvents(tx, [
    { actor, action: 'campaign.created', subject: { kind: 'campaign', id: row.id }, data: { ...input }, at: now },
  ]);
  return row;
}

/**
 * Changes a campaign; what is not said stays. Once it started, only its title and end may change: whom it is for and how
 * is what was looked at when it was started.
 * @throws Problem when it changed meanwhile, or something does not fit
 */
export async function changeCampaign(
  tx: Tx,
  id: string,
  change: CampaignChange,
  meta: { expected: number; actor: string; now: Date },
): Promise<CampaignRow> {
  const before = await campaignNamed(tx, id);
  const fixed = Object.keys(change).filter((name) => !['title', 'endsAt', 'perHour'].includes(name));
  if (before.state !== 'draft' && fixed.length > 0)
    throw conflict(
      `"${before.title}" was started: ${fixed.join(', ')} cannot change any more.`,
      'Stop it and make a new campaign.',
    );
  const was = {
    title: before.title,
    sequence: before.sequence_id,
    audience: before.audience,
    entry: before.entry,
    open: before.open,
    perHour: before.per_hour,
    percentPerDay: before.percent_per_day === null ? null : Number(before.percent_per_day),
    holdoutPercent: Number(before.holdout_percent),
    startsAt: before.starts_at?.toISOString() ?? null,
    endsAt: before.ends_at?.toISOString() ?? null,
  };
  const row = await updateCampaign(tx, before.id, await draftOf(tx, { ...was, ...change }, before.audience), {
    expected: meta.expected,
    now: meta.now,
  });
  if (!row) throw stale('campaign');
  if (row.state === 'running' && 'perHour' in change) await turnAnew(tx, row, meta.now);
  await bumpDue(tx, tx.tenantId, 'campaigns', meta.now);
  await appendEvents(tx, [
    {
      actor: meta.actor,
      action: 'campaign.changed',
      subject: { kind: 'campaign', id: before.id },
      data: { before: was, change: { ...change } },
      at: meta.now,
    },
  ]);
  return row;
}

/** @throws Problem while it runs, or when it changed meanwhile */
export async function removeCampaign(
  tx: Tx,
  id: string,
  meta: { expected: number; actor: string; now: Date },
): Promise<void> {
  const row = await campaignNamed(tx, id);
  if (row.version !== meta.expected) throw stale('campaign');
  if (row.state === 'running' || row.state === 'paused')
    throw conflict(`"${row.title}" is ${row.state}.`, 'Stop it first, or take it back.');
  await deleteCampaign(tx, row.id);
  await appendEvents(tx, [
    {
      actor: meta.actor,
      action: 'campaign.deleted',
      subject: { kind: 'campaign', id: row.id },
      data: { key: row.key, title: row.title, state: row.state },
      at: meta.now,
    },
  ]);
}
