#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { Command, CommanderError } from 'commander';
import { startTracing } from './base/tracing.ts';

enableCompileCache();

// Tracing hooks into what is loaded after it, and the commands load everything.
const traces = process.env.OTEL_EXPORTER_OTLP_ENDPOINT?.trim();
if (traces && URL.canParse(traces) && process.argv.includes('serve')) await startTracing(traces);
const { campaignCommands } = await import('./cli/campaigns.ts');
const { configurationCommands } = await import('./cli/configuration.ts');
const { careCommands } = await import('./cli/care.ts');
const { conditionCommands } = await import('./cli/conditions.ts');
const { connectCommands } = await import('./cli/connect.ts');
const { dataCommands } = await import('./cli/data.ts');
const { forecastCommands } = await import('./cli/forecast.ts');
const { identityCommands } = await import('./cli/identity.ts');
const { operateCommands } = await import('./cli/operate.ts');
const { playbookCommands } = await import('./cli/playbooks.ts');
const { privacyCommands } = await import('./cli/privacy.ts');
const { proofCommands } = await import('./cli/proof.ts');
const { remapCommands } = await import('./cli/remap.ts');
const { segmentCommands } = await import('./cli/segments.ts');
const { scoreCommands } = await import('./cli/score.ts');
const { surveyCommands } = await import('./cli/surveys.ts');
const { triggerCommands } = await import('./cli/triggers.ts');

// Whoever read our output has enough of it (`rapport audit export | head`): that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const program = new Command()
  .name('rapport')
  .description('Follow-up that runs inside the CRM a business already has.')
  .version('0.1.0')
  .option('--json', 'answer with one JSON document in one line')
  .option('--tenant <name or id>', 'which business, when the hub has several')
  .showHelpAfterError('Add --help for what there is.')
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()
  .addHelpText(
    'after',
    `
First steps:
  rapport serve                         run the hub and open http://127.0.0.1:8080
  rapport connect hubspot               connect a platform by its own page
  rapport import contacts people.csv    or begin with a file
  rapport status                        how everything stands, in words
  rapport playbook overdue-chase --on   chase overdue invoices from now on
  rapport explain ann@example.com       why somebody got something, or not

"rapport <command> --help" has examples of each. Commands work next to a running hub or alone. Configuration comes from
the environment; see the README. A command that fails says why and ends with code 1.`,
  );

connectCommands(program);
operateCommands(program);
playbookCommands(program);
dataCommands(program);
scoreCommands(program);
remapCommands(program);
identityCommands(program);
conditionCommands(program);
forecastCommands(program);
segmentCommands(program);
campaignCommands(program);
configurationCommands(program);
careCommands(program);
privacyCommands(program);
proofCommands(program);
surveyCommands(program);
triggerCommands(program);

// The list shows the first line of each; `rapport <command> --help` shows all of it.
for (const known of program.commands) known.summary(known.description().split('\n')[0] ?? '');

try {
  await program.parseAsync();
} catch (error) {
  // Mistakes in the command line itself; those of the work are told where it is done.
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode;
  if (error.exitCode !== 0 && process.argv.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: error.message.replace(/^error: /, '') })}\n`);
}
