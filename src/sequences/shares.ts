import { createHash } from 'node:crypto';
import type { Step } from './steps.ts';

/**
 * Where a customer stands at a step that shares customers out, from 0 up to 1: always the same for the same customer and
 * step, and independent of other steps and sequences.
 */
export function shareOf(customerId: string, sequenceKey: string, stepId: string): number {
  const digest = createHash('sha256').update(`${customerId} ${sequenceKey} ${stepId}`).digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

type Arms = Extract<Step, { split: unknown }>['split'];

/** The way of a split a share falls to, by weight. */
export function armOf(arms: Arms, share: number): Arms[number] {
  const total = arms.reduce((sum, { weight }) => sum + weight, 0);
  let upTo = 0;
  for (const arm of arms) {
    upTo += arm.weight;
    if (share * total < upTo) return arm;
  }
  return arms.at(-1)!;
}
