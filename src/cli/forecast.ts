import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Static } from 'typebox';
import { parse } from 'yaml';
import { messageOf, Problem } from '../base/errors.ts';
import { runForecast, runTry } from '../forecast/forecast.routes.ts';
import type { Forecast, Tried } from '../forecast/schema.ts';
import { MOST_DAYS } from '../forecast/schema.ts';
import { listShadow, shadowDays } from '../forecast/shadow.ts';
import { findSequence } from '../sequences/store.ts';
import { tenantZone } from '../settings/store.ts';
import { type CommonOptions, command, counted, examples, print, table, tenantOf, withHub } from './context.ts';

interface LookOptions extends CommonOptions {
  days: string;
  draft?: string;
  customer?: string;
  most: string;
  from?: string;
  sequenceVersion?: string;
}

/** Commands that look ahead: forecast, try, shadow. Nothing of them is kept or goes out. */
export function forecastCommands(program: Command): void {
  program
    .command('forecast')
    .description(
      `Every message of the days to come, when nobody answers and facts stay as they are; at most ${MOST_DAYS} days.\nWith --draft a definition is drawn against what is active: who gets more, who gets less.`,
    )
    .option('--days <number>', 'how far', '90')
    .option('--draft <file>', 'a sequence as YAML or JSON: a definition, or a playbook')
    .option('--customer <customer>', 'one customer only: id, e-mail address, phone number or name')
    .option('--most <number>', 'lines of each list', '50')
    .addHelpText(
      'after',
      examples('rapport forecast', 'rapport forecast --days 630 --json', 'rapport forecast --draft win-back.yaml'),
    )
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<LookOptions>();
        const input = {
          days: numberOf('--days', options.days, 1, MOST_DAYS),
          most: numberOf('--most', options.most, 0, 100_000),
          ...(options.customer ? { customer: options.customer } : {}),
          ...(options.draft ? { draft: definitionIn(options.draft) } : {}),
        };
        await withHub(async (hub) => {
          const found = await runForecast(hub.deps, await tenantOf(hub, options), input);
          print(options, found, () => forecastText(found));
        });
      }),
    );

  program
    .command('try')
    .description(
      'What a sequence would do with a customer: every step with its date, text and what keeps it back.\nSends nothing and writes nothing.',
    )
    .argument('<sequence>', 'key or id')
    .argument('<customer>', 'id, e-mail address, phone number or name')
    .option('--draft <file>', 'this definition instead of the newest version')
    .option('--sequence-version <number>', 'an earlier version')
    .option('--from <date>', 'the day it begins, such as 2026-03-02; default: now')
    .option('--days <number>', 'how far', '90')
    .addHelpText(
      'after',
      examples('rapport try overdue-chase ann@example.com', 'rapport try win-back +14155551000 --from 2026-03-29'),
    )
    .action(
      command(async (sequence: string, customer: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<LookOptions>();
        const input = {
          customer,
          days: numberOf('--days', options.days, 1, MOST_DAYS),
          ...(options.from ? { from: dateOf(options.from) } : {}),
          ...(options.draft ? { definition: definitionIn(options.draft) } : {}),
          ...(options.sequenceVersion
            ? { version: numberOf('--sequence-version', options.sequenceVersion, 1, 1_000_000) }
            : {}),
        };
        await withHub(async (hub) => {
          const tried = await runTry(hub.deps, await tenantOf(hub, options), sequence, input);
          print(options, tried, () => triedText(tried));
        });
      }),
    );

  program
    .command('shadow')
    .description('What sequences in shadow would have sent and done, newest first, and how much each day.')
    .argument('[sequence]', 'key or id')
    .option('--most <number>', 'lines of each list', '50')
    .addHelpText('after', examples('rapport shadow', 'rapport shadow overdue-chase --json'))
    .action(
      command(async (sequence: string | undefined, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<LookOptions>();
        const limit = numberOf('--most', options.most, 1, 10_000);
        await withHub(async (hub) => {
          const found = await hub.db.tenant(await tenantOf(hub, options), async (tx) => {
            const row = sequence ? await findSequence(tx, sequence) : undefined;
            if (sequence && !row) throw new Problem(404, 'not_found', `There is no sequence "${sequence}".`);
            const filter = { sequenceId: row?.id, limit };
            return { days: await shadowDays(tx, filter, await tenantZone(tx)), items: await listShadow(tx, filter) };
          });
          print(options, found, () =>
            [
              table(found.days, ['day', 'sequence', 'channel', 'n']),
              '',
              table(
                found.items.map((row) => ({ ...row, at: row.at.toISOString().slice(0, 16), to: row.recipient })),
                ['at', 'sequence', 'step_id', 'kind', 'to'],
              ),
            ].join('\n'),
          );
        });
      }),
    );
}

function numberOf(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new Problem(400, 'bad_number', `${name} takes a number from ${least} to ${most}, not "${text}".`);
  return value;
}

function dateOf(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))) return text;
  throw new Problem(400, 'bad_date', `--from takes a date such as 2026-03-02, not "${text}".`);
}

/** The definition in a file: by itself, or that of a playbook. */
function definitionIn(file: string): unknown {
  try {
    const value = parse(readFileSync(file, 'utf8')) as { sequence?: unknown } | null;
    return value && typeof value === 'object' && 'sequence' in value ? value.sequence : value;
  } catch (error) {
    throw new Problem(400, 'bad_file', `${file} cannot be read: ${messageOf(error)}.`);
  }
}

function forecastText(found: Static<typeof Forecast>): string {
  const { difference } = found;
  const lines = [
    `${counted(found.total, 'message')} to ${counted(found.reached, 'customer')} from ${found.from} to ${found.to}`,
    ...(difference
      ? [
          `Before ${difference.before}, with the draft ${difference.after}: ${counted(difference.more, 'customer')} would get more, ${counted(difference.less, 'customer')} less.`,
        ]
      : []),
    '',
    table(found.days, ['day', 'sequence', 'channel', 'count']),
    '',
    'Customers',
    table(
      (difference?.customers ?? found.customers).map((row) => ({ ...row, customer: row.name ?? row.id })),
      difference ? ['customer', 'before', 'after'] : ['customer', 'count'],
    ),
  ];
  if (found.waitingTotal > 0)
    lines.push(
      '',
      `${counted(found.waitingTotal, 'enrolment')} cannot go on before somebody settles something`,
      table(
        found.waiting.map((row) => ({ ...row, customer: row.customer.name ?? row.customer.id })),
        ['customer', 'sequence', 'step', 'detail'],
      ),
    );
  if (found.unforeseen.length > 0)
    lines.push('', `Nobody can foresee when these fire: ${found.unforeseen.join(', ')}.`);
  return [...lines, '', ...found.assumed].join('\n');
}

function triedText(tried: Static<typeof Tried>): string {
  const lines = [
    `${tried.sequence} with ${tried.customer.name ?? tried.customer.id} from ${tried.startOn} (${tried.zone})`,
  ];
  for (const step of tried.steps) {
    lines.push(`day ${step.day}  ${step.step}: ${step.outcome ?? 'stands here'}${step.why ? ` (${step.why})` : ''}`);
    for (const message of step.messages) {
      lines.push(`  ${message.localTime} ${message.kind} to ${message.recipient}: ${message.verdict} (${message.why})`);
      if (message.movedBy) lines.push(`    moved by ${message.movedBy}`);
      const content = message.content as { subject?: string; text?: string; title?: string } | null;
      for (const part of [content?.subject ?? content?.title, content?.text])
        if (part) lines.push(...part.split('\n').map((line) => `    | ${line}`));
    }
  }
  return [
    ...lines,
    tried.ends ? `Ends: ${tried.ends}.` : 'It goes on after that.',
    ...tried.notes,
    '',
    ...tried.assumed,
  ].join('\n');
}
