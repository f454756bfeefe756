import { surveyAnswered } from '../surveys.ts';

export const npsDetractor = surveyAnswered({
  name: 'nps.detractor',
  title: 'Unhappy answer',
  arms: 'Fires once for each answer at or below the limit of its scale: 6 of 10 for NPS, 2 of 5 for satisfaction and stars. Another such answer fires for itself.',
  limits: { nps: 6, csat: 2, stars: 2 },
  counts: (score, limit) => score <= limit,
});
