import { listAt, sha256, textAt, type VendorContext } from '../../src/kit/index.ts';
import { MODULES, moduleName } from './modules.ts';
import { zohoTime } from './records.ts';
import { crm } from './version.ts';

const DAY_MS = 86_400_000;
/** Zoho lets a channel live for a week at most. */
const LIVES_MS = 6 * DAY_MS;

/** Our number for the channel: unique in the organisation, and always the same for a connection. */
export const channelOf = (webhookUrl: string): string =>
  String(Number.parseInt(sha256(webhookUrl).toString('hex').slice(0, 12), 16));

/**
 * Has every change posted to us, by a channel that is renewed long before it ends.
 * @returns when it is to be renewed; undefined where nobody can reach us
 */
export async function watch(ctx: VendorContext): Promise<Date | undefined> {
  const secret = await ctx.webhookSecret();
  if (!ctx.webhookUrl || !secret) return undefined;
  const channel = channelOf(ctx.webhookUrl);
  const modules = MODULES.filter(({ feature }) => ctx.features.includes(feature));
  const events = [...new Set(modules.map((module) => `${moduleName(module, ctx.settings)}.all`))];
  const { body } = await ctx.call({ method: 'GET', path: crm('actions/watch'), query: { channel_id: channel } });
  const known = listAt(body, 'watch').some((one) => textAt(one, 'channel_id') === channel);
  await ctx.call({
    method: known ? 'PATCH' : 'POST',
    path: crm('actions/watch'),
    json: {
      watch: [
        {
          channel_id: channel,
          events,
          channel_expiry: zohoTime(new Date(ctx.now.getTime() + LIVES_MS)),
          token: secret,
          notify_url: ctx.webhookUrl,
          return_affected_field_values: false,
        },
      ],
    },
  });
  return new Date(ctx.now.getTime() + DAY_MS);
}

export async function unwatch(ctx: VendorContext): Promise<void> {
  if (!ctx.webhookUrl) return;
  const query = { channel_ids: channelOf(ctx.webhookUrl) };
  await ctx.call({ method: 'DELETE', path: crm('actions/watch'), query });
}
