import { hmacSha256, type SignedPost } from '../../src/kit/index.ts';
import { VERSION } from './version.ts';

export interface Sender {
  domain: string;
  secret: string;
  /** Begins the ids of its deliveries, which no other shop's have. */
  delivery: string;
}

export interface Post {
  /** As posts name it: `orders/updated`. */
  topic: string;
  body: object;
  /** Identifies the event; each delivery of it has an id of its own, the same when it is tried again. */
  event: string;
  at: Date;
}

/** A post as Shopify signs it: the bytes only, no time. */
export function signPost(
  url: string,
  { domain, secret, delivery }: Sender,
  { topic, body, event, at }: Post,
): SignedPost {
  const text = JSON.stringify(body);
  return {
    url,
    body: text,
    headers: {
      'content-type': 'application/json',
      'x-shopify-topic': topic,
      'x-shopify-hmac-sha256': hmacSha256(secret, text).toString('base64'),
      'x-shopify-shop-domain': domain,
      'x-shopify-api-version': VERSION,
      'x-shopify-webhook-id': `${delivery}-${event}`,
      'x-shopify-event-id': event,
      'x-shopify-triggered-at': at.toISOString(),
    },
  };
}

/** Topics as subscriptions name them. */
export const topicName = (topic: string): string => topic.toUpperCase().replace(/[/.]/g, '_');
