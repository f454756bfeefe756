import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { connectorNames } from '../src/registry.ts';

const ROUNDS = 3;

interface Cost {
  ms: number;
  mb: number;
}

/** @param id of a connector; empty: only what all of them share */
async function measure(id: string): Promise<{ kit: Cost; known: Cost; used: Cost }> {
  const child = fork(fileURLToPath(new URL('./connector-load.import.ts', import.meta.url)), [id], {
    execArgv: ['--expose-gc', '--max-semi-space-size=4', '--v8-pool-size=1'],
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`Importing ${id || 'the kit'} ended with ${code}.`);
  });
  const [costs] = await Promise.race([once(child, 'message'), ended]);
  return costs as { kit: Cost; known: Cost; used: Cost };
}

/**
 * Milliseconds and MB of each connector in a process of its own: to know it (its facts), and to use it (the vendor's
 * client, where there is one). In turns; the first round only compiles.
 */
export async function importsOf(): Promise<Record<string, number[]>> {
  const raw: Record<string, number[]> = {};
  const note = (name: string, value: number): void => {
    raw[name] = [...(raw[name] ?? []), value];
  };
  for (let round = -1; round < ROUNDS; round++)
    for (const id of ['', ...connectorNames()]) {
      const { kit, known, used } = await measure(id);
      if (round < 0) continue;
      if (id === '') {
        note('floor_kit_ms', kit.ms);
        note('floor_kit_mb', kit.mb);
        continue;
      }
      note(`${id}_import_ms`, known.ms);
      note(`${id}_import_mb`, known.mb);
      note(`${id}_client_ms`, used.ms);
      note(`${id}_client_mb`, used.mb);
    }
  return raw;
}
