import { Type } from 'typebox';
import { type ActionDefinition, defineAction, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { allOf } from './api.ts';

/** What a booking that came from a link of ours has as its source. */
export const LINK_SOURCE = 'rapport';

/** What links are for: as asked for, as set, or the first active one of the person who connected. */
async function eventTypeOf(ctx: VendorContext, wanted: string | undefined): Promise<string> {
  const named = wanted ?? textAt(ctx.settings, 'eventType');
  if (named) return named;
  const query = { user: textAt(ctx.account.extra, 'user'), active: true };
  const uri = textAt((await allOf(ctx, { path: '/event_types', query }))[0], 'uri');
  if (uri) return uri;
  throw new VendorError(
    'invalid',
    'There is no active event type at Calendly to be booked: make one there, then try again.',
  );
}

/** The link for one person: it says where a booking comes from, and fills in who it is for. */
function linkFor(address: string, requestId: string, person: { name?: string; email?: string }): string {
  const url = new URL(address);
  url.searchParams.set('utm_source', LINK_SOURCE);
  url.searchParams.set('utm_content', requestId);
  if (person.name) url.searchParams.set('name', person.name);
  if (person.email) url.searchParams.set('email', person.email);
  return url.href;
}

export const actions: readonly ActionDefinition[] = [
  defineAction<'create_booking_link', { eventType?: string; name?: string; email?: string }>({
    kind: 'create_booking_link',
    title: 'Booking link that works once',
    feature: 'links',
    extra: Type.Object({
      eventType: Type.Optional(Type.String({ maxLength: 300, description: 'Address of the event type' })),
      name: Type.Optional(Type.String({ maxLength: 200, description: 'Filled in for whoever books' })),
      email: Type.Optional(Type.String({ format: 'email', description: 'Filled in for whoever books' })),
    }),
    idempotency: {
      kind: 'natural',
      note: 'A link nobody was given books nothing and ends by itself after 90 days: only the last one is handed on.',
    },
    before: (ctx, input) => eventTypeOf(ctx, input.eventType),
    request: (ctx, input, meta) => ({
      method: 'POST',
      path: '/scheduling_links',
      json: {
        max_event_count: 1,
        owner:
          typeof meta.before === 'string' ? meta.before : (input.eventType ?? textAt(ctx.settings, 'eventType') ?? ''),
        owner_type: 'EventType',
      },
    }),
    receipt: (reply, _ctx, input, meta) => {
      const address = textAt(reply.body, 'resource.booking_url') ?? '';
      // The link is all there is: it has no id of its own.
      return { nativeId: address, url: linkFor(address, meta.requestId, input), state: 'created' };
    },
  }),
];
