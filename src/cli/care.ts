import type { Command } from 'commander';
import { Problem } from '../base/errors.ts';
import { type ConnectionRow, listConnections } from '../connections/store.ts';
import type { Hub } from '../hub.ts';
import { setAllowance } from '../sync/allowance.ts';
import { type QuotaPlan, quotaPlan } from '../sync/planner.ts';
import { type CommonOptions, command, examples, moment, print, table, tenantOf, withHub } from './context.ts';
import { keyCommands } from './keys.ts';
import { unknownCommand } from './unknown.ts';

/** Commands that look after connections and keys: quota, keys, unknown. */
export function careCommands(program: Command): void {
  keyCommands(program);
  unknownCommand(program);
  program
    .command('quota')
    .description(
      'Calls to platforms today, what is left of their limits, and how far that goes.\nWith --calls it states an allowance the platform does not tell, or one that other apps use too; --none takes it back.',
    )
    .addHelpText(
      'after',
      examples('rapport quota', 'rapport quota hubspot', 'rapport quota hubspot --calls 250000 --zone Europe/Berlin'),
    )
    .argument('[connection]', 'id, name or platform; without it all')
    .option('--calls <number>', 'calls this hub may make in a day')
    .option('--every <window>', 'day or month, with --calls', 'day')
    .option('--zone <zone>', 'zone of the midnight at which the platform counts anew')
    .option('--none', 'take the stated allowance back')
    .action(
      command(async (which: string | undefined, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<QuotaOptions>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          let rows = await connectionsOf(hub, tenantId, which);
          if (options.calls !== undefined || options.none) {
            await stateAllowance(hub, tenantId, rows, options);
            rows = await connectionsOf(hub, tenantId, which);
          }
          const plans: QuotaPlan[] = [];
          for (const row of rows) plans.push(await quotaPlan(hub.deps, tenantId, row));
          print(options, { connections: plans }, () => quotaText(plans));
        });
      }),
    );
}

interface QuotaOptions extends CommonOptions {
  calls?: string;
  every: string;
  zone?: string;
  none?: boolean;
}

/** @throws Problem when the text names none, or not one only while one is needed */
async function connectionsOf(hub: Hub, tenantId: string, which: string | undefined): Promise<ConnectionRow[]> {
  const all = await hub.db.tenant(tenantId, (tx) => listConnections(tx));
  const found = all.filter((row) => !which || [row.id, row.name, row.connector].includes(which));
  if (which && found.length === 0)
    throw new Problem(404, 'not_found', `There is no connection "${which}".`, {
      fix: `There are ${all.map((row) => row.name).join(', ') || 'none'}; "rapport status" shows them.`,
    });
  return found;
}

async function stateAllowance(
  hub: Hub,
  tenantId: string,
  rows: readonly ConnectionRow[],
  options: QuotaOptions,
): Promise<void> {
  const [row] = rows;
  if (!row || rows.length > 1)
    throw new Problem(400, 'several', 'An allowance is stated for one connection.', {
      fix: 'Name it by its id or name.',
    });
  const calls = Number(options.calls);
  if (!options.none && !(Number.isInteger(calls) && calls > 0))
    throw new Problem(400, 'bad_number', `--calls takes a number such as 250000, not "${options.calls}".`);
  if (options.every !== 'day' && options.every !== 'month')
    throw new Problem(400, 'bad_window', `--every is day or month, not "${options.every}".`);
  const allowance = options.none ? null : { calls, every: options.every as 'day' | 'month', zone: options.zone };
  const version = await setAllowance(hub.deps, tenantId, row, allowance, { expected: row.version, by: 'cli' });
  if (version === undefined)
    throw new Problem(409, 'changed', 'The connection was changed meanwhile.', { fix: 'Run the command again.' });
}

/** Plans as tables, with the sentence of each. */
export function quotaText(plans: readonly QuotaPlan[]): string {
  if (plans.length === 0) return 'Nothing is connected yet.';
  return plans
    .map((plan) => {
      const rows = plan.limits.map((limit) => ({
        limit: limit.name,
        calls: limit.calls ?? 'not stated',
        left: limit.left ?? '',
        'told by': limit.toldByPlatform ? 'platform' : 'own count',
        'begins anew (UTC)': moment(limit.quota?.resetsAt),
        'not before (UTC)': moment(limit.parkedUntil),
      }));
      const purposes = Object.entries(plan.calls).map(([purpose, count]) => `${count} ${purpose}`);
      return [
        `${plan.name} (${plan.connector})`,
        plan.sentence,
        `Today (UTC): ${purposes.join(', ')}.`,
        table(rows, ['limit', 'calls', 'left', 'told by', 'begins anew (UTC)', 'not before (UTC)']),
      ].join('\n');
    })
    .join('\n\n');
}
