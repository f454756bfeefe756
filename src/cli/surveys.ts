import type { Command } from 'commander';
import { Problem } from '../base/errors.ts';
import type { Hub } from '../hub.ts';
import { lookUpCustomer } from '../model/store.ts';
import { tenantZone } from '../settings/store.ts';
import { answersCsv } from '../surveys/csv.ts';
import { surveyNamed, switchSurvey } from '../surveys/manage.ts';
import { resultsOf } from '../surveys/results.ts';
import { inviteByHand } from '../surveys/routes.ts';
import { listSurveys } from '../surveys/store.ts';
import { type CommonOptions, command, examples, print, table, tenantOf, withHub } from './context.ts';

interface SurveyOptions extends CommonOptions {
  close?: boolean;
  open?: boolean;
  invite?: string;
  csv?: boolean;
}

/** What customers are asked, and what they answered. */
export function surveyCommands(program: Command): void {
  program
    .command('surveys')
    .description('Surveys; with a key, what came of it.\ndocs/surveys.md tells how one is made.')
    .argument('[key]', 'key or id of a survey')
    .option('--csv', 'its answers as a file')
    .option('--invite <customer>', 'a link for a customer: id, e-mail address or phone number; nothing is sent')
    .option('--close', 'take no more answers')
    .option('--open', 'take answers again')
    .addHelpText(
      'after',
      examples(
        'rapport surveys',
        'rapport surveys after-the-job',
        'rapport surveys after-the-job --csv > answers.csv',
        'rapport surveys after-the-job --invite ann@example.com',
      ),
    )
    .action(
      command(async (key: string | undefined, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<SurveyOptions>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          if (key === undefined) await list(hub, tenantId, options);
          else if (options.csv) await csv(hub, tenantId, key, options);
          else if (options.invite !== undefined) await invite(hub, tenantId, key, options.invite, options);
          else if (options.close || options.open) await turn(hub, tenantId, key, options);
          else await results(hub, tenantId, key, options);
        });
      }),
    );
}

async function list(hub: Hub, tenantId: string, options: SurveyOptions): Promise<void> {
  const rows = (await hub.db.tenant(tenantId, (tx) => listSurveys(tx))).map((row) => ({
    ...{ id: row.id, survey: row.key, name: row.definition.name, kind: row.definition.kind, state: row.state },
  }));
  print(options, { surveys: rows }, () => table(rows, ['survey', 'name', 'kind', 'state']));
}

async function results(hub: Hub, tenantId: string, key: string, options: SurveyOptions): Promise<void> {
  const found = await hub.db.tenant(tenantId, async (tx) => {
    const { id, definition } = await surveyNamed(tx, key);
    return { definition, ...(await resultsOf(tx, id, definition, {}, 'month', await tenantZone(tx))) };
  });
  const { definition, ...all } = found;
  const { scores } = all;
  const score = scores.nps === null ? `average ${scores.average ?? '-'}` : `NPS ${scores.nps}`;
  print(options, { survey: definition.key, ...all }, () =>
    [
      `${definition.name}: ${all.invited} invited, ${all.started} began, ${all.answered} answered. ${score} of ${scores.n}.`,
      ...all.questions.map(
        ({ key: question, answered, values }) =>
          `  ${question} (${answered}): ${values.map(({ value, n }) => `${value} x ${n}`).join(', ') || 'texts'}`,
      ),
    ].join('\n'),
  );
}

async function csv(hub: Hub, tenantId: string, key: string, options: SurveyOptions): Promise<void> {
  const survey = await hub.db.tenant(tenantId, (tx) => surveyNamed(tx, key));
  const text = await answersCsv(hub.db, tenantId, survey, {});
  print(options, { survey: survey.key, csv: text }, () => text.trimEnd());
}

async function invite(hub: Hub, tenantId: string, key: string, who: string, options: SurveyOptions): Promise<void> {
  const made = await hub.db.tenant(tenantId, async (tx) => {
    const [customer, ...more] = await lookUpCustomer(tx, who);
    if (!customer || more.length > 0)
      throw new Problem(
        404,
        'not_found',
        customer ? `Several customers are "${who}".` : `There is no customer "${who}".`,
        {
          fix: 'Name one by the e-mail address or id.',
        },
      );
    return inviteByHand(hub.deps.content, tx, { survey: key, customer: customer.id }, 'cli', hub.clock.now());
  });
  print(options, made, () => made.link);
}

async function turn(hub: Hub, tenantId: string, key: string, options: SurveyOptions): Promise<void> {
  const row = await hub.db.tenant(tenantId, async (tx) => {
    const { version } = await surveyNamed(tx, key);
    const meta = { actor: 'cli', at: hub.clock.now(), expected: version };
    return switchSurvey(tx, key, options.close ? 'closed' : 'open', meta);
  });
  print(options, { id: row.id, state: row.state }, () => `"${row.definition.name}" is ${row.state}.`);
}
