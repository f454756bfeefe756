import type { Command } from 'commander';
import { notFound } from '../base/errors.ts';
import { loadCatalogue } from '../conditions/custom.ts';
import { tryCondition, type WrittenCondition } from '../conditions/trial.ts';
import { lookUpCustomer } from '../model/store.ts';
import { allSegments } from '../segments/store.ts';
import { type CommonOptions, command, examples, print, tenantOf, withHub } from './context.ts';

interface ConditionOptions extends CommonOptions {
  customer?: string;
}

/** Who matches a condition. */
export function conditionCommands(program: Command): void {
  program
    .command('condition')
    .description(
      'How many customers match a condition now, and some of them; with --customer, whether and why that one does.\nThe condition is a sentence or JSON, as docs/conditions.md tells. Every mistake is told with its place.',
    )
    .argument('<condition>', 'a sentence or JSON')
    .option('--customer <name, e-mail or id>', 'look at one customer, part by part')
    .addHelpText(
      'after',
      examples(
        'rapport condition "balance due over 100"',
        'rapport condition "has at least 2 completed jobs in the last 6 months" --customer ann@example.com',
      ),
    )
    .action(
      command(async (text: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<ConditionOptions>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const trial = await hub.db.tenant(tenantId, async (tx) => {
            const names = new Map((await allSegments(tx)).map(({ id, name }) => [id, name]));
            const catalogue = await loadCatalogue(tx, names);
            const customer = options.customer && (await lookUpCustomer(tx, options.customer))[0];
            if (options.customer && !customer) throw notFound('customer', options.customer);
            return tryCondition(tx, catalogue, writtenAs(text), customer ? customer.id : undefined, hub.clock.now());
          });
          print(options, trial, () => told(trial));
        });
      }),
    );
}

/** JSON when it looks like it, else a sentence. */
export function writtenAs(text: string): WrittenCondition {
  if (!text.trim().startsWith('{')) return { sentence: text };
  try {
    return { condition: JSON.parse(text) };
  } catch {
    return { sentence: text };
  }
}

function told(trial: Awaited<ReturnType<typeof tryCondition>>): string {
  const { customer, sample } = trial;
  const rest = trial.count - sample.length;
  const lines = [
    `${trial.sentence}`,
    `${trial.count} customers match${sample.length > 0 ? `: ${sample.map(({ id, name }) => name ?? id).join(', ')}` : ''}${rest > 0 ? ` and ${rest} more` : ''}`,
  ];
  if (customer) {
    lines.push(`${customer.name ?? customer.id} ${customer.matches ? 'matches' : 'does not match'}:`);
    for (const part of customer.parts) lines.push(`  ${part.matches ? 'yes' : 'no '}  ${part.sentence}`);
  }
  return lines.join('\n');
}
