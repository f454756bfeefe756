import { randomUUID } from 'node:crypto';
import type { SignedPost } from '../../src/kit/index.ts';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { badRow, type Call } from './sandbox.answers.ts';
import { type Channel, shownTime, type ZohoOrg } from './sandbox.state.ts';
import { crm } from './version.ts';

const WEEK_MS = 7 * 86_400_000;
const HOUR_MS = 3_600_000;

export type Operation = 'insert' | 'update' | 'delete';

const EVENT: Record<Operation, string> = { insert: 'create', update: 'edit', delete: 'delete' };

const details = ({ channel_id, events, expiresAt }: Channel): object => ({
  events: events.map((name) => ({
    channel_expiry: shownTime(expiresAt),
    resource_uri: `https://www.zohoapis.com/crm/v8/${name.split('.')[0]}`,
    resource_id: '5725767000000002175',
    resource_name: name.split('.')[0],
    channel_id,
    notification_condition: [],
  })),
});

/** Notification channels: an hour unless an end is named, a week at most (dossier, Webhooks). */
export function installWatch(app: SandboxServer['app'], org: ZohoOrg): void {
  const path = crm('actions/watch');
  app.get(path, async (request: Call, reply) => {
    const found = [...org.channels.values()].filter(
      ({ channel_id, expiresAt }) => expiresAt > org.now() && (request.query.channel_id ?? channel_id) === channel_id,
    );
    if (found.length === 0) return reply.code(204).send();
    const watch = found.flatMap((channel) =>
      channel.events.map((name) => ({
        ...{ channel_id: channel.channel_id, notify_url: channel.notify_url, token: channel.token },
        ...{ resource_name: name.split('.')[0], events: [name], channel_expiry: shownTime(channel.expiresAt) },
      })),
    );
    return { watch, info: { per_page: 200, count: watch.length, page: 1, more_records: false } };
  });
  for (const method of ['POST', 'PATCH'] as const)
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        const [wanted] = (request.body as { watch: (Channel & { channel_expiry?: string })[] }).watch;
        const known = org.channels.get(wanted!.channel_id);
        if (method === 'PATCH' && !(known && known.expiresAt > org.now()))
          return reply.code(202).send({
            watch: [
              badRow('INVALID_DATA', 'invalid data', { api_name: 'channel_id', json_path: '$.watch[0].channel_id' }),
            ],
          });
        const end = wanted!.channel_expiry ? Date.parse(wanted!.channel_expiry) : org.now() + HOUR_MS;
        if (end > org.now() + WEEK_MS || wanted!.token.length > 50)
          return reply.code(202).send({
            watch: [
              badRow('INVALID_DATA', 'invalid data', {
                api_name: 'channel_expiry',
                json_path: '$.watch[0].channel_expiry',
              }),
            ],
          });
        const { channel_id, events, token, notify_url } = wanted!;
        const channel = { channel_id, events, token, notify_url, expiresAt: end };
        org.channels.set(channel_id, channel);
        const message =
          method === 'POST'
            ? 'Successfully subscribed for actions-watch of the given module'
            : 'Successfully updated the subscribe details';
        return reply
          .code(method === 'POST' ? 201 : 200)
          .send({ watch: [{ code: 'SUCCESS', details: details(channel), message, status: 'success' }] });
      },
    });
  app.delete(path, async (request: Call) => {
    for (const id of (request.query.channel_ids ?? '').split(',')) org.channels.delete(id);
    const message = 'Successfully un-subscribed from actions-watch';
    return { watch: [{ code: 'SUCCESS', details: {}, message, status: 'success' }] };
  });
}

/** A post about records, as a channel sends it (shape of the recorded sample). @param at the server's time */
export function postOf(
  channel: Pick<Channel, 'channel_id' | 'token' | 'notify_url'>,
  operation: Operation,
  module: string,
  ids: readonly string[],
  at: number,
): SignedPost {
  const post = {
    ...{ server_time: at, query_params: {}, module, resource_uri: `https://www.zohoapis.com/crm/v8/${module}`, ids },
    ...{ affected_fields: [], operation, channel_id: channel.channel_id, token: channel.token },
  };
  return { url: channel.notify_url, body: JSON.stringify(post), headers: { 'content-type': 'application/json' } };
}

/** The posts that go out now about these records: one for each channel that listens and has not ended. */
export const postsNow = (org: ZohoOrg, operation: Operation, module: string, ids: readonly string[]): SignedPost[] =>
  [...org.channels.values()]
    .filter(
      ({ events, expiresAt }) =>
        expiresAt > org.now() &&
        [`${module}.all`, `${module}.${EVENT[operation]}`].some((name) => events.includes(name)),
    )
    .map((channel) => postOf(channel, operation, module, ids, org.now()));

/** A channel nobody set up, for posts that are looked at without one. */
export const noChannel = (notify_url: string): Channel => ({
  ...{ channel_id: '1', events: [], token: randomUUID(), notify_url, expiresAt: 0 },
});
