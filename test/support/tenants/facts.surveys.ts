import type { SurveyDefinition } from '../../../src/surveys/schema.ts';
import { type Facts, type Flavour, type Ids, LONG_AGO } from './facts.ts';

/** A survey of one question. */
export const surveyOf = (key: string, text: string): SurveyDefinition => ({
  ...{ key, name: text, kind: 'csat', title: { en: text }, thanks: { en: text }, partial_after_days: 1 },
  questions: [{ key: 'happy', kind: 'csat', text: { en: text } }],
});

/** A survey somebody answered and somebody began to answer, and one nobody was asked. */
export function surveyFacts(ids: Ids, { mark, due }: Flavour): Facts {
  const kept = { latest_version: 1, version: 1, created_at: LONG_AGO };
  const asked = {
    survey_id: ids.survey,
    number: 1,
    customer_id: ids.customer,
    run_id: null,
    step_id: null,
    visit: null,
  };
  return {
    survey: [
      { ...kept, id: ids.survey, key: 'asked', state: 'open' },
      { ...kept, id: ids.unasked, key: 'unasked', state: 'open' },
    ],
    survey_version: [
      { survey_id: ids.survey, number: 1, definition: surveyOf('asked', `${mark}-asked`) },
      { survey_id: ids.unasked, number: 1, definition: surveyOf('unasked', `${mark}-unasked`) },
    ],
    survey_invitation: [
      {
        ...{ ...asked, id: ids.invitation, state: 'answered', answers: { happy: 5, said: mark }, score: 5 },
        ...{ completed_by: 'person', answered_at: LONG_AGO, counts_at: null, customer_ref: null },
      },
      {
        ...{ ...asked, id: ids.startedInvitation, state: 'started', answers: { happy: 4 }, score: null },
        ...{ completed_by: null, answered_at: null, counts_at: due, customer_ref: `${ids.stream}/c-1` },
      },
    ],
  };
}
