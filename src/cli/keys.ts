import type { Command } from 'commander';
import { loadConfig } from '../base/config.ts';
import { type KeyUse, keyUses, newMasterKey, type Rotation, rotateKeys } from '../keys.ts';
import { type CommonOptions, command, counted, examples, moment, print, table, withHub } from './context.ts';

/** Commands for the master keys that seal what is secret: list, rotate, new. */
export function keyCommands(program: Command): void {
  const keys = program
    .command('keys')
    .description('The master keys that seal credentials and other secrets: which are needed, and changing them.')
    .addHelpText('after', examples('rapport keys list', 'rapport keys new', 'rapport keys rotate'));

  keys
    .command('list')
    .description('Keys with what each of them seals, and since when the oldest of it is there.')
    .addHelpText('after', examples('rapport keys list', 'rapport keys list --json'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        await withHub(async (hub) => {
          const uses = await keyUses(hub.db, hub.config);
          print(options, { keys: uses }, () => usesText(uses));
        });
      }),
    );

  keys
    .command('rotate')
    .description(
      'Seal everything with the first key of RAPPORT_KEYS, while the hub runs.\nIt may be stopped and run again. It says when an old key is not needed any more.',
    )
    .addHelpText('after', examples('RAPPORT_KEYS=k2:...,k1:... rapport keys rotate', 'rapport keys rotate --json'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        await withHub(async (hub) => {
          const done = await rotateKeys(hub.deps, hub.clock.now(), 'cli');
          print(options, done, () => rotationText(done));
          if (done.unreadable.length > 0) process.exitCode = 1;
        });
      }),
    );

  keys
    .command('new')
    .description('Print a new key. Put it in front of the others in RAPPORT_KEYS; nothing is stored.')
    .addHelpText('after', examples('rapport keys new'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        const made = newMasterKey(configuredKeys());
        print(options, { id: made.id, key: made.text }, () => made.text);
      }),
    );
}

/** Names that are taken. Whoever makes the first key has no configuration yet. */
function configuredKeys(): string[] {
  try {
    return loadConfig().keys.map(({ id }) => id);
  } catch {
    return [];
  }
}

function usesText(uses: readonly KeyUse[]): string {
  const rows = uses.flatMap((use) => {
    const role = use.current ? 'seals' : use.known ? 'opens only' : 'missing here';
    const tables = Object.entries(use.tables);
    if (tables.length === 0) return [{ key: use.key, role, table: 'nothing', values: 0, 'oldest (UTC)': '' }];
    return tables.map(([name, { rows: values, oldest }]) => ({
      key: use.key,
      role,
      table: name,
      values,
      'oldest (UTC)': moment(oldest),
    }));
  });
  return table(rows, ['key', 'role', 'table', 'values', 'oldest (UTC)']);
}

function rotationText(done: Rotation): string {
  const total = Object.values(done.resealed).reduce((sum, count) => sum + count, 0);
  const lines = [`${counted(total, 'value')} sealed anew with "${done.key}".`];
  for (const bad of done.unreadable)
    lines.push(
      `Not opened: ${bad.table} ${bad.id}${bad.tenantId ? ` of business ${bad.tenantId}` : ''}. ${bad.reason}`,
    );
  for (const { key, lastSeen } of done.stillSealing)
    lines.push(
      `Key "${key}" seals nothing now, but a process that seals with it ran at ${moment(lastSeen)} UTC. Start every process with "${done.key}" in front, wait two minutes and run this again.`,
    );
  for (const key of done.notNeeded) lines.push(`Key "${key}" is not needed any more: take it out of RAPPORT_KEYS.`);
  return lines.join('\n');
}
