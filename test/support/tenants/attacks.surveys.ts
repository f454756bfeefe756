import type { SurveyPorts } from '../../../src/surveys/ports.ts';
import { surveyOf } from './facts.surveys.ts';
import { NOW } from './facts.ts';
import { attacksOn, type Surroundings } from './functions.ts';
import type { Tenant } from './seed.ts';

const MINE = surveyOf('asked', 'Mine');
const NONE: SurveyPorts = {
  reply: async () => undefined,
  tell: async () => undefined,
  task: async () => {},
  tag: async () => {},
};
const LINKS = { publicUrl: 'https://hub.example', linkKey: Buffer.alloc(32, 1) };
const started = ({ ids }: Tenant) => ({
  ...{ id: ids.startedInvitation, survey_id: ids.survey, number: 1, customer_id: ids.customer },
  ...{ customer_ref: `${ids.stream}/c-1`, run_id: null, step_id: null, visit: null, state: 'started' },
  ...{ answers: { happy: 4 }, score: null, started_at: NOW, answered_at: null, completed_by: null, counts_at: null },
});
const survey = ({ ids }: Tenant) => ({ id: ids.survey, key: 'asked', latest_version: 1, definition: MINE });
const meta = { actor: 'x', at: NOW, templates: new Set<string>(), expected: 1 };
const saved = { by: 'x', now: NOW, expected: 1 };
const asking = ({ ids }: Tenant) => ({
  ...{ survey: ids.survey, invitation: ids.invitation, customerId: ids.customer, address: 'ann@example.com' },
  ...{ step: undefined, by: 'x' },
});
const outside = (deps: Surroundings['deps']) => ({ ...deps, surveyPorts: NONE });
const wish = ({ ids }: Tenant) => ({
  ...{ row: { id: ids.invitation }, survey: MINE, answers: {}, score: 1, bad: true, by: 'person', language: 'en' },
  customer: { id: ids.customer, name: null, email: null },
});
/** Attacks on surveys: what they ask, who was asked and what was answered. */
export const SURVEYS = [
  ...attacksOn('surveys/store.ts', {
    listSurveys: () => [],
    findSurvey: ({ ids }) => [ids.survey],
    loadVersion: ({ ids }) => [ids.survey, 1],
    insertSurvey: () => [surveyOf('new', 'x'), saved],
    addSurveyVersion: ({ ids }) => [ids.survey, MINE, saved],
    setSurveyState: ({ ids }) => [ids.survey, { state: 'closed', expected: 1, now: NOW }],
    deleteSurvey: ({ ids }) => [ids.unasked, 1],
  }),
  ...attacksOn('surveys/manage.ts', {
    surveyNamed: { args: ({ ids }) => [ids.survey], refuses: /no survey/ },
    surveyKeys: () => [],
    createSurvey: () => [surveyOf('new', 'x'), meta],
    changeSurvey: { args: ({ ids }) => [ids.survey, MINE, meta], refuses: /no survey/ },
    switchSurvey: { args: ({ ids }) => [ids.survey, 'closed', meta], refuses: /no survey/ },
    removeSurvey: { args: ({ ids }) => [ids.unasked, [], meta], refuses: /no survey/ },
    putSurveys: () => [[surveyOf('new', 'x')], meta],
  }),
  ...attacksOn('surveys/invitations.ts', {
    invite: (victim) => [survey(victim), { customerId: victim.ids.customer, by: 'x' }, NOW],
    findInvitation: ({ ids }) => [ids.invitation, true],
    invitedCustomer: (victim) => [started(victim)],
    saveInvitation: (victim) => [{ ...started(victim), answers: {} }, NOW],
    linkTo: (victim) => [LINKS, started(victim), NOW],
    dueInvitations: () => [NOW],
  }),
  ...attacksOn('surveys/routes.ts', {
    inviteByHand: {
      args: ({ ids }) => [LINKS, { survey: ids.survey, customer: ids.customer }, 'x', NOW],
      refuses: /no survey/,
    },
  }),
  ...attacksOn('surveys/answer.ts', {
    keepPartial: (victim) => [started(victim), MINE, { happy: 1 }, NOW],
    handIn: (victim, { deps }) => [outside(deps), started(victim), MINE, { happy: 1 }, 'person', NOW],
  }),
  ...attacksOn('surveys/setoff.ts', {
    setOff: { args: (victim) => [NONE, wish(victim), NOW], harmless: 'the actions room writes, and is attacked there' },
  }),
  ...attacksOn('surveys/context.ts', {
    surveyExample: ({ ids }) => ['https://hub.example', ids.survey, 'en'],
    surveyValues: { args: (victim) => [LINKS, asking(victim), NOW], refuses: /no survey/ },
  }),
  ...attacksOn('surveys/results.ts', {
    resultsOf: ({ ids }) => [ids.survey, MINE, {}, 'month', 'UTC'],
    answersTo: ({ ids }) => [ids.survey, {}, { limit: 10 }],
  }),
];
