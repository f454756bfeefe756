import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { spread } from './figures.ts';
import { freePort, startProgram, tempFolder } from './hub.ts';

const ROUNDS = 7;
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What the program reads when it runs. */
const PARTS = ['bin', 'src', 'migrations', 'playbooks', 'mappings', 'package.json'];

/** A copy of the program, with its connectors or without any. @returns what to start */
function copyTo(folder: string, withConnectors: boolean): string {
  for (const part of PARTS)
    if (existsSync(path.join(ROOT, part))) cpSync(path.join(ROOT, part), path.join(folder, part), { recursive: true });
  if (withConnectors) cpSync(path.join(ROOT, 'connectors'), path.join(folder, 'connectors'), { recursive: true });
  else mkdirSync(path.join(folder, 'connectors'));
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  return path.join(folder, 'bin', 'rapport.mjs');
}

export interface Starts {
  all: number[];
  none: number[];
}

/**
 * Milliseconds from starting the program to a good answer of /ready, with every connector in the house and nobody
 * connected, and with none: in turns, so that what else the machine does falls on both.
 */
export async function startsOf(): Promise<Starts> {
  const [data, all, none] = [tempFolder(), tempFolder(), tempFolder()];
  const programs = { all: copyTo(all.folder, true), none: copyTo(none.folder, false) };
  const starts: Starts = { all: [], none: [] };
  const port = await freePort();
  try {
    // The first round makes the database and compiles what is compiled once.
    for (let round = -1; round < ROUNDS; round++)
      for (const which of round % 2 === 0 ? (['all', 'none'] as const) : (['none', 'all'] as const)) {
        const hub = await startProgram(data.folder, port, {}, programs[which]);
        if (round >= 0) starts[which].push(hub.readyMs);
        await hub.stop();
      }
  } finally {
    for (const { remove } of [data, all, none]) remove();
  }
  return starts;
}

/** The quickest of several tells what the program costs; the others what else the machine did. */
export const least = (figures: readonly number[]): number => spread(figures).min;
