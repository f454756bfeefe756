import { type Static, Type } from 'typebox';
import type { Row } from '../base/database.ts';
import type { Change } from '../model/types.ts';
import { defineEvent } from './events.ts';
import { candidateOf, hitsOf, type Moment, momentOf, rowsDated } from './found.ts';
import { isOneOf, plain, Words } from './match.ts';
import type { Candidate, TriggerDefinition } from './schema.ts';

/** Where an answer begins, or ends, to count, by the scale it was given on. */
export const Limits = Type.Object(
  {
    nps: Type.Number({ minimum: 0, maximum: 10 }),
    csat: Type.Number({ minimum: 1, maximum: 5 }),
    stars: Type.Number({ minimum: 1, maximum: 5 }),
  },
  { additionalProperties: false, description: 'Scales: NPS 0 to 10, CSAT and stars 1 to 5' },
);

const Settings = Type.Object({ surveys: Words, limits: Type.Optional(Limits) }, { additionalProperties: false });

const SCALES: Record<string, keyof Static<typeof Limits>> = {
  nps: 'nps',
  netpromoterscore: 'nps',
  csat: 'csat',
  satisfaction: 'csat',
  stars: 'stars',
  rating: 'stars',
  review: 'stars',
};

/** A trigger for answers to surveys; `counts` judges the score on its scale. */
export function surveyAnswered(definition: {
  name: string;
  title: string;
  arms: string;
  limits?: Static<typeof Limits>;
  counts?: (score: number, limit: number) => boolean;
}): TriggerDefinition {
  const { counts, limits, ...words } = definition;
  const counted = (row: Row, settings: Static<typeof Settings>): boolean => {
    if (settings.surveys.length > 0 && !isOneOf(row.survey, settings.surveys)) return false;
    if (!counts) return true;
    const scale = SCALES[plain(row.kind)];
    const limit = scale && (settings.limits ?? limits)?.[scale];
    return limit !== undefined && row.score !== null && counts(Number(row.score), limit);
  };
  const found = (hit: Parameters<typeof candidateOf>[1], moment: Moment): Candidate =>
    candidateOf('survey_response', hit, moment, {
      key: hit.row.entity as string,
      data: { survey: hit.row.survey, kind: hit.row.kind, score: hit.row.score, comment: hit.row.comment },
      fact: { field: 'answered_at', operator: 'is_set', values: [], lasting: true },
    });
  // A score that is told after the answer itself is the same answer.
  const tells = ({ op, fields }: Change): boolean => op === 'created' || fields.includes('score');
  return defineEvent({
    ...words,
    key: 'response',
    kinds: ['survey_response'],
    settings: Settings,
    defaults: { surveys: [], ...(limits ? { limits } : {}) },
    fromChanges: async (tx, changes, settings, env) =>
      (await hitsOf(tx, changes, 'survey_response', tells))
        .filter(({ row }) => counted(row, settings))
        .map((hit) => found(hit, momentOf(hit, env, hit.row.answered_at as Date | null))),
    kept: false,
    dated: async (tx, from, to, settings, env) =>
      (await rowsDated(tx, 'survey_response', { time: 'answered_at' }, from, to, env, 'true'))
        .filter(({ row }) => counted(row, settings))
        .map(({ row, moment }) => found({ row }, moment)),
  });
}
