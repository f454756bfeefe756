import type { Tx } from '../base/database.ts';
import { findSequence, loadDefinition } from '../sequences/store.ts';
import { countMembers, type ShownMember } from './members.ts';
import { notePeople } from './notes.ts';
import type { CampaignRow } from './store.ts';
import { warningsOf } from './warnings.ts';

const iso = (at: Date | null): string | null => at?.toISOString() ?? null;

/** Campaigns as the API shows them. */
export async function showCampaigns(tx: Tx, rows: readonly CampaignRow[]) {
  const counts = await countMembers(
    tx,
    rows.map((row) => row.id),
  );
  const shown = [];
  for (const row of rows) {
    const sequence = await findSequence(tx, row.sequence_id);
    const definition =
      sequence && (await loadDefinition(tx, sequence.id, sequence.active_version ?? sequence.latest_version));
    shown.push({
      id: row.id,
      key: row.key,
      title: row.title,
      sequenceId: row.sequence_id,
      sequence: sequence?.key ?? '',
      audience: row.audience,
      entry: row.entry,
      open: row.open,
      perHour: row.per_hour,
      percentPerDay: row.percent_per_day === null ? null : Number(row.percent_per_day),
      holdoutPercent: Number(row.holdout_percent),
      startsAt: iso(row.starts_at),
      endsAt: iso(row.ends_at),
      state: row.state,
      reason: row.reason,
      perDay: row.per_day,
      startedAt: iso(row.started_at),
      members: counts.get(row.id) ?? {},
      warnings: definition ? await warningsOf(tx, row.audience, definition) : [],
      version: row.version,
    });
  }
  return shown;
}

export const showMember = (row: ShownMember) => ({
  customerId: row.customer_id,
  name: row.name,
  state: row.state,
  dueAt: iso(row.due_at),
  enteredAt: iso(row.entered_at),
  startOn: row.start_on,
  step: row.step_id,
  enrolmentId: row.run_id,
  outcome: notePeople(row),
  reason: row.reason,
  detail: row.detail,
  version: row.version,
});
