import { textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { ofMember } from './api.ts';

/** What a person can be entered into, as it is written in a playbook. */
export type Automation =
  | { kind: 'journey'; journey: string; step: string }
  | { kind: 'event'; name: string }
  | { kind: 'classic'; workflow: string; email: string };

/**
 * Reads where somebody is to be entered: `journey:12/34` or the address Mailchimp shows for an API trigger,
 * `event:maintenance_due`, or `automation:<workflow>/<e-mail>` for automations of the old kind.
 * @throws VendorError `invalid` when it is none of them
 */
export function automationOf(text: string): Automation {
  const journey = /^(?:journey:|https:\/\/\S+\/customer-journeys\/journeys\/)(\d+)\/(?:steps\/)?(\d+)(?:\/\S*)?$/.exec(
    text,
  );
  if (journey) return { kind: 'journey', journey: journey[1]!, step: journey[2]! };
  const event = /^event:([^\s:/]{2,30})$/.exec(text);
  if (event) return { kind: 'event', name: event[1]! };
  const classic = /^automation:(\w+)\/(\w+)$/.exec(text);
  if (classic) return { kind: 'classic', workflow: classic[1]!, email: classic[2]! };
  throw new VendorError(
    'invalid',
    `"${text}" is nothing Mailchimp can start: write journey:12/34 (or the address of its API trigger), event:name, or automation:workflow/email.`,
  );
}

/** Member that can be entered into something that writes to them. */
export interface Enrolled {
  email: string;
}

/**
 * The address of a member who may be written to.
 * @throws VendorError `recipient_opted_out` for who left, `invalid` for who never asked for mail
 */
export async function subscriberOf(ctx: VendorContext, member: string): Promise<Enrolled> {
  const { body } = await ctx.call(ofMember(ctx, 'GET', member, '', { query: { fields: 'email_address,status' } }));
  const status = textAt(body, 'status') ?? '';
  if (['unsubscribed', 'cleaned', 'archived'].includes(status))
    throw new VendorError('recipient_opted_out', `This member of the Mailchimp audience is ${status}.`);
  if (status !== 'subscribed')
    throw new VendorError('invalid', `Mailchimp starts this for subscribed members only; this one is ${status}.`);
  return { email: textAt(body, 'email_address') ?? '' };
}

/** The path of the call that starts it, for what is started by address. */
export const pathOf = (automation: Exclude<Automation, { kind: 'event' }>): string =>
  automation.kind === 'journey'
    ? `/3.0/customer-journeys/journeys/${automation.journey}/steps/${automation.step}/actions/trigger`
    : `/3.0/automations/${automation.workflow}/emails/${automation.email}/queue`;

/** How it is named where people and programs meet it again. */
export const nameOf = (automation: Automation): string =>
  automation.kind === 'event'
    ? `event:${automation.name}`
    : automation.kind === 'journey'
      ? `journey:${automation.journey}/${automation.step}`
      : `automation:${automation.workflow}/${automation.email}`;
