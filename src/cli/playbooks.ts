import type { Command } from 'commander';
import { type PlaybookView, playbookViews } from '../actions/playbooks.ts';
import { installPlaybook, switchSequence } from '../sequences/playbooks.ts';
import { type CommonOptions, command, counted, examples, print, tenantOf, withHub } from './context.ts';
import type { Outcome } from './rehearsal/compare.ts';

/** What a playbook does, in lines: its steps by day, and what it still needs. */
function described(view: PlaybookView): string {
  const when = ({ day, at }: PlaybookView['steps'][number]): string =>
    `${day === null ? '' : `day ${day}`}${at ? ` ${at}` : ''}`.trim().padEnd(13);
  const missing = view.needs.filter(({ met }) => !met);
  return [
    `${view.key}: ${view.title} (${view.state ?? 'not installed'})`,
    view.description,
    ...view.steps.map((step) => `  ${when(step)} ${step.does}`),
    ...(missing.length > 0 ? ['  Still needed:', ...missing.map(({ words }) => `  - ${words}`)] : []),
  ].join('\n');
}

/** How a case went: one line, or what differs and everything that happened. */
const told = ({ name, problems, expected, actual }: Outcome): string =>
  problems.length === 0
    ? `ok    ${name}`
    : [
        `WRONG ${name}`,
        ...problems.map((problem) => `      ${problem}`),
        '      Expected:',
        ...(expected.length > 0 ? expected : ['nothing']).map((line) => `        ${line}`),
        '      Happened:',
        ...(actual.length > 0 ? actual : ['nothing']).map((line) => `        ${line}`),
      ].join('\n');

/** Ready-made sequences: what there is, installing one, and trying one by the clock. */
export function playbookCommands(program: Command): void {
  const playbook = program
    .command('playbook')
    .description('Install a playbook; --on switches it on (it counts from now, nothing in the past starts anything).')
    .addHelpText(
      'after',
      examples(
        'rapport playbook list',
        'rapport playbook overdue-chase',
        'rapport playbook overdue-chase --on',
        'rapport playbook test playbooks/tests/birthday.yaml',
      ),
    )
    .argument('<key>', 'such as overdue-chase')
    .option('--on', 'switch it on')
    .action(
      command(async (key: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { on?: boolean }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const now = hub.clock.now();
          const sequence = await hub.db.tenant(tenantId, async (tx) => {
            const row = await installPlaybook(tx, key, 'cli', now);
            if (options.on) await switchSequence(tx, row, true, 'cli', row.version, now);
            return row;
          });
          const view = (await playbookViews(hub.deps, tenantId)).find((one) => one.key === key)!;
          const needs = view.needs.filter(({ met }) => !met).map(({ words }) => words);
          print(options, { id: sequence.id, key: sequence.key, on: options.on ?? false, needs }, () =>
            [
              `${sequence.title} is installed${options.on ? ' and switched on' : ', switched off'}.`,
              ...needs.map((words) => `- ${words}`),
            ].join('\n'),
          );
        });
      }),
    );

  playbook
    .command('list')
    .description('Every playbook: what it does on which day, and what it still needs here.')
    .addHelpText('after', examples('rapport playbook list', 'rapport playbook list --json'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        await withHub(async (hub) => {
          const views = await playbookViews(hub.deps, await tenantOf(hub, options));
          print(options, { items: views }, () => views.map(described).join('\n\n'));
        });
      }),
    );

  playbook
    .command('test')
    .description(
      'Play the cases of a file by the clock, with the real engine, an empty database and a simulated platform.\nNothing is sent to anybody. Ends with code 1 when something went otherwise than expected.',
    )
    .argument('<file>', 'cases as YAML, such as those in playbooks/tests')
    .option('--case <text>', 'only cases with this in their name')
    .addHelpText(
      'after',
      examples(
        'rapport playbook test playbooks/tests/post-job.yaml',
        'rapport playbook test mine.yaml --case "bad answer"',
      ),
    )
    .action(
      command(async (file: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { case?: string }>();
        const { rehearseFile } = await import('./rehearsal/theatre.ts');
        const outcomes = await rehearseFile(file, options.case);
        const wrong = outcomes.filter(({ problems }) => problems.length > 0).length;
        print(options, { cases: outcomes }, () =>
          [
            ...outcomes.map(told),
            `${counted(outcomes.length, 'case')}, ${wrong === 0 ? 'all as expected' : `${wrong} otherwise than expected`}.`,
          ].join('\n'),
        );
        if (wrong > 0) process.exitCode = 1;
      }),
    );
}
