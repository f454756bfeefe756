import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import type { Queue, QueueDefinition } from '../base/queue.ts';
import { addDays, instantOf } from '../base/time.ts';
import type { ChangeListener } from '../model/types.ts';
import { tenantZone } from '../settings/store.ts';
import { type PassResult, scorePass } from './pass.ts';

export interface ScoreJobDeps {
  db: Database;
  clock: Clock;
  /** Absent where nobody works on queues: those who wait look by themselves later. */
  queue?: Pick<Queue, 'send'>;
  /**
   * Tells others of the scores once they are up to the moment.
   * @param customers those that were looked at; absent: it may be anybody
   */
  tell?: (tenantId: string, customers?: readonly string[]) => Promise<unknown>;
  /** Told of customers whose band, VIP or unhappiness is another, in the transaction that writes it. */
  turned?: ChangeListener;
}

/** While a history comes in, so often it is looked whether it is complete. */
const LOADING_MS = 60_000;

/**
 * Brings the scores of a business up to the moment, transaction by transaction, and says when its next day begins.
 * @param force everybody, also when their day was done
 * @returns what was done in all
 */
export async function runScores(deps: ScoreJobDeps, tenantId: string, force = false): Promise<PassResult> {
  let total: PassResult | undefined;
  const looked: string[] = [];
  for (let first = true; ; first = false) {
    const { result, zone } = await deps.db.tenant(tenantId, async (tx) => {
      const { customers = [], ...done } = await scorePass(tx, deps.clock.now(), force && first, deps.turned);
      looked.push(...customers);
      // Who reads scores is woken by it, too.
      if (done.told || done.scope !== 'none') await deps.queue?.send(tx, 'changes', { tenantId });
      return { result: done, zone: await tenantZone(tx) };
    });
    total = total ? added(total, result) : result;
    if (result.scope === 'none') {
      const now = deps.clock.now();
      const midnight = instantOf(addDays(result.day, 1), '00:00', zone);
      const soon = new Date(now.getTime() + LOADING_MS);
      await bumpDue(
        { query: deps.db.statement },
        tenantId,
        'score',
        result.loading && soon < midnight ? soon : midnight,
      );
      // While a history comes in, scores are of no use to anybody yet.
      if (!result.loading) await deps.tell?.(tenantId, total.scope === 'some' ? looked : undefined);
      return total;
    }
  }
}

const added = (a: PassResult, b: PassResult): PassResult => ({
  ...b,
  scope: a.scope === 'everybody' || b.scope === 'none' ? a.scope : b.scope,
  written: a.written + b.written,
  kept: a.kept + b.kept,
  turned: a.turned + b.turned,
  told: a.told || b.told,
});

/** Has scores looked at once the facts that changed are stored. */
export const scoreListener =
  (deps: () => ScoreJobDeps): ChangeListener =>
  async (tx, changes) => {
    if (changes.length > 0) tx.afterCommit(() => wakeScores(deps(), tx.tenantId));
  };

/** Has the scores of a business looked at as soon as possible. */
export const wakeScores = (deps: Pick<ScoreJobDeps, 'db' | 'clock'>, tenantId: string): Promise<void> =>
  bumpDue({ query: deps.db.statement }, tenantId, 'score', deps.clock.now());

export function scoreQueues(deps: () => ScoreJobDeps): QueueDefinition[] {
  return [
    {
      name: 'score',
      role: 'engine',
      perTenant: 1,
      batch: 20,
      // A pass over a million customers takes minutes.
      expireSeconds: 3600,
      handle: async ({ tenantId }) => void (await runScores(deps(), tenantId!)),
    },
  ];
}
