import type { Command } from 'commander';
import { Problem } from '../base/errors.ts';
import { CATALOGUE } from '../triggers/catalogue.ts';
import { listTriggers } from '../triggers/store.ts';
import { runTrial } from '../triggers/trial.routes.ts';
import { type CommonOptions, command, counted, examples, print, table, tenantOf, withHub } from './context.ts';

/** Commands for triggers: list, try. */
export function triggerCommands(program: Command): void {
  const triggers = program
    .command('triggers')
    .description('What is noticed: every kind of trigger in words, and when one would have fired for a customer.')
    .addHelpText('after', examples('rapport triggers list', 'rapport triggers try service.due ann@example.com'));

  triggers
    .command('list')
    .description('Every kind of trigger with what arms it, and which of them the business has on.')
    .addHelpText('after', examples('rapport triggers list', 'rapport triggers list --json'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const own = await hub.db.tenant(tenantId, (tx) => listTriggers(tx));
          const rows = CATALOGUE.map(({ name, arms, defaults }) => {
            const mine = own.filter((trigger) => trigger.name === name);
            const problem = mine.find((trigger) => trigger.problem !== null)?.problem ?? null;
            return { name, on: mine.filter(({ enabled }) => enabled).length, problem, defaults, arms };
          });
          print(options, { triggers: rows }, () => table(rows as never, ['name', 'on', 'arms']));
        });
      }),
    );

  triggers
    .command('try')
    .description(
      'When a trigger would have fired for a customer in the last months, and what would have come of it.\nSends nothing and writes nothing.',
    )
    .argument('<trigger>', 'kind of trigger, or the id of one of the business')
    .argument('<customer>', 'id, e-mail address, phone number or name')
    .option('--months <number>', 'how far back, at most 12', '12')
    .option('--settings <json>', 'other settings than it has')
    .addHelpText(
      'after',
      examples(
        'rapport triggers try invoice.overdue ann@example.com',
        `rapport triggers try client.inactive +14155550101 --months 6 --settings '{"days": 60}'`,
      ),
    )
    .action(
      command(async (trigger: string, customer: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { months: string; settings?: string }>();
        const months = Number(options.months);
        if (!Number.isInteger(months) || months < 1 || months > 12)
          throw new Problem(400, 'bad_number', `--months takes a number from 1 to 12, not "${options.months}".`);
        const settings = options.settings === undefined ? undefined : settingsOf(options.settings);
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const which = /^[0-9a-f-]{36}$/.test(trigger) ? { triggerId: trigger } : { trigger };
          const input = { ...which, customer, months, ...(settings ? { settings } : {}) };
          const trial = await runTrial(hub.db, tenantId, input, hub.clock.now());
          print(options, trial, () => {
            const rows = trial.items.map((item) => ({ ...item, subject: item.subject.label }));
            return [
              trial.arms,
              table(rows as never, ['occurredOn', 'subject', 'outcome']),
              `${counted(rows.length, 'time')} from ${trial.from} to ${trial.to}. ${trial.note}`,
            ].join('\n\n');
          });
        });
      }),
    );
}

/** @throws Problem when the text is no JSON object */
function settingsOf(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Told below, as for JSON that is no object.
  }
  throw new Problem(400, 'bad_settings', `--settings takes a JSON object such as '{"days": 60}', not '${text}'.`);
}
