import { appendEvents } from '../audit/store.ts';
import { attempt } from '../base/attempt.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import type { Change, ChangeListener } from '../model/types.ts';
import { enrolByHand, pauseRun, resumeRun, stopRun } from '../sequences/manual.ts';
import { type RunRow, runningRuns } from '../sequences/runs.ts';
import { listSequences } from '../sequences/store.ts';
import type { SettingValue } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import type { StartRuns } from '../triggers/detect.ts';
import { hitsOf } from '../triggers/found.ts';
import { isOneOf, plain, tagsOf, turned } from '../triggers/match.ts';
import { acknowledgeWords, type Place, placesOf } from './control.places.ts';
import { type Command, commandOf, wordsIn } from './control.words.ts';
import type { ActionDeps } from './deps.ts';

type Control = SettingValue<'staffControl'>;

/** Who acts when staff say it in the CRM. What begins like this was paused by a tag. */
const actorOf = (place: Place | undefined): string => `crm:${place?.connection ?? 'crm'}`;

/**
 * Staff start, pause and stop sequences with a tag or a field of the contact. Looked at in the transaction that stores
 * the change, once per change; only what happened live counts, and nothing we wrote ourselves.
 * @param late read when it is used; `start` makes enrolments of occurrences
 */
export function staffControl(late: () => ActionDeps & { start: StartRuns }): ChangeListener {
  return async (tx, changes, now) => {
    const live = changes.filter(
      (change) =>
        change.kind === 'contact' &&
        change.origin === 'live' &&
        (change.fields.includes('tags') || change.fields.includes('custom')),
    );
    if (live.length === 0) return;
    const control = await setting(tx, 'staffControl');
    if (!control.on) return;
    // A join of two customers brings tags along: nobody said anything.
    for (const { change } of await hitsOf(tx, live, 'contact', () => true))
      await hear(late(), tx, control, change, now);
  };
}

/** What a change says anew and what it no longer says. */
function said(control: Control, change: Change): { more: string[]; less: string[] } {
  const turns = [turned(change, 'tags'), control.field ? turned(change, `custom.${control.field}`) : undefined];
  const [had, has] = [turns.flatMap((turn) => tagsOf(turn?.before)), turns.flatMap((turn) => tagsOf(turn?.after))];
  return { more: has.filter((word) => !isOneOf(word, had)), less: had.filter((word) => !isOneOf(word, has)) };
}

async function hear(
  deps: ActionDeps & { start: StartRuns },
  tx: Tx,
  control: Control,
  change: Change,
  now: Date,
): Promise<void> {
  const { more, less } = said(control, change);
  const sequences = [...more, ...less].some((word) => commandOf(control, word, [])) ? await listSequences(tx) : [];
  const heard = (words: readonly string[]): Command[] =>
    words.flatMap((word) => commandOf(control, word, sequences) ?? []);
  const commands = heard(more);
  const lifted = heard(less).filter(({ what }) => what === 'pause');
  if (commands.length + lifted.length === 0) return;
  const customerId = change.entity_id;
  const places = await placesOf(tx, customerId, control.field);
  // A stop holds for whatever else was said at the same time.
  const order = { stop: 0, pause: 1, start: 2 } as const;
  for (const command of [...commands].sort((a, b) => order[a.what] - order[b.what])) {
    const place = places.find(({ words }) => isOneOf(command.word, words));
    const by = actorOf(place);
    let outcome = '';
    const failure = await attempt(tx, async () => {
      outcome = await obey(deps, tx, { command, customerId, change, by, place }, now);
    });
    const refused = failure ?? (outcome.startsWith('refused') ? outcome : undefined);
    await note(
      tx,
      refused ? 'staff_control.refused' : 'staff_control.applied',
      command,
      customerId,
      by,
      failure ? `refused: ${failure}` : outcome,
      now,
    );
  }
  for (const command of lifted) await letGoOn(tx, command, customerId, now);
  if (control.acknowledge === 'remove' && commands.length > 0)
    await acknowledgeWords(
      deps,
      tx,
      { customerId, field: control.field, places, words: commands.map(({ word }) => word), change: change.id },
      now,
    );
}

interface Order {
  command: Command;
  customerId: string;
  change: Change;
  by: string;
  place: Place | undefined;
}

/** Does what was said. @returns what came of it, in words */
async function obey(deps: ActionDeps & { start: StartRuns }, tx: Tx, order: Order, now: Date): Promise<string> {
  const { command, customerId, change, by, place } = order;
  const reason = `tag set in ${deps.registry.find(place?.connection ?? '')?.name ?? 'the CRM'}`;
  if (command.what === 'start') {
    const sequence = command.sequence;
    if (!sequence) return `refused: there is no sequence "${command.named}"`;
    const request = { customers: [customerId], reason, actor: by, key: `control:${change.id}:${sequence.id}` };
    const [made] = await enrolByHand(tx, sequence, request, deps.start, now);
    return made?.outcome ?? 'refused: nobody was started';
  }
  const runs = await runningRuns(tx, [customerId]);
  const concerned = command.what === 'pause' ? runs.filter(({ state }) => state !== 'paused') : runs;
  for (const run of concerned)
    if (command.what === 'pause') await pauseRun(tx, run.id, by, run.row_version, now);
    else await stopRun(deps.ports, tx, run.id, by, reason, run.row_version, now);
  return `${command.what === 'pause' ? 'paused' : 'stopped'}: ${concerned.length} of ${runs.length} enrolments`;
}

/** The tag that paused was taken off: what it paused goes on, what a person paused stays. */
async function letGoOn(tx: Tx, command: Command, customerId: string, now: Date): Promise<void> {
  const { rows } = await tx.query<Pick<RunRow, 'id' | 'row_version'> & { paused_by: string }>(
    "select id, row_version, paused_by from run where tenant_id = $1 and customer_id = $2 and state = 'paused' and starts_with(paused_by, 'crm:') order by id for update",
    [tx.tenantId, customerId],
  );
  for (const run of rows) await resumeRun(tx, run.id, run.paused_by, run.row_version, now);
  await bumpDue(tx, tx.tenantId, 'runs', now);
  const by = rows[0]?.paused_by ?? actorOf(undefined);
  await note(tx, 'staff_control.applied', command, customerId, by, `goes on: ${rows.length} enrolments`, now);
}

const note = (
  tx: Tx,
  action: string,
  { what, word, named }: Command,
  customerId: string,
  actor: string,
  outcome: string,
  now: Date,
): Promise<void> =>
  appendEvents(tx, [
    {
      ...{ actor, action, customerId, at: now },
      subject: { kind: 'customer', id: customerId },
      data: { said: word, what, ...(named ? { sequence: named } : {}), outcome },
    },
  ]);

/**
 * What starts enrolments, minding what staff said: while the tag to stop stands at a customer nothing new begins, and
 * while the one to pause does, what begins waits.
 * @param start how occurrences become enrolments otherwise
 */
export const mindingStaff =
  (start: StartRuns): StartRuns =>
  async (tx, trigger, occurrences, now) => {
    const control = await setting(tx, 'staffControl');
    if (!control.on || control.acknowledge === 'remove') return start(tx, trigger, occurrences, now);
    const standing = await standingWords(
      tx,
      control,
      occurrences.flatMap(({ customer_id }) => customer_id ?? []),
    );
    const has = (customerId: string | null, word: string): boolean =>
      (standing.get(customerId ?? '') ?? []).some((own) => plain(own) === plain(word));
    const stopped = occurrences.filter(({ customer_id }) => has(customer_id, control.stop));
    const free = occurrences.filter((occurrence) => !stopped.includes(occurrence));
    const started = free.length > 0 ? await start(tx, trigger, free, now) : [];
    const paused = new Set(free.filter(({ customer_id }) => has(customer_id, control.pause)).map(({ id }) => id));
    for (const { id, runId, outcome } of started) {
      if (!runId || outcome !== 'started' || !paused.has(id)) continue;
      const { rows } = await tx.query<{ row_version: number }>(
        "select row_version from run where tenant_id = $1 and id = $2 and state in ('active', 'waiting')",
        [tx.tenantId, runId],
      );
      if (rows[0]) await pauseRun(tx, runId, actorOf(undefined), rows[0].row_version, now);
    }
    const refused = `refused: "${control.stop}" stands at the customer in the CRM`;
    return [...started, ...stopped.map(({ id }) => ({ id, outcome: refused, runId: null }))];
  };

async function standingWords(tx: Tx, control: Control, customerIds: readonly string[]): Promise<Map<string, string[]>> {
  if (customerIds.length === 0) return new Map();
  const { rows } = await tx.query<{ id: string; tags: string[] | null; custom: Record<string, unknown> | null }>(
    'select id, tags, custom from customer where tenant_id = $1 and id = any($2)',
    [tx.tenantId, customerIds],
  );
  return new Map(rows.map((row) => [row.id, wordsIn(row, control.field)]));
}
