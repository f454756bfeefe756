import { insertRows, type Tx } from '../base/database.ts';
import { hashToken, hmacSha256 } from '../base/ids.ts';
import type { ContentDeps, LinkRow } from './content.schema.ts';
import type { Links } from './footer.ts';
import type { RequestRow } from './store.ts';

/** Links for one person, channel and topic; the same for ever, so that old mails keep working. They work once they are kept. */
export function linksFor(
  deps: ContentDeps,
  tenantId: string,
  request: Pick<RequestRow, 'customer_id' | 'channel' | 'topic' | 'recipient' | 'created_at'>,
): { links: Links; row: LinkRow } {
  const { customer_id: customerId, channel, recipient: address, created_at } = request;
  const topic = request.topic ?? '*';
  const token = hmacSha256(deps.linkKey, `${tenantId} ${customerId} ${channel} ${topic}`).toString('base64url');
  return {
    links: {
      unsubscribe: `${deps.publicUrl}/u/${token}`,
      preferences: `${deps.publicUrl}/p/${token}`,
      why: `${deps.publicUrl}/w/${token}`,
    },
    row: {
      token_hash: hashToken(token),
      purpose: 'unsubscribe',
      subject: { customerId, channel, topic, address },
      created_at,
    },
  };
}

/** Whether a message holds one of the links: most texts to customers hold none, and nothing is kept for them. */
export function mentions(content: Record<string, unknown>, links: Links): boolean {
  const token = links.unsubscribe.slice(links.unsubscribe.lastIndexOf('/') + 1);
  return JSON.stringify(content).includes(token);
}

/** Keeps links that stand in messages, for good. */
export async function keepLinks(tx: Tx, rows: readonly LinkRow[]): Promise<void> {
  const columns = [
    { name: 'token_hash', type: 'text' },
    { name: 'purpose', type: 'text' },
    { name: 'subject', type: 'jsonb' },
    { name: 'created_at', type: 'timestamptz' },
  ];
  // Each once and in one order: two who keep the same links at the same time do not wait for each other in a circle.
  const sorted = [...new Map(rows.map((row) => [row.token_hash, row] as const))].sort(([a], [b]) => (a < b ? -1 : 1));
  await insertRows(
    tx,
    'link_route',
    columns,
    sorted.map(([, row]) => ({ ...row })),
    'on conflict (token_hash) do nothing',
  );
}
