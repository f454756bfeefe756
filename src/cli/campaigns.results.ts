import type { Command } from 'commander';
import { forksOf } from '../campaigns/forks.ts';
import { campaignNamed } from '../campaigns/manage.ts';
import { type ResultsOf, resultsOf } from '../campaigns/results.ts';
import { findSequence } from '../sequences/store.ts';
import { type CommonOptions, command, examples, print, table, tenantOf, withHub } from './context.ts';

const SAID = {
  too_few_to_tell: 'too few to tell',
  more: 'more than those left out',
  fewer: 'fewer than those left out',
  no_difference_seen: 'no difference seen',
} as const;

const percent = (share: number | null): string => (share === null ? '-' : `${(share * 100).toFixed(1)} %`);

function text(results: ResultsOf): string {
  const money = (one: Pick<ResultsOf['total'], 'money'>): string =>
    one.money.map(({ currency, amount }) => `${amount} ${currency ?? ''}`.trim()).join(', ');
  const rows = [...results.steps, { ...results.total, step: 'together', variant: null }].map((one) => ({
    ...one,
    step: one.variant ? `${one.step} (${one.variant})` : one.step,
    money: money(one),
  }));
  const sides = results.comparison.facts.map((one) => ({
    fact: one.fact,
    'written to': `${one.written.hits} of ${one.written.n}: ${percent(one.written.rate)}`,
    'left out': `${one.leftOut.hits} of ${one.leftOut.n}: ${percent(one.leftOut.rate)}`,
    so: SAID[one.verdict],
  }));
  return [
    table(rows, ['step', 'sent', 'delivered', 'opened', 'clicked', 'stopped', 'answered', 'booked', 'paid', 'money']),
    '',
    table(sides, ['fact', 'written to', 'left out', 'so']),
    '',
    `Credited are facts within ${results.days} days after a message. ${results.comparison.openWindows} people's days are not over yet.`,
  ].join('\n');
}

/** `campaign results`: what a campaign or a sequence brought about. */
export function campaignResults(group: Command): void {
  group
    .command('results')
    .description(
      'What a campaign brought about, by step, and against those who were left out.\nWith --sequence: of a whole sequence.',
    )
    .argument('<key>')
    .option('--sequence', 'the key is of a sequence')
    .addHelpText('after', examples('rapport campaign results spring', 'rapport campaign results win-back --sequence'))
    .action(
      command(async (key: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { sequence?: boolean }>();
        const results = await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          return hub.db.tenant(tenantId, async (tx) => {
            const sequence = options.sequence ? await findSequence(tx, key) : undefined;
            const campaign = sequence ? undefined : await campaignNamed(tx, key);
            const looked = sequence ? { sequenceId: sequence.id } : { campaignId: campaign!.id };
            const forks = await forksOf(tx, sequence?.id ?? campaign!.sequence_id);
            return resultsOf(tx, looked, forks, hub.clock.now());
          });
        });
        print(options, results, () => text(results));
      }),
    );
}
