import type { Command } from 'commander';
import type { Static } from 'typebox';
import { tellScores } from '../actions/writeback.ts';
import { notFound, Problem } from '../base/errors.ts';
import { isLocalDate } from '../base/time.ts';
import { lookUpCustomer } from '../model/store.ts';
import { type ScoresAsOf, scoresAsOf } from '../scoring/asof.ts';
import { explainScore } from '../scoring/explain.ts';
import { FACTORS, round2 } from '../scoring/formula.ts';
import { runScores } from '../scoring/jobs.ts';
import type { PassResult } from '../scoring/pass.ts';
import type { CustomerScore } from '../scoring/schema.ts';
import { findStanding } from '../scoring/store.ts';
import { toCustomerScore, toStanding } from '../scoring/view.ts';
import { type CommonOptions, command, counted, examples, print, table, tenantOf, withHub } from './context.ts';

type Explained = Static<typeof CustomerScore>;

interface Options extends CommonOptions {
  asOf?: string;
  run?: boolean;
}

/** The relationship score: of one customer, of everybody on a day, and the pass by hand. */
export function scoreCommands(program: Command): void {
  program
    .command('score')
    .description(
      'The relationship score: of one customer with reasons, or of everybody on a day.\n' +
        'A customer is an id, an e-mail address, a phone number, a native id, or a name only one has.\n' +
        '--as-of computes from facts that had happened by that day, as they are known now: what was corrected later counts\n' +
        'as corrected, what was deleted since is not there, and the weights are the present ones. What counts as full spend\n' +
        'is what was frozen in that month, else what the facts up to the first of it make. Nothing is stored by it.\n' +
        '--run does the daily pass now and stores what changed.',
    )
    .argument('[customer]')
    .option('--as-of <date>', 'everybody on that day, such as 2026-03-31')
    .option('--run', 'score everybody now')
    .addHelpText(
      'after',
      examples('rapport score ann@example.com', 'rapport score --as-of 2026-03-31 --json', 'rapport score --run'),
    )
    .action(
      command(async (customer: string | undefined, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        if ([customer, options.asOf, options.run].filter((given) => given !== undefined).length !== 1)
          throw new Problem(400, 'bad_command', 'Say one of these: a customer, --as-of with a day, or --run.', {
            fix: 'rapport score --help has examples.',
          });
        if (options.asOf !== undefined && !isLocalDate(options.asOf))
          throw new Problem(400, 'bad_date', `--as-of must be a date such as 2026-03-31, not "${options.asOf}".`);
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          if (options.run) {
            const result = await runScores({ ...hub.deps, tell: tellScores(() => hub.deps) }, tenantId, true);
            return print(options, result, () => passText(result));
          }
          if (options.asOf !== undefined) {
            const day = options.asOf;
            const found = await hub.db.rehearse(tenantId, (tx) => scoresAsOf(tx, day, hub.clock.now()));
            return print(options, found.scores, () => asOfText(found));
          }
          const body = await hub.db.tenant(tenantId, async (tx) => {
            const matches = await lookUpCustomer(tx, customer!);
            if (matches.length === 0) throw notFound('customer', customer!);
            if (matches.length > 1)
              throw new Problem(409, 'several', `Several customers are known as "${customer}".`, {
                fix: `Name one by id: ${matches.map((row) => row.id).join(', ')}.`,
              });
            const { id } = matches[0]!;
            return toCustomerScore(id, await explainScore(tx, id), toStanding(await findStanding(tx, id)));
          });
          print(options, body, () => explainedText(body));
        });
      }),
    );
}

const passText = ({ day, written, kept, turned }: PassResult): string =>
  `${day}: ${counted(written, 'score')} changed, ${counted(kept, 'line')} of history, ${counted(turned, 'customer')} with another band, VIP or unhappy mark.`;

function asOfText({ day, yardstick, scoredOn, scores }: ScoresAsOf): string {
  const rows = scores.map(({ customer, externalIds, score, factors }) => ({
    customer,
    ids: externalIds.join(' '),
    score: score ?? '-',
    ...Object.fromEntries(FACTORS.map((factor) => [factor, factors[factor] ?? '-'])),
  }));
  const full = `${yardstick.target} paid counts as full (${yardstick.kind === 'payers' ? `90th percentile of ${counted(yardstick.payers, 'payer')}` : 'as configured: fewer than 20 have paid'}${yardstick.frozen ? ', frozen then' : ''})`;
  return `${table(rows, ['score', ...FACTORS, 'customer', 'ids'])}\n${counted(scores.length, 'customer')} as of ${day}, scored on ${scoredOn.length} of ${FACTORS.length} factors; ${full}.`;
}

const signed = (value: number): string => `${value < 0 ? '' : '+'}${round2(value)}`;

function explainedText(body: Explained): string {
  const marks = [
    body.band?.replace('_', ' '),
    body.vip ? `VIP${body.standing.pinned ? ' by hand' : ''}` : undefined,
    body.unhappy ? `unhappy since ${body.unhappySince} (${body.unhappyBecause})` : undefined,
  ].filter((mark) => mark !== undefined);
  const head =
    body.score === null
      ? `${body.customerId}: no score. ${body.notScored} ${body.day === null ? '"rapport score --run" looks at everybody now.' : ''}`.trim()
      : `${body.customerId}: ${body.score} on ${body.day} (${marks.join(', ')}), scored on ${body.scoredOn} of ${body.of} factors`;
  const rows = body.factors.map((line) => ({
    factor: line.factor,
    value: line.value ?? '-',
    weight: round2(line.weight),
    points: line.points,
    missing: line.gap,
    known: `${line.input}${line.noData ? ' (no data)' : ''}${line.staleSince ? ` (stale: last told ${line.staleDays} days ago)` : ''}`,
  }));
  const changes = body.factors.flatMap(({ factor, change }) =>
    change ? [`  ${factor}: ${change.what} = ${signed(change.effect)}`] : [],
  );
  const since = body.since.map(
    ({ day, from, to, total, factors, yardstick }) =>
      `  since ${day}: ${from} to ${to} (${signed(total)}: ${
        [
          ...Object.entries(factors).filter(([, points]) => Math.abs(points) >= 0.005),
          ...(yardstick === 0 ? [] : ([['yardstick', yardstick]] as const)),
        ]
          .map(([name, points]) => `${name} ${signed(points)}`)
          .join(', ') || 'nothing moved'
      })`,
  );
  return [
    head,
    ...(rows.length > 0 ? ['', table(rows, ['factor', 'value', 'weight', 'points', 'missing', 'known'])] : []),
    ...(changes.length > 0 ? ['', 'What would help', ...changes] : []),
    ...(since.length > 0 ? ['', 'What changed', ...since] : []),
  ].join('\n');
}
