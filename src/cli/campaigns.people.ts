import type { Command } from 'commander';
import { enrolInCampaign, unenrol } from '../campaigns/enrol.ts';
import { campaignNamed } from '../campaigns/manage.ts';
import { findMember, listMembers } from '../campaigns/members.ts';
import { showMember } from '../campaigns/views.ts';
import { act, idOf, number, type Options } from './campaigns.support.ts';
import { command, examples, moment, print, table } from './context.ts';

/** `campaign show`, `enrol` and `unenrol`. */
export function peopleCommands(group: Command): void {
  group
    .command('show')
    .description('Who is on the list of a campaign, and how each stands.')
    .argument('<key>')
    .option('--state <state>', 'only those who are waiting, entered, held_out, refused or removed')
    .addHelpText('after', examples('rapport campaign show spring', 'rapport campaign show spring --state refused'))
    .action(
      command(async (key: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        const rows = await act(options, async (tx) => {
          const { id } = await campaignNamed(tx, key);
          const filter = { limit: 200, ...(typeof options.state === 'string' ? { state: options.state } : {}) };
          return (await listMembers(tx, id, filter)).map(showMember);
        });
        print(options, { members: rows }, () =>
          table(
            rows.map((row) => ({ ...row, turn: moment(row.enteredAt ?? row.dueAt), how: row.outcome })),
            ['name', 'state', 'turn', 'how'],
          ),
        );
      }),
    );

  group
    .command('enrol')
    .description('Put customers on the list of a campaign that runs.')
    .argument('<key>')
    .argument('<customers...>', 'ids, e-mail addresses or phone numbers')
    .requiredOption('--reason <text>')
    .option('--confirm <people>', 'how many people, where it is asked for')
    .addHelpText('after', examples('rapport campaign enrol spring ann@example.com --reason "asked for it"'))
    .action(
      command(async (key: string, customers: string[], _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        const wish = { customers, reason: String(options.reason), confirm: number(options.confirm) ?? undefined };
        const rows = await act(
          options,
          async (tx, deps, now) =>
            (await enrolInCampaign(deps, tx, (await campaignNamed(tx, key)).id, { ...wish, actor: 'cli' }, now)).map(
              ({ customer, outcome }) => ({ customer, outcome }),
            ),
          true,
        );
        print(options, { enrolments: rows }, () => table(rows, ['customer', 'outcome']));
      }),
    );

  group
    .command('unenrol')
    .description('Take a customer out of a campaign.')
    .argument('<key>')
    .argument('<customer>', 'id, e-mail address or phone number')
    .requiredOption('--reason <text>')
    .addHelpText('after', examples('rapport campaign unenrol spring ann@example.com --reason "by mistake"'))
    .action(
      command(async (key: string, customer: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        await act(options, async (tx, deps, now) => {
          const at = { campaignId: (await campaignNamed(tx, key)).id, customerId: await idOf(tx, customer) };
          const expected = (await findMember(tx, at.campaignId, at.customerId))?.version ?? 0;
          await unenrol(deps, tx, at, { reason: String(options.reason), expected, actor: 'cli' }, now);
        });
        print(options, { customer, removed: true }, () => `${customer} is out of "${key}".`);
      }),
    );
}
