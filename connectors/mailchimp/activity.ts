import { defineStream, listAt, sha256, textAt, type VendorContext } from '../../src/kit/index.ts';
import { audienceOf, dataCentreOf, inSeconds, MAX_ROWS, numberAt } from './api.ts';

const DAY = 86_400;

/** Days a campaign is asked for what became of it: most opens and clicks come in the first ones. */
const daysOf = (ctx: VendorContext): number => Number(ctx.settings.activityDays ?? 30);

/** Opens, clicks and bounces of one campaign since a moment, each with the campaign and the person. */
async function activityOf(ctx: VendorContext, report: unknown, since: string | undefined): Promise<unknown[]> {
  const campaign = textAt(report, 'id') ?? '';
  const found: unknown[] = [];
  for (let offset = 0; ; offset += MAX_ROWS) {
    const { body } = await ctx.call({
      method: 'GET',
      host: dataCentreOf(ctx),
      path: `/3.0/reports/${encodeURIComponent(campaign)}/email-activity`,
      query: {
        fields: 'emails.email_id,emails.email_address,emails.activity,total_items',
        count: MAX_ROWS,
        offset,
        ...(since === undefined ? {} : { since: inSeconds(since, -1) }),
      },
      timeoutMs: 120_000,
    });
    const emails = listAt(body, 'emails');
    for (const email of emails)
      for (const activity of listAt(email, 'activity'))
        found.push({
          ...(activity as object),
          campaign_id: campaign,
          campaign_title: textAt(report, 'campaign_title') ?? '',
          subject_line: textAt(report, 'subject_line') ?? '',
          email_id: textAt(email, 'email_id') ?? '',
          email_address: textAt(email, 'email_address') ?? '',
        });
    if (offset + emails.length >= (numberAt(body, 'total_items') ?? 0) || emails.length === 0) return found;
  }
}

/** The vendor gives what happened no ids: who did what when, and where a click led, tells it apart. */
function idOf(record: unknown): string | undefined {
  const action = textAt(record, 'action');
  if (action === undefined) return textAt(record, 'id');
  const parts = [
    ...['campaign_id', 'email_id'].map((name) => textAt(record, name)),
    action,
    textAt(record, 'timestamp'),
  ];
  const url = textAt(record, 'url');
  return [...parts, ...(url ? [sha256(url).toString('hex').slice(0, 12)] : [])].join(':');
}

/**
 * Opens, clicks and bounces, which no webhook tells: each campaign of the last weeks is asked for what happened since the
 * last reading. The campaign itself is stored with it and is nobody's activity.
 */
export const emailActivity = defineStream({
  name: 'email_activity',
  title: 'Opens, clicks and bounces',
  entities: ['activity'],
  feature: 'read',
  after: ['members'],
  every: 3600,
  list: (ctx, { limit, offset }) => ({
    method: 'GET',
    host: dataCentreOf(ctx),
    path: '/3.0/reports',
    query: {
      count: limit,
      offset: offset ?? 0,
      since_send_time: inSeconds(new Date(ctx.now.getTime() - daysOf(ctx) * DAY * 1000)),
      exclude_fields: '_links,reports._links,reports.timeseries,reports.share_report,reports.industry_stats',
    },
  }),
  // A campaign can have been opened by a hundred thousand people: one at a time is enough.
  paging: { kind: 'offset', size: 1 },
  records: (reply) => (reply.body as { reports: unknown[] }).reports,
  complete: async (ctx, reports, at) => {
    const own = reports.filter((report) => textAt(report, 'list_id') === audienceOf(ctx));
    const found = await Promise.all(own.map((report) => activityOf(ctx, report, at?.since)));
    // Campaigns of other audiences stay as they are: what is listed must not look like an empty page.
    return [...reports, ...found.flat()];
  },
  id: idOf,
  changedAt: (record) => textAt(record, 'timestamp') ?? textAt(record, 'send_time'),
  // Figures of campaigns are collected by the vendor for minutes before they show.
  incremental: { granularity: 'second', lagSeconds: 3600, sorted: 'no' },
  deletes: { kind: 'none', reason: 'What somebody opened stays opened; Mailchimp deletes no activity.' },
});
