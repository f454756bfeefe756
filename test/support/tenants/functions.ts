import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Hub } from '../../../src/hub.ts';
import type { StartRuns } from '../../../src/triggers/detect.ts';
import type { Tenant } from './seed.ts';

const SOURCE = fileURLToPath(new URL('../../../src', import.meta.url));

/** Programs: importing them runs them. They hold no functions for others. */
const PROGRAMS = ['cli.ts'];

/** Work in a transaction on the shared tables, of which no tenant has rows. */
const SYSTEM = ['access/store.ts claimFirstTenant'];

/** A function that works in a tenant's transaction. */
export interface StoreFunction {
  /** File and name, such as `access/store.ts listUsers`. */
  name: string;
  call: (...args: unknown[]) => unknown;
  /** Which of its parameters is the transaction. */
  at: number;
}

/** Names of a function's parameters, from its own text. Destructured ones have none. */
export function parametersOf(text: string): string[] {
  const arrow = /^(?:async\s+)?([\w$]+)\s*=>/.exec(text);
  if (arrow) return [arrow[1]!];
  const names: string[] = [];
  let depth = 0;
  let current = '';
  for (const letter of text.slice(text.indexOf('('))) {
    if ('([{'.includes(letter)) depth += 1;
    if (')]}'.includes(letter)) depth -= 1;
    if (depth === 0) break;
    if (letter === ',' && depth === 1) {
      names.push(current);
      current = '';
    } else if (depth > 1 || letter !== '(') current += letter;
  }
  return [...names, current].map((name) => /^\s*([\w$]*)/.exec(name)![1]!);
}

/** Every exported function of the sources that takes a tenant's transaction, wherever it stands among its parameters. */
export async function storeFunctions(): Promise<StoreFunction[]> {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !PROGRAMS.includes(file))
    .sort();
  const found: StoreFunction[] = [];
  for (const file of files) {
    const module: Record<string, unknown> = await import(
      /* @vite-ignore */ pathToFileURL(path.join(SOURCE, file)).href
    );
    for (const [name, value] of Object.entries(module)) {
      if (typeof value !== 'function') continue;
      if (SYSTEM.includes(`${file} ${name}`)) continue;
      const at = parametersOf(value.toString()).findIndex((parameter) => /^_?tx$/.test(parameter));
      // Something exported again from a second place is listed once, by its first.
      if (at >= 0 && !found.some((known) => known.call === value))
        found.push({ name: `${file} ${name}`, call: value as StoreFunction['call'], at });
    }
  }
  return found;
}

/** What functions of the upper rooms need besides the transaction. */
export interface Surroundings {
  deps: Hub['deps'];
  start: StartRuns;
}

/** How to attack one function: its arguments without the transaction, made from the victim's ids. */
export interface Attack {
  args: (victim: Tenant, around: Surroundings) => unknown[];
  /** What of the result is looked at, when it holds functions. */
  look?: (result: any, victim: Tenant, args: any[]) => unknown;
  /** The refusal it ends with for a stranger. */
  refuses?: RegExp;
  /** Why even the owner of the ids sees no effect; without it the attack must hit in the victim's own transaction. */
  harmless?: string;
}

/** Attacks on the functions of one file, by name. An attack that is only arguments is written as that. */
export type Attacks = Record<string, Attack | Attack['args']>;

/** Puts a room's attacks under full names. */
export const attacksOn = (file: string, attacks: Attacks): [string, Attack][] =>
  Object.entries(attacks).map(([name, attack]) => [
    `${file} ${name}`,
    typeof attack === 'function' ? { args: attack } : attack,
  ]);
