import type { Channel } from './sandbox.state.ts';

/** Headers of a post of a channel; there is never a body. */
export const headersOf = (channel: Channel, state: 'sync' | 'exists', number: number): Record<string, string> => ({
  'content-type': 'application/json; charset=utf-8',
  'x-goog-channel-id': channel.id,
  'x-goog-channel-token': channel.token,
  'x-goog-channel-expiration': channel.endsAt.toUTCString(),
  'x-goog-resource-id': channel.resourceId,
  'x-goog-resource-uri': `https://www.googleapis.com/calendar/v3/calendars/${channel.calendar}/events?alt=json`,
  'x-goog-resource-state': state,
  'x-goog-message-number': String(number),
});
