import type { Command } from 'commander';
import type { Tx } from '../base/database.ts';
import { Problem } from '../base/errors.ts';
import { campaignNamed, createCampaign } from '../campaigns/manage.ts';
import { previewOf } from '../campaigns/preview.ts';
import { AS_IF_DATES, type Audience, type CampaignInput, type Entry } from '../campaigns/schema.ts';
import { startCampaign } from '../campaigns/start.ts';
import { listCampaigns } from '../campaigns/store.ts';
import { showCampaigns } from '../campaigns/views.ts';
import { haltCommands } from './campaigns.halt.ts';
import { peopleCommands } from './campaigns.people.ts';
import { campaignResults } from './campaigns.results.ts';
import { act, idOf, number, type Options } from './campaigns.support.ts';
import { previewText } from './campaigns.text.ts';
import { command, counted, examples, print, table } from './context.ts';

const typed = (text: string): unknown => (text.trim().startsWith('{') ? JSON.parse(text) : text);

async function audienceOf(tx: Tx, options: Options): Promise<Audience> {
  if (typeof options.segment === 'string') return { segment: options.segment };
  if (typeof options.condition === 'string') return { condition: typed(options.condition) };
  if (typeof options.customers !== 'string')
    throw new Problem(422, 'invalid', 'Nobody is meant yet.', { fix: 'Add --segment, --condition or --customers.' });
  const customers: string[] = [];
  for (const text of options.customers.split(',')) customers.push(await idOf(tx, text.trim()));
  return { customers };
}

function entryOf(options: Options): Entry {
  const step = typeof options.step === 'string' ? { step: options.step } : {};
  if (options.asIf === undefined) return { mode: 'from_now', ...step };
  const date = AS_IF_DATES.find((known) => known === options.asIf);
  if (!date)
    throw new Problem(422, 'invalid', `"${String(options.asIf)}" is no date of a customer.`, {
      fix: `There are ${AS_IF_DATES.join(', ')}.`,
    });
  return { mode: 'as_if', date, ...step };
}

/** What a new campaign is, from the options of the command. */
async function inputOf(tx: Tx, key: string, options: Options): Promise<CampaignInput> {
  return {
    key,
    title: String(options.title ?? key),
    sequence: String(options.sequence),
    audience: await audienceOf(tx, options),
    entry: entryOf(options),
    open: options.open === true,
    perHour: number(options.perHour),
    percentPerDay: number(options.percentPerDay),
    holdoutPercent: number(options.holdout) ?? 0,
    startsAt: (options.starts as string | undefined) ?? null,
    endsAt: (options.ends as string | undefined) ?? null,
  };
}

/** Sequences aimed at people, a few at a time: make, preview, start, halt, take back, results. */
export function campaignCommands(program: Command): void {
  const group = program
    .command('campaign')
    .description(
      'Sequences aimed at a list of people, a few at a time.\nNobody enters before it was previewed and started.',
    )
    .addHelpText(
      'after',
      examples(
        'rapport campaign make spring --sequence promotion --segment "Regulars" --holdout 10',
        'rapport campaign preview spring',
        'rapport campaign start spring --confirm 412',
        'rapport campaign undo spring --reason "the wrong price"',
        'rapport campaign results spring',
      ),
    );
  making(group);
  haltCommands(group);
  peopleCommands(group);
  campaignResults(group);
}

function making(group: Command): void {
  group
    .command('list')
    .description('Campaigns, newest first.')
    .addHelpText('after', examples('rapport campaign list', 'rapport campaign list --json'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        const rows = await act(options, async (tx) => showCampaigns(tx, await listCampaigns(tx, { limit: 200 })));
        print(options, { campaigns: rows }, () =>
          table(
            rows.map((row) => ({
              ...row,
              people: Object.entries(row.members)
                .map(([state, n]) => `${n} ${state.replace('_', ' ')}`)
                .join(', '),
              why: row.reason ?? '',
            })),
            ['key', 'sequence', 'state', 'people', 'why'],
          ),
        );
      }),
    );

  group
    .command('make')
    .description('Make a campaign. Nobody enters before it is started.')
    .argument('<key>', 'what it is called from now on, such as spring-2026')
    .requiredOption('--sequence <key>', 'which sequence people enter')
    .option('--segment <name>', 'for whom: a segment')
    .option('--condition <condition>', 'or a condition, as a sentence or JSON')
    .option('--customers <list>', 'or customers, separated by commas')
    .option('--title <text>')
    .option('--open', 'who comes into the segment later joins')
    .option('--holdout <percent>', 'share left out on purpose, to compare with')
    .option('--per-hour <people>')
    .option('--percent-per-day <percent>', 'share of the list let in within a day')
    .option('--as-if <date>', `as if entered on a date of theirs: ${AS_IF_DATES.join(', ')}`)
    .option('--step <id>', 'begin with this step')
    .option('--starts <moment>', 'not before, such as 2026-03-02T15:00:00Z')
    .option('--ends <moment>')
    .addHelpText(
      'after',
      examples(
        'rapport campaign make spring --sequence promotion --segment "Regulars"',
        'rapport campaign make care --sequence post-job --condition "has at least 1 completed jobs" --as-if last_job',
      ),
    )
    .action(
      command(async (key: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        const [row] = await act(options, async (tx, _deps, now) =>
          showCampaigns(tx, [await createCampaign(tx, await inputOf(tx, key, options), 'cli', now)]),
        );
        print(options, row, () =>
          [`"${row!.title}" is made. Look at it with: rapport campaign preview ${key}`, ...row!.warnings].join('\n'),
        );
      }),
    );

  group
    .command('preview')
    .description('Who would enter and when, who not and why. It changes nothing.')
    .argument('<key>')
    .addHelpText('after', examples('rapport campaign preview spring'))
    .action(
      command(async (key: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        const seen = await act(options, async (tx, deps, now) =>
          previewOf(deps, tx, await campaignNamed(tx, key), now),
        );
        print(options, seen, () => previewText(seen));
      }),
    );

  group
    .command('start')
    .description('Start a campaign. Where many would be written to, their exact number must be typed.')
    .argument('<key>')
    .option('--confirm <people>', 'how many people, as the preview says')
    .addHelpText('after', examples('rapport campaign start spring', 'rapport campaign start spring --confirm 412'))
    .action(
      command(async (key: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        const confirm = number(options.confirm) ?? undefined;
        const [row] = await act(
          options,
          async (tx, deps, now) => {
            const campaign = await campaignNamed(tx, key);
            const wish = { confirm, expected: campaign.version, actor: 'cli' };
            return showCampaigns(tx, [await startCampaign(deps, tx, campaign.id, wish, now)]);
          },
          true,
        );
        print(
          options,
          row,
          () => `"${row!.title}" runs: ${counted(row!.members.waiting ?? 0, 'person', 'people')} wait for their turn.`,
        );
      }),
    );
}
