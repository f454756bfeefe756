import type { Command } from 'commander';
import { pauseCampaign, resumeCampaign, stopCampaign } from '../campaigns/halt.ts';
import { campaignNamed, removeCampaign } from '../campaigns/manage.ts';
import { undoCampaign } from '../campaigns/undo.ts';
import { showCampaigns } from '../campaigns/views.ts';
import { act, hand, type Options } from './campaigns.support.ts';
import { command, counted, examples, print } from './context.ts';

/** `campaign pause`, `stop`, `resume`, `undo` and `delete`. */
export function haltCommands(group: Command): void {
  for (const [verb, said, work] of [
    ['pause', 'Let nobody in and hold what it has to send. Nothing is consumed.', pauseCampaign],
    ['stop', 'Let nobody in any more. Who is in the sequence goes on.', stopCampaign],
  ] as const)
    group
      .command(verb)
      .description(said)
      .argument('<key>')
      .requiredOption('--reason <text>')
      .addHelpText('after', examples(`rapport campaign ${verb} spring --reason "a mistake in the text"`))
      .action(
        command(async (key: string, _options: unknown, self: Command) => {
          const options = self.optsWithGlobals<Options>();
          const [row] = await act(options, async (tx, _deps, now) => {
            const campaign = await campaignNamed(tx, key);
            return showCampaigns(tx, [await work(tx, campaign.id, String(options.reason), hand(campaign, now))]);
          });
          print(options, row, () => `"${row!.title}" is ${row!.state}.`);
        }),
      );

  group
    .command('resume')
    .description('Let a paused campaign go on. Nothing is made up for.')
    .argument('<key>')
    .addHelpText('after', examples('rapport campaign resume spring'))
    .action(
      command(async (key: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        const [row] = await act(
          options,
          async (tx, _deps, now) => {
            const campaign = await campaignNamed(tx, key);
            return showCampaigns(tx, [await resumeCampaign(tx, campaign.id, hand(campaign, now))]);
          },
          true,
        );
        print(options, row, () => `"${row!.title}" runs.`);
      }),
    );

  group
    .command('undo')
    .description('Take a campaign back as far as nothing has gone out, and tell what had.')
    .argument('<key>')
    .requiredOption('--reason <text>')
    .option('--end-others', 'also end enrolments of which something has gone out')
    .addHelpText('after', examples('rapport campaign undo spring --reason "the wrong price"'))
    .action(
      command(async (key: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        const how = { reason: String(options.reason), endOthers: options.endOthers === true };
        const undone = await act(options, async (tx, _deps, now) => {
          const row = await campaignNamed(tx, key);
          const { campaign, ...rest } = await undoCampaign(tx, row.id, how, hand(row, now));
          return { campaign: campaign.key, ...rest };
        });
        print(options, undone, () =>
          [
            `${counted(undone.removed, 'person', 'people')} will not enter, ${counted(undone.ended, 'enrolment')} ended, ${counted(undone.cancelled, 'message')} cancelled.`,
            ...undone.out.map(
              (one) =>
                `Out already: ${counted(one.messages, `${one.channel} message`)} to ${counted(one.people, 'person', 'people')}.`,
            ),
          ].join('\n'),
        );
      }),
    );

  group
    .command('delete')
    .description('Remove a campaign that does not run, with its list.')
    .argument('<key>')
    .addHelpText('after', examples('rapport campaign delete spring'))
    .action(
      command(async (key: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        await act(options, async (tx, _deps, now) => {
          const campaign = await campaignNamed(tx, key);
          await removeCampaign(tx, campaign.id, hand(campaign, now));
        });
        print(options, { key, removed: true }, () => `"${key}" is removed.`);
      }),
    );
}
