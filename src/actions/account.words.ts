import type { AuditRow } from '../audit/store.ts';
import type { OccurrenceRow } from '../triggers/store.ts';

/** One thing that happened, in a sentence a shop owner understands. */
export interface Line {
  at: Date;
  text: string;
}

const KINDS: Record<string, string> = {
  send_email: 'E-mail',
  send_sms: 'Text message',
  send_whatsapp: 'WhatsApp message',
  send_chat: 'Chat message',
  send_push: 'Push message',
  send_in_app: 'In-app message',
  place_call: 'Call',
  create_task: 'Task',
  create_calendar_event: 'Calendar event',
  create_ticket: 'Ticket',
};
const kindOf = (kind: string): string =>
  KINDS[kind] ?? `${kind[0]!.toUpperCase()}${kind.slice(1).replaceAll('_', ' ')}`;
const quoted = (title: string | null): string => (title ? `"${title}"` : 'no sequence');
const sentence = (text: string): string => `${text}${/[.!?]$/.test(text) ? '' : '.'}`;

/** Outcomes of occurrences as they are stored: a word, and behind a colon why. */
export function lineOfOccurrence(
  row: Pick<OccurrenceRow, 'trigger_name' | 'subject_label' | 'occurred_on' | 'detected_at' | 'outcome'> & {
    sequence: string | null;
  },
): Line {
  const about = row.subject_label ? ` (${row.subject_label})` : '';
  const what = `The trigger ${row.trigger_name} fired for ${row.occurred_on}${about}`;
  const [word = '', why = ''] = row.outcome.split(/: (.*)/s);
  const came: Record<string, string> = {
    started: `and started ${quoted(row.sequence)}`,
    joined: `and started nothing: ${why}`,
    refused: `and ${quoted(row.sequence)} was refused: ${why}`,
    skipped: `and started nothing: ${why}`,
    missed: `and started nothing: ${why}`,
    failed: `and could not be started: ${why}`,
    recorded: `and started nothing: ${why}`,
  };
  return { at: row.detected_at, text: sentence(`${what} ${came[word] ?? `(${row.outcome})`}`) };
}

interface Step {
  sequence: string;
  step_id: string;
  entered_at: Date;
  left_at: Date | null;
  outcome: string | null;
  detail: string | null;
  shadow: boolean;
}

/** Where a step led. Of steps that send or do something, what came of that is told by the action itself. */
export function lineOfStep(
  { sequence, step_id, entered_at, left_at, outcome, detail, shadow }: Step,
  at: Date,
): Line | undefined {
  const place = `${quoted(sequence)}${shadow ? ' (in shadow)' : ''}, step "${step_id}"`;
  if (!left_at || left_at > at) return { at: entered_at, text: sentence(`${place}: reached, and stood there then`) };
  if (outcome === 'sent') return undefined;
  const held =
    outcome === 'held_out' ? 'left out on purpose, to compare with (holdout)' : outcome?.replaceAll('_', ' ');
  return {
    at: left_at,
    text: sentence(`${place}: ${held ?? 'left'}${detail ? ` (${detail.replace(/\.$/, '')})` : ''}`),
  };
}

interface Action {
  kind: string;
  channel: string;
  class: string;
  state: string;
  reason: string | null;
  detail: string | null;
  step_id: string | null;
  created_at: Date;
  ended_at: Date | null;
  updated_at: Date;
  held: boolean;
  not_before: Date;
  sequence: string | null;
}

/** What became of something that was to be sent or done, as it was known at a moment. */
export function lineOfAction(row: Action, at: Date): Line | undefined {
  const of = row.sequence ? ` of ${quoted(row.sequence)}${row.step_id ? `, step "${row.step_id}"` : ''}` : '';
  const what = `${kindOf(row.kind)}${of}`;
  if (row.ended_at && row.ended_at <= at) {
    const came: Record<string, string> = {
      sent: row.class === 'internal' ? 'done' : 'sent',
      failed: `not sent, the platform refused it: ${row.detail ?? row.reason ?? 'no reason given'}`,
      skipped:
        row.reason === 'shadow'
          ? 'would have gone out; the sequence was in shadow, so nothing was sent'
          : `not sent: ${row.detail ?? row.reason ?? 'no reason given'}`,
    };
    return { at: row.ended_at, text: sentence(`${what}: ${came[row.state] ?? row.state}`) };
  }
  if (row.updated_at > at) return { at: row.created_at, text: sentence(`${what}: planned, and not gone out then`) };
  if (row.state === 'unknown')
    return {
      at: row.updated_at,
      text: sentence(`${what}: handed over, and it is not known whether the platform acted`),
    };
  const why = row.detail ? `: ${row.detail}` : '';
  return { at: row.updated_at, text: sentence(`${what}: ${row.held ? 'held' : 'waiting'}${why}`) };
}

/** A choice about messages. */
export function lineOfConsent(row: {
  channel: string;
  topic: string;
  class: string;
  state: string;
  basis: string;
  source: string;
  recorded_at: Date;
}): Line {
  const what = `${row.class} messages${row.channel === '*' ? '' : ` by ${row.channel}`}${row.topic === '*' ? '' : ` about ${row.topic}`}`;
  const said = row.state === 'granted' ? 'Agreed to' : 'Objected to';
  return { at: row.recorded_at, text: sentence(`${said} ${what} (${row.basis}, told by ${row.source})`) };
}

type Event = Pick<AuditRow, 'actor' | 'action' | 'data' | 'at'> & { sequence: string | null };

const WORDS: Record<string, (event: Event, data: Record<string, string>) => string> = {
  'sequence.switched_on': ({ sequence, actor }) => `${quoted(sequence)} was switched on by ${actor}`,
  'sequence.paused': ({ sequence, actor }) => `${quoted(sequence)} was paused by ${actor}`,
  'sequence.mode_changed': ({ sequence, actor }, { to }) =>
    `${quoted(sequence)} ${to === 'shadow' ? 'went into the shadow' : 'went live'} (${actor})`,
  'enrolment.exited': (_event, { reason }) => `The enrolment ended: ${reason}`,
  'enrolment.ended': (_event, { reason }) => `The enrolment ended: ${reason}`,
  'enrolment.stopped': ({ actor }, { reason }) => `The enrolment was ended by ${actor}: ${reason}`,
  'enrolment.paused': ({ actor }) => `The enrolment was paused by ${actor}`,
  'enrolment.resumed': ({ actor }) => `The enrolment went on (${actor})`,
  'enrolment.parked': (_event, { reason, until }) => `Everything waited until ${until}: ${reason}`,
  'action.waiting': (_event, { kind, detail, until }) => `${kindOf(kind ?? '')} had to wait until ${until}: ${detail}`,
  'action.decided': ({ actor }, { as, reason }) => `${actor} decided about an action: ${as} (${reason})`,
  'staff_control.applied': ({ actor }, { said, outcome }) => `Staff set "${said}" (${actor}): ${outcome}`,
  'staff_control.refused': ({ actor }, { said, outcome }) => `Staff set "${said}" (${actor}): ${outcome}`,
  'kill_switch.set': ({ actor }, { reason }) => `Something was switched off by ${actor}: ${reason}`,
  'kill_switch.cleared': ({ actor }) => `Something was switched on again by ${actor}`,
};

/** What of the audit trail belongs into an account. */
export const ACCOUNTED: readonly string[] = Object.keys(WORDS);

/** An event of the audit trail as a sentence; undefined for those that tell nothing here. */
export function lineOfEvent(event: Event): Line | undefined {
  const data = Object.fromEntries(
    Object.entries((event.data ?? {}) as object).map(([key, value]) => [key, String(value)]),
  );
  const words = WORDS[event.action];
  return words && { at: event.at, text: sentence(words(event, data)) };
}
