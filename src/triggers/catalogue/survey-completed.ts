import { surveyAnswered } from '../surveys.ts';

export const surveyCompleted = surveyAnswered({
  name: 'survey.completed',
  title: 'Survey answered',
  arms: 'Fires once for each answer to a survey. Another answer of the same person fires for itself.',
});
