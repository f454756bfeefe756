import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { Problem } from '../base/errors.ts';
import { applyFiles, exportFiles } from '../transfer/apply.ts';
import type { ApplyResult, ConfigurationFile } from '../transfer/schema.ts';
import { type CommonOptions, command, counted, examples, print, tenantOf, withHub } from './context.ts';

interface ApplyOptions extends CommonOptions {
  dryRun?: boolean;
  prune?: boolean;
}

/** Configuration as files: out of a business, and into one. */
export function configurationCommands(program: Command): void {
  program
    .command('export')
    .description(
      'Write the configuration as YAML: sequences, texts, surveys, triggers, segments, mappings, settings.\nWithout a path to standard output; to a file that ends in .yaml; or to a folder, a file for each kind of thing. The same configuration is always the same bytes. Keys, connections and people are not in it.',
    )
    .argument('[path]', 'file or folder')
    .addHelpText('after', examples('rapport export > rapport.yaml', 'rapport export config/'))
    .action(
      command(async (target: string | undefined, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const split = target !== undefined && !isYaml(target);
          const files = await hub.db.tenant(tenantId, (tx) => exportFiles(hub.deps, tx, split));
          if (target === undefined) {
            print(options, { files }, () => files[0]!.text.trimEnd());
            return;
          }
          const written = files.map(({ name, text }) => ({ path: split ? path.join(target, name) : target, text }));
          if (split) mkdirSync(target, { recursive: true });
          for (const file of written) writeFileSync(file.path, file.text);
          print(options, { files: written.map((file) => file.path) }, () =>
            written.map((file) => `Wrote ${file.path}.`).join('\n'),
          );
        });
      }),
    );

  program
    .command('apply')
    .description(
      'Make the configuration what YAML files say, all of it or nothing.\nWhat is so already is not touched, so applying twice changes nothing. What no file names is left, unless --prune removes it (of the kinds of things the files name).',
    )
    .argument('<paths...>', 'files, or folders with files that end in .yaml')
    .option('--dry-run', 'tell what would be done, and do nothing')
    .option('--prune', 'remove what the files do not name')
    .addHelpText(
      'after',
      examples(
        'rapport apply config/ --dry-run',
        'rapport apply config/',
        'rapport apply rapport.yaml --prune --dry-run',
      ),
    )
    .action(
      command(async (targets: string[], _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<ApplyOptions>();
        const files = targets.flatMap(filesAt);
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const result = await applyFiles(
            hub.deps,
            tenantId,
            { files, dryRun: options.dryRun ?? false, prune: options.prune ?? false },
            { actor: 'cli', at: hub.clock.now(), maySet: true },
          ).catch((error: unknown) => {
            // Without --json only the first mistake would be told: a person wants to see all of them.
            if (error instanceof Problem && error.fields && !options.json)
              for (const { path: place, message } of error.fields) process.stderr.write(`${place}: ${message}\n`);
            throw error;
          });
          print(options, result, () => planText(result));
        });
      }),
    );
}

const isYaml = (name: string): boolean => /\.ya?ml$/i.test(name);

/** @throws Problem when there is no such file, or none in the folder */
function filesAt(target: string): ConfigurationFile[] {
  if (!existsSync(target)) throw new Problem(404, 'not_found', `There is no file or folder ${target}.`);
  if (!statSync(target).isDirectory()) return [{ name: target, text: readFileSync(target, 'utf8') }];
  const names = readdirSync(target).filter(isYaml).sort();
  if (names.length === 0)
    throw new Problem(404, 'not_found', `No file in ${target} ends in .yaml.`, {
      fix: 'Write some with "rapport export <folder>".',
    });
  return names.map((name) => path.join(target, name)).map((name) => ({ name, text: readFileSync(name, 'utf8') }));
}

const MARKS = { create: '+', update: '~', remove: '-', left: '?', unchanged: ' ' } as const;

/** The plan as people read it: what changes with its differences, and how much stays. */
function planText({ applied, items }: ApplyResult): string {
  const told = items.filter(({ action }) => action !== 'unchanged');
  const lines = told.flatMap(({ kind, name, action, differences, note }) => [
    `${MARKS[action]} ${action} ${kind} ${name}`,
    ...differences.map((line) => `    ${line}`),
    ...(note ? [`    (${note})`] : []),
  ]);
  const changes = told.filter(({ action }) => action !== 'left').length;
  const same = items.length - told.length;
  const end =
    changes === 0
      ? `Nothing to change: ${counted(same, 'thing')} as the files say.`
      : `${counted(changes, 'change')} ${applied ? 'applied' : 'would be applied'}, ${same} unchanged.`;
  return [...lines, end].join('\n');
}
