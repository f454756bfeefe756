#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { Command } from 'commander';
import { connectCommands } from './cli/connect.ts';
import { dataCommands } from './cli/data.ts';
import { operateCommands } from './cli/operate.ts';

enableCompileCache();

const program = new Command()
  .name('rapport')
  .description('Follow-up that runs inside the CRM a business already has.')
  .version('0.1.0')
  .option('--json', 'answer with one JSON document in one line')
  .option('--tenant <name or id>', 'which business, when the hub has several')
  .showHelpAfterError('(add --help for what there is)')
  .addHelpText(
    'after',
    `
First steps:
  rapport serve                       run the hub and open http://127.0.0.1:8080
  rapport connect hubspot             connect a platform by its own page
  rapport import contacts people.csv  or begin with a file
  rapport status                      how everything stands, in words
  rapport playbook overdue-chase --on chase overdue invoices from now on
  rapport explain ann@example.com     why somebody got something, or not

Commands work next to a running hub or alone. Configuration comes from the environment; see the README.`,
  );

connectCommands(program);
operateCommands(program);
dataCommands(program);

// The list shows the first line of each; `rapport <command> --help` shows all of it.
for (const known of program.commands) known.summary(known.description().split('\n')[0] ?? '');

await program.parseAsync();
