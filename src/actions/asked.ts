import { NoSurvey, surveyValues } from '../surveys/context.ts';
import type { LinkDeps } from '../surveys/invitations.ts';
import { TemplateError } from '../texts/render.ts';
import type { ContentDeps } from './content.schema.ts';

/**
 * What texts can say of the survey they invite to, or whose answer they reply to, as a function for the values of texts.
 * It throws TemplateError when there is no such survey, or it is closed.
 */
export const surveyInTexts =
  (deps: LinkDeps): NonNullable<ContentDeps['moreFor']> =>
  async (tx, request) => {
    const { plan, run_id: runId, step_id: stepId, visit } = request;
    if (plan.type !== 'message' || !plan.survey) return {};
    const { survey, invitation } = plan;
    const step = runId && stepId ? { runId, stepId, visit: visit ?? 0 } : undefined;
    const asking = { survey, invitation, step, address: request.recipient, by: request.created_by };
    try {
      return await surveyValues(deps, tx, { ...asking, customerId: request.customer_id! }, request.created_at);
    } catch (error) {
      if (!(error instanceof NoSurvey)) throw error;
      throw new TemplateError(error.message);
    }
  };
