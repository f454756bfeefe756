import { newId } from '../../src/base/ids.ts';
import { handlersOf } from './handlers.ts';
import { beginStory, type Row, type Story } from './story.ts';

/** A business whose customers are made in the database, and campaigns that are lived turn by turn. */
export interface CampaignStory extends Story {
  /** Makes customers `<name>1`, `<name>2`, ...; answers their ids, in order. */
  crowd(name: string, n: number, more?: Row): Promise<string[]>;
  /** Installs and switches on a sequence of these steps. */
  sequence(key: string, steps: readonly Row[], more?: Row): Promise<Row>;
  campaign(key: string, sequence: string, audience: Row, more?: Row): Promise<Row>;
  preview(campaign: Row): Promise<Row>;
  /** Starts it as previewed, typing what has to be typed. */
  start(campaign: Row, preview?: Row): Promise<Row>;
  act(campaign: Row, verb: string, body?: Row): Promise<Row>;
  /** Lets the queue of campaigns work once. */
  tick(): Promise<void>;
  /** Lives from turn to turn until a moment. */
  live(until: string): Promise<void>;
  members(campaign: Row, state?: string): Promise<Row[]>;
}

export const REST = [{ id: 'rest', wait: { days: 90 } }];
export const MAIL = [
  { id: 'hello', message: { channels: ['email'], template: 'hello' } },
  { id: 'rest', wait: { days: 90 } },
];

/** Opens the business; mails go out through a simulated server. */
export async function beginCampaigns(at = '2026-03-05T14:00:00Z', alwaysOpen = false): Promise<CampaignStory> {
  const story = await beginStory({ at, vendors: ['smtp'], alwaysOpen });
  const tick = () => handlersOf(story.hub).get('campaigns')!({ tenantId: story.tenantId });
  await story.must('PUT', '/v1/templates/hello/email/en', { subject: 'Hello', body: 'Hello {{ customer.name }}.' });
  const version = (row: Row) => ({ 'if-match': `"${row.version}"` });
  const now = (row: Row) => story.must('GET', `/v1/campaigns/${row.id}`);
  const own: Omit<CampaignStory, keyof Story> = {
    async crowd(name, n, more = {}) {
      const ids = Array.from({ length: n }, () => newId());
      const given = { email: (at: number) => `${name}${at}@example.com`, ...more } as Row;
      for (const [at, id] of ids.entries())
        await story.rows(
          `insert into customer (tenant_id, id, name, email, phone, tags, local_zone, provenance, sources, created_at, updated_at)
           values ($1, $2, $3, $4, $5, $6, $7, '{}', 1, $8, $8)`,
          ...[id, `${name}${at + 1}`, given.email === null ? null : given.email(at + 1), given.phone ?? null],
          ...[given.tags ?? [], given.zone ?? null, story.clock.now()],
        );
      return ids;
    },
    async sequence(key, steps, more = {}) {
      await story.must('POST', '/v1/sequences', {
        ...{ key, title: key, class: 'transactional', topic: 'news', triggers: [{ name: 'manual' }], per: 'customer' },
        ...{ again: { policy: 'once' }, exits: [], steps, ...more },
      });
      const path = `/v1/sequences/${key}`;
      return story.must('POST', `${path}/switch`, { on: true }, await story.version(path));
    },
    campaign: (key, sequence, audience, more = {}) =>
      story.must('POST', '/v1/campaigns', { key, title: key, sequence, audience, ...more }),
    preview: (campaign) => story.must('POST', `/v1/campaigns/${campaign.id}/preview`),
    async start(campaign, preview) {
      const seen = preview ?? (await own.preview(campaign));
      const body = { token: seen.token, ...(seen.confirm === null ? {} : { confirm: seen.confirm }) };
      return story.must('POST', `/v1/campaigns/${campaign.id}/start`, body, version(await now(campaign)));
    },
    act: async (campaign, verb, body) =>
      story.must('POST', `/v1/campaigns/${campaign.id}/${verb}`, body, version(await now(campaign))),
    tick,
    async live(until) {
      for (;;) {
        await tick();
        const [next] = await story.rows(
          "select min(m.due_at) as at from campaign_member m join campaign c on c.tenant_id = $1 and c.id = m.campaign_id and c.state = 'running' where m.tenant_id = $1 and m.state = 'waiting'",
        );
        if (!next!.at || next!.at > new Date(until)) break;
        if (next!.at > story.clock.now()) story.clock.set(next!.at);
      }
      if (story.clock.now() < new Date(until)) story.clock.set(new Date(until));
    },
    members: async (campaign, state) =>
      (await story.must('GET', `/v1/campaigns/${campaign.id}/enrolments?limit=200${state ? `&state=${state}` : ''}`))
        .items,
  };
  return { ...story, ...own };
}
