import type { SurveyDefinition } from '../../src/surveys/schema.ts';
import { open, type Paper, sendForm } from './forms.ts';
import type { Customer, Row, Story } from './story.ts';

/** A text in all four languages. */
export const said = (en: string, de = `${en} (de)`, fr = `${en} (fr)`, es = `${en} (es)`) => ({ en, de, fr, es });

/** A survey with a question of every kind, and everything an answer can set off. */
export const afterTheJob = (change: Partial<SurveyDefinition> = {}): SurveyDefinition => ({
  key: 'after-the-job',
  name: 'After the job',
  kind: 'csat',
  title: said('How was it?', 'Wie war es?'),
  intro: said('It takes a minute.'),
  questions: [
    { key: 'happy', kind: 'csat', text: said('How happy are you?', 'Wie zufrieden sind Sie?'), required: true },
    {
      ...{ key: 'why', kind: 'long_text', text: said('What went wrong?', 'Was lief schief?'), required: true },
      only_if: { question: 'happy', at_most: 2 },
    },
    { key: 'again', kind: 'yes_no', text: said('Would you come back?') },
    {
      ...{ key: 'liked', kind: 'multiple', text: said('What did you like?') },
      choices: [
        { key: 'speed', text: said('Speed') },
        { key: 'price', text: said('Price') },
      ],
    },
    { key: 'word', kind: 'short_text', text: said('In one word?'), hint: said('Anything goes.') },
  ],
  thanks: said('Thank you very much.', 'Vielen Dank!'),
  answered: {
    responder: { template: 'survey-thanks', bad_template: 'survey-sorry', channels: ['email'] },
    notify: { by: ['chat', 'email'] },
    task: { title: 'Review survey results' },
    bad: { task: { title: 'Call {customer}: {score} of 5', priority: 'high' }, tag: 'Unhappy' },
  },
  ...change,
});

/** Texts the survey replies with. */
export async function putTexts(story: Story): Promise<void> {
  await story.must('PUT', '/v1/templates/survey-thanks/email/en', {
    subject: 'Thank you for {{ survey.score }}',
    body: 'Hello {{ customer.first_name }}, your answer to "{{ survey.title }}" was {{ survey.verdict }}.',
  });
  await story.must('PUT', '/v1/templates/survey-sorry/email/en', {
    subject: 'We are sorry',
    body: 'Hello {{ customer.first_name }}, somebody calls you about {{ survey.score }}.',
  });
}

/** Invites a customer by hand. */
export const invited = async (story: Story, { id }: Pick<Customer, 'id'>, survey = 'after-the-job'): Promise<string> =>
  (await story.must('POST', `/v1/surveys/${survey}/invitations`, { customerId: id })).link;

/** Fills in the form of a page and sends it. */
export async function fillIn(url: string, given: Row, button = 'send', page?: Paper): Promise<Paper> {
  const fields = (page ?? (await open(url))).forms[0]!;
  for (const [key, value] of Object.entries(given)) {
    fields.delete(`q-${key}`);
    for (const one of Array.isArray(value) ? value : [value]) fields.append(`q-${key}`, String(one));
  }
  fields.set('do', button);
  return sendForm(url, fields);
}

/** Answers of a customer that are facts. */
export const responsesOf = (story: Story, { id }: Pick<Customer, 'id'>): Promise<Row[]> =>
  story.rows(
    `select survey, kind, score::float8 as score, answers, comment, deleted_at is not null as gone from survey_response
     where tenant_id = $1 and customer_id = $2 order by answered_at, remote_id`,
    id,
  );
