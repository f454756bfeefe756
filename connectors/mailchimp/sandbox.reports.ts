import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { type Call, missing, paged, picked } from './sandbox.http.ts';
import type { Campaign, MailchimpState } from './sandbox.state.ts';

/** A campaign with its figures, which are counted anew each time. */
function reportOf({ emails, ...campaign }: Campaign): Record<string, unknown> {
  const acts = [...emails.values()].flatMap(({ activity }) => activity);
  const of = (action: string): number => acts.filter((one) => one.action === action).length;
  return {
    ...campaign,
    type: 'regular',
    list_is_active: true,
    list_name: 'Customers',
    emails_sent: emails.size,
    abuse_reports: 0,
    unsubscribed: 0,
    bounces: { hard_bounces: of('bounce'), soft_bounces: 0, syntax_errors: 0 },
    opens: { opens_total: of('open'), unique_opens: of('open'), open_rate: 0 },
    clicks: { clicks_total: of('click'), unique_clicks: of('click'), click_rate: 0 },
  };
}

/** Reports of campaigns and what people did with them. */
export function installReports(app: SandboxServer['app'], state: MailchimpState): void {
  app.get('/3.0/reports', async (request: Call) => {
    const { query } = request;
    const found = state.campaigns
      .filter(({ send_time }) => !query.since_send_time || send_time > query.since_send_time)
      .sort((a, b) => (a.send_time < b.send_time ? 1 : -1));
    return { reports: paged(found, query).map(reportOf), total_items: found.length };
  });
  app.get('/3.0/reports/:campaign/email-activity', async (request: Call, reply) => {
    const campaign = state.campaigns.find(({ id }) => id === request.params.campaign);
    if (!campaign) return missing(reply);
    const { since, fields } = request.query;
    const emails = [...campaign.emails.values()].flatMap(({ activity, ...email }) => {
      const shown = activity.filter(({ timestamp }) => !since || timestamp > since);
      return since && shown.length === 0
        ? []
        : [{ campaign_id: campaign.id, list_id: campaign.list_id, ...email, activity: shown }];
    });
    const body = { emails: paged(emails, request.query), campaign_id: campaign.id, total_items: emails.length };
    return picked(body, fields);
  });
}
