import cliProgress from 'cli-progress';
import { Command } from 'commander';
import { createTenant } from '../access/identity.ts';
import { listTenants } from '../access/store.ts';
import { ConfigError, loadConfig, type Role } from '../base/config.ts';
import { messageOf, Problem } from '../base/errors.ts';
import { createLogger } from '../base/log.ts';
import { type Hub, startHub } from '../hub.ts';

/** Options every command has. */
export interface CommonOptions {
  json?: boolean;
  tenant?: string;
}

/**
 * Opens the hub's database for a command, next to a running hub or alone, and closes it afterwards.
 * @param roles parts of the hub that must run meanwhile (the address a platform sends a browser back to)
 */
export async function withHub<T>(work: (hub: Hub) => Promise<T>, roles: Role[] = []): Promise<T> {
  const config = loadConfig();
  const hub = await startHub({
    config: { ...config, roles },
    log: createLogger(process.env.LOG_LEVEL ?? 'warn'),
    sweep: false,
  });
  try {
    return await work(hub);
  } finally {
    await hub.stop();
  }
}

/**
 * The tenant a command is about: the named one, or the only one. A fresh hub gets one, so that files can be imported
 * before anybody has an account; the first owner takes it over.
 * @throws Problem when there are several and none is named
 */
export async function tenantOf(hub: Hub, options: CommonOptions): Promise<string> {
  const tenants = await listTenants({ query: hub.db.statement });
  if (options.tenant) {
    const found = tenants.find((tenant) => tenant.id === options.tenant || tenant.name === options.tenant);
    if (!found)
      throw new Problem(404, 'not_found', `There is no business "${options.tenant}".`, {
        fix: `There are ${tenants.map((tenant) => tenant.name).join(', ') || 'none'}.`,
      });
    return found.id;
  }
  if (tenants.length > 1)
    throw new Problem(409, 'several', 'This hub has several businesses.', {
      fix: `Name one with --tenant: ${tenants.map((tenant) => tenant.name).join(', ')}.`,
    });
  return tenants[0]?.id ?? createTenant(hub.access, { business: 'My business' });
}

/** Standard output belongs to results: text for people, or one JSON document in one line. */
export function print(options: CommonOptions, value: unknown, text: () => string): void {
  process.stdout.write(`${options.json ? JSON.stringify(value) : text()}\n`);
}

const CELL = 70;

/** Columns under headings, as wide as needed; long cells are cut, except those of the last column. */
export function table(rows: readonly Record<string, unknown>[], columns: readonly string[]): string {
  if (rows.length === 0) return '(none)';
  const last = columns.length - 1;
  const cell = (row: Record<string, unknown>, at: number): string => {
    const text = String(row[columns[at]!] ?? '');
    return text.length > CELL && at < last ? `${text.slice(0, CELL - 3)}...` : text;
  };
  const widths = columns.map((name, at) =>
    rows.reduce((most, row) => Math.max(most, cell(row, at).length), name.length),
  );
  const line = (values: readonly string[]): string =>
    values
      .map((value, at) => (at < last ? value.padEnd(widths[at]!) : value))
      .join('  ')
      .trimEnd();
  return [
    line([...columns]),
    line(widths.map((width) => '-'.repeat(Math.min(width, CELL)))),
    ...rows.map((row) => line(columns.map((_name, at) => cell(row, at)))),
  ].join('\n');
}

/** `1 row`, `2 rows`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** A moment in UTC as people read it: `2026-03-02 15:00`. */
export const moment = (iso: string | null | undefined): string => (iso ?? '').slice(0, 16).replace('T', ' ');

/** The end of a command's help. */
export const examples = (...lines: string[]): string =>
  `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.map((line) => `  ${line}`).join('\n')}`;

/** Progress bars on standard error, for people only. */
export interface Progress {
  update(name: string, seen: number, total: number | undefined): void;
  stop(): void;
}

export function progress(options: CommonOptions): Progress {
  if (options.json || !process.stderr.isTTY) return { update: () => {}, stop: () => {} };
  const bars = new cliProgress.MultiBar(
    {
      format: '{name} {bar} {value}/{total} {eta_formatted}',
      hideCursor: true,
      clearOnComplete: false,
      stream: process.stderr,
    },
    cliProgress.Presets.shades_classic,
  );
  const known = new Map<string, cliProgress.SingleBar>();
  return {
    update: (name, seen, total) => {
      const bar = known.get(name) ?? bars.create(total ?? seen, 0, { name: name.padEnd(16) });
      known.set(name, bar);
      bar.setTotal(Math.max(total ?? 0, seen, 1));
      bar.update(seen, { name: name.padEnd(16) });
    },
    stop: () => bars.stop(),
  };
}

/** Runs a command; a failure is told in words and ends with a code other than 0. */
export const command =
  <Arguments extends unknown[]>(work: (...given: Arguments) => Promise<void>) =>
  async (...given: Arguments): Promise<void> => {
    try {
      await work(...given);
    } catch (error) {
      const options = given.find((item) => item instanceof Command)?.optsWithGlobals<CommonOptions>();
      const problem = error instanceof Problem ? error : undefined;
      if (options?.json)
        process.stdout.write(
          `${JSON.stringify({ error: messageOf(error), ...(problem?.fix ? { fix: problem.fix } : {}), ...(problem?.fields ? { fields: problem.fields } : {}) })}\n`,
        );
      else
        process.stderr.write(
          `${error instanceof ConfigError || problem ? messageOf(error) : ((error as Error).stack ?? messageOf(error))}\n${problem?.fix ? `${problem.fix}\n` : ''}`,
        );
      process.exitCode = 1;
    }
  };
