import { keywordOf } from '../consent/words.ts';
import { plain } from './match.ts';

/** By what a customer shows interest. */
export const SIGNALS = [
  'web_form',
  'web_visit',
  'email_reply',
  'message',
  'chat',
  'link_click',
  'call',
  'follow_up_request',
] as const;
export type Signal = (typeof SIGNALS)[number];

// What platforms call the channel, the status or the kind of an activity of each sort, without separators.
const CALLED: readonly [Signal, readonly string[]][] = [
  ['link_click', ['linkclick', 'click', 'clicked', 'emailclicked', 'linkclicked']],
  ['web_form', ['webform', 'form', 'formsubmission', 'formsubmitted', 'leadform', 'contactform', 'landingpage']],
  ['web_visit', ['webvisit', 'visit', 'pageview', 'pagevisit', 'website', 'site']],
  [
    'follow_up_request',
    ['followuprequest', 'followup', 'callback', 'callbackrequest', 'bookingrequest', 'quoterequest'],
  ],
  ['chat', ['chat', 'livechat', 'webchat', 'inapp', 'messenger', 'conversation']],
];
const BY_KIND: Record<string, Signal> = {
  email: 'email_reply',
  message: 'message',
  call: 'call',
  meeting: 'follow_up_request',
};

/**
 * What an activity shows, or undefined when it shows nothing: only what comes from the customer counts, no machine's
 * answer, and no STOP.
 * @param activity a row, or the fields of a new one
 */
export function signalOf(activity: Record<string, unknown>): Signal | undefined {
  if (activity.direction !== 'in' || activity.automatic === true) return undefined;
  if (keywordOf(String(activity.body ?? '')) !== undefined) return undefined;
  const names = [activity.channel, activity.status].filter((name) => typeof name === 'string').map(plain);
  const called = CALLED.find(([, list]) => names.some((name) => list.includes(name)));
  return called?.[0] ?? BY_KIND[String(activity.kind)];
}

/** Looking at a page or following a link is interest, but no answer to anybody. */
export const isWordless = (activity: Record<string, unknown>): boolean =>
  ['link_click', 'web_visit'].includes(signalOf(activity) ?? '');
