import { surveyAnswered } from '../surveys.ts';

export const npsPromoter = surveyAnswered({
  name: 'nps.promoter',
  title: 'Enthusiastic answer',
  arms: 'Fires once for each answer at or above the limit of its scale: 9 of 10 for NPS, 5 of 5 for satisfaction and stars. Another such answer fires for itself.',
  limits: { nps: 9, csat: 5, stars: 5 },
  counts: (score, limit) => score >= limit,
});
