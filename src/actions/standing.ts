import type { Tx } from '../base/database.ts';
import { choiceOf } from '../consent/choice.ts';
import type { ProofPorts } from '../consent/schema.ts';
import { CHANNELS, CLASSES } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import { loadPeople } from './context.ts';
import type { ActionDeps } from './deps.ts';
import { decideBatch } from './facts.ts';
import { GATES } from './gate.ts';
import { imaginedRequest } from './imagined.ts';
import { addressOf, KIND_OF_CHANNEL } from './plan.ts';

/** Gates that depend on the person alone; the others are about one sequence, text or platform. */
const PERSONAL = new Set([
  'identity and address',
  'suppression and consent',
  'pause of the customer',
  'unhappy',
  'quiet hours',
  'frequency cap',
]);

type Standing = Awaited<ReturnType<ProofPorts['standing']>>;

/**
 * What the gate would say now about a message of each class and topic on each channel the person can be reached on. By
 * the function that also decides about sending; call it in a transaction that is rolled back.
 */
export async function standingOf(deps: ActionDeps, tx: Tx, customerId: string, now: Date): Promise<Standing> {
  const person = (await loadPeople(tx, [customerId])).get(customerId);
  if (!person) return [];
  const { topics } = await setting(tx, 'topics');
  const asked = CHANNELS.filter((channel) => addressOf(person, channel) !== undefined).flatMap((channel) =>
    CLASSES.flatMap((messageClass) =>
      [null, ...topics.filter((topic) => topic.class === messageClass).map(({ key }) => key)].map((topic) => ({
        ...{ channel, topic, class: messageClass, customer_id: customerId },
        kind: KIND_OF_CHANNEL[channel],
        recipient: addressOf(person, channel)!,
        // It says nothing, so that none of them counts as a message for the next one.
        plan: { type: 'direct' as const, input: {} },
      })),
    ),
  );
  const requests = asked.map((given) => imaginedRequest(given, now));
  const decisions = await decideBatch(deps, tx, requests, now, new Map());
  return decisions.map(({ facts }, at) => {
    const { channel, class: messageClass, topic, recipient } = asked[at]!;
    const choice = choiceOf({ ...facts, channel, class: messageClass, topic, recipient, now });
    const verdicts = GATES.filter((gate) => PERSONAL.has(gate.name)).map((gate) => gate.check(facts));
    const verdict = verdicts.find(({ kind }) => kind !== 'allow');
    return {
      channel,
      class: messageClass,
      topic: topic ?? '*',
      allowed: choice.allowed,
      verdict: verdict?.kind ?? 'allow',
      reason: verdict && verdict.kind !== 'allow' ? verdict.reason : null,
      detail: verdict?.detail ?? choice.detail,
      until: verdict && 'until' in verdict ? verdict.until.toISOString() : null,
    };
  });
}
