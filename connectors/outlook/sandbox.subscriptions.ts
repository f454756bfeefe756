import { createHash } from 'node:crypto';
import type { Delivery, SandboxServer } from '../../src/kit/sandbox/index.ts';
import { type Item, type Kind, type Mailbox, typeOf } from './sandbox.state.ts';

export interface Subscription {
  id: string;
  resource: string;
  changeType: string;
  notificationUrl: string;
  lifecycleNotificationUrl?: string;
  clientState?: string;
  expirationDateTime: string;
}

type Change = 'created' | 'updated' | 'deleted';

/** Longest lives in minutes (dossier, Webhooks). */
const lifeOf = (resource: string): number => (resource.includes('todo/') ? 4230 : 10_080);

const KINDS: [RegExp, Kind][] = [
  [/^me\/contacts$/i, 'contact'],
  [/^me\/events$/i, 'event'],
  [/^me\/mailFolders\('inbox'\)\/messages$/i, 'message'],
  [/^me\/todo\/lists\/[^/]+\/tasks$/i, 'todoTask'],
];
const kindOf = (resource: string): Kind | undefined => KINDS.find(([pattern]) => pattern.test(resource))?.[1];

export interface Subscriptions {
  living(): Subscription[];
  /** @returns the new one, or why not */
  create(given: Record<string, string>): Promise<Subscription | string>;
  prolong(id: string, until: string): Subscription | undefined;
  drop(id: string): boolean;
  /** The bytes of a notification about an item, for a subscription. */
  note(subscription: Subscription, kind: Kind, item: Item, change: Change): object;
  /** Tells everybody who subscribed. */
  tell(kind: Kind, item: Item, change: Change): Promise<Delivery[]>;
  /** Posts a lifecycle event; `subscriptionRemoved` ends the subscription. */
  life(event: 'reauthorizationRequired' | 'subscriptionRemoved' | 'missed'): Promise<Delivery[]>;
}

/** Subscriptions with their handshake and their end. */
export function createSubscriptions(
  server: Pick<SandboxServer, 'post' | 'deliveries'>,
  mailbox: Mailbox,
): Subscriptions {
  const known = new Map<string, Subscription>();
  let made = 0;
  const now = (): number => mailbox.clock.now().getTime();
  const living = (): Subscription[] => [...known.values()].filter((one) => Date.parse(one.expirationDateTime) > now());
  const post = (url: string, value: object[]): Promise<Delivery> =>
    server.post(url, JSON.stringify({ value }), { 'content-type': 'application/json; charset=utf-8' });

  /** Somebody who does not repeat the token does not get notifications. */
  async function answers(url: string): Promise<boolean> {
    const token = `Validation: Testing client application reachability. ${++made} & <more>`;
    const asked = new URL(url);
    asked.searchParams.set('validationToken', token);
    const answer = await fetch(asked, {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    }).catch(() => undefined);
    return answer?.status === 200 && (await answer.text()) === token;
  }

  const note: Subscriptions['note'] = (subscription, kind, item, change) => ({
    subscriptionId: subscription.id,
    subscriptionExpirationDateTime: subscription.expirationDateTime,
    ...(subscription.clientState ? { clientState: subscription.clientState } : {}),
    changeType: change,
    resource: `Users/${mailbox.user.id}/${kind === 'todoTask' ? 'Tasks' : `${kind[0]!.toUpperCase()}${kind.slice(1)}s`}/${item.id}`,
    tenantId: mailbox.tenant,
    resourceData: {
      '@odata.type': typeOf(kind)
        .replace('microsoft.graph.', 'Microsoft.Graph.')
        .replace(/\.(\w)(\w*)$/, (_, a, b) => `.${a.toUpperCase()}${b}`),
      '@odata.id': `Users/${mailbox.user.id}/${item.id}`,
      '@odata.etag': item['@odata.etag'],
      id: item.id,
    },
  });

  return {
    living,
    note,
    async create(given) {
      const { notificationUrl = '', lifecycleNotificationUrl, resource = '', changeType = '', clientState } = given;
      if (!kindOf(resource)) return `Resource '${resource}' is not supported.`;
      const until = Date.parse(given.expirationDateTime ?? '');
      if (!(until <= now() + lifeOf(resource) * 60_000))
        return 'Subscription expiration can only be so many minutes in the future.';
      for (const url of new Set([notificationUrl, lifecycleNotificationUrl ?? notificationUrl]))
        if (!(await answers(url)))
          return 'Subscription validation request failed. Notification endpoint must respond with 200 OK.';
      const hex = createHash('sha256').update(`${++made}${resource}`).digest('hex');
      const id = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
      const made2: Subscription = {
        ...{ id, resource, changeType, notificationUrl },
        ...(lifecycleNotificationUrl ? { lifecycleNotificationUrl } : {}),
        ...(clientState ? { clientState } : {}),
        expirationDateTime: new Date(Math.max(until, now() + 45 * 60_000)).toISOString(),
      };
      known.set(id, made2);
      return made2;
    },
    prolong(id, until) {
      const found = living().find((one) => one.id === id);
      if (!found || Date.parse(until) > now() + lifeOf(found.resource) * 60_000) return undefined;
      found.expirationDateTime = until;
      return found;
    },
    drop: (id) => known.delete(id),
    tell: (kind, item, change) =>
      Promise.all(
        living()
          .filter((one) => kindOf(one.resource) === kind && one.changeType.includes(change))
          .map((one) => post(one.notificationUrl, [note(one, kind, item, change)])),
      ),
    life: (event) =>
      Promise.all(
        living().map((one) => {
          if (event === 'subscriptionRemoved') known.delete(one.id);
          return post(one.lifecycleNotificationUrl ?? one.notificationUrl, [
            {
              subscriptionId: one.id,
              subscriptionExpirationDateTime: one.expirationDateTime,
              tenantId: mailbox.tenant,
              clientState: one.clientState,
              lifecycleEvent: event,
            },
          ]);
        }),
      ),
  };
}
