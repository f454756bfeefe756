import { appendEvents } from '../audit/store.ts';
import { attempt } from '../base/attempt.ts';
import type { Tx } from '../base/database.ts';
import { putAside } from './aside.ts';
import { proceed } from './engine.ts';
import type { Journey } from './moments.ts';
import type { SequencePorts } from './ports.ts';
import { type RunRow, saveRuns } from './runs.ts';
import { loadDefinition } from './store.ts';

/**
 * Moves claimed runs on, all at once. Where that fails they are moved one by one: one that fails by itself is put aside
 * with the reason and tried again later, and holds up nobody else.
 */
export async function moveBatch(ports: SequencePorts, tx: Tx, runs: readonly RunRow[], now: Date): Promise<void> {
  if (runs.length === 0) return;
  const move = async (): Promise<void> => {
    const journeys: Journey[] = [];
    for (const run of runs)
      journeys.push({
        // What a failed try did to a row in memory must not outlive it.
        run: { ...run },
        definition: await loadDefinition(tx, run.sequence_id, run.version),
      });
    await proceed(ports, tx, journeys, now);
  };
  const failure = await attempt(tx, move);
  if (failure === undefined) return;
  if (runs.length > 1) for (const run of runs) await moveBatch(ports, tx, [run], now);
  else await setAside(tx, runs[0]!, failure, now);
}

/** The run keeps its place and says why it stands there. */
async function setAside(tx: Tx, run: RunRow, reason: string, now: Date): Promise<void> {
  putAside(run, reason, now);
  await saveRuns(tx, [run], now);
  if (run.tries > 1) return;
  await appendEvents(tx, [
    {
      actor: 'system',
      action: 'enrolment.stuck',
      subject: { kind: 'enrolment', id: run.id },
      customerId: run.customer_id,
      data: { step: run.step_id, reason },
      at: now,
    },
  ]);
}
