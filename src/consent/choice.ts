import type { MessageClass } from '../settings/schema.ts';
import type { ConsentRow } from './store.ts';

/** What a person's choices say about a message, with the fact behind it. */
export type Choice =
  | { allowed: true; detail: string; row: ConsentRow | undefined }
  | { allowed: false; reason: 'suppressed' | 'opted_out' | 'no_consent'; detail: string };

export interface Asked {
  channel: string;
  class: MessageClass;
  topic: string | null;
  recipient: string;
  suppression: { scope: 'all' | 'marketing'; reason: string; since: Date } | undefined;
  consents: readonly ConsentRow[];
  now: Date;
}

const day = (at: Date): string => at.toISOString().slice(0, 10);

/** Whether a row speaks about a message: its channel, its class, and its topic or everything. */
const isAbout = (row: ConsentRow, asked: Asked): boolean =>
  (row.channel === asked.channel || row.channel === '*') &&
  row.class === asked.class &&
  (row.topic === '*' || row.topic === asked.topic);

/**
 * An objection beats everything; marketing needs more than silence, and what has expired is silence. The gate, the
 * preferences page and the operator's proof all ask this function.
 */
export function choiceOf(asked: Asked): Choice {
  const { suppression, consents, channel, topic } = asked;
  if (suppression && (suppression.scope === 'all' || asked.class === 'marketing'))
    return {
      allowed: false,
      reason: 'suppressed',
      detail: `${asked.recipient} is closed for ${channel} since ${day(suppression.since)} (${suppression.reason}).`,
    };
  const about = consents.filter((row) => isAbout(row, asked));
  const denied = about.find((row) => row.state === 'denied');
  if (denied) {
    const what = denied.topic === '*' ? asked.class : denied.topic;
    return {
      allowed: false,
      reason: 'opted_out',
      detail: `The customer does not want ${what} on ${denied.channel} (${denied.source}, ${day(denied.recorded_at)}).`,
    };
  }
  const granted = about.filter((row) => row.state === 'granted');
  const inForce = granted.find((row) => row.expires_at === null || row.expires_at > asked.now);
  if (asked.class === 'transactional')
    return {
      allowed: true,
      row: inForce,
      detail: 'Transactional: needs no consent, and the address is not closed.',
    };
  if (inForce)
    return { allowed: true, row: inForce, detail: `Consent of ${day(inForce.recorded_at)} (${inForce.source}).` };
  const [expired] = granted;
  return {
    allowed: false,
    reason: 'no_consent',
    detail: expired
      ? `The consent to marketing on ${channel} ended on ${day(expired.expires_at!)} (${expired.basis} of ${day(expired.recorded_at)}).`
      : `There is no consent to marketing on ${channel}${topic ? ` about ${topic}` : ''}.`,
  };
}
