import {
  at,
  defineStream,
  type FieldDescription,
  type ListPosition,
  listAt,
  type Stream,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { emailActivity } from './activity.ts';
import { inSeconds, MAX_ROWS, numberAt, ofAudience, ofMember } from './api.ts';

const DAY = 86_400;

/** Links to every neighbour of every member would be most of the answer. */
const PLAIN = { exclude_fields: '_links,members._links' };

const BY_CHANGE = { sort_field: 'last_changed', sort_dir: 'ASC' };

/** Members that changed after a moment and before another; the vendor counts in whole seconds and leaves out both ends. */
const span = (from: string | undefined, to?: string): Record<string, string> => ({
  ...(from === undefined ? {} : { since_last_changed: inSeconds(from, -1) }),
  ...(to === undefined ? {} : { before_last_changed: inSeconds(to) }),
});

/**
 * A page from the last moment seen on: positions shift while members change, because every change moves one to the end.
 * Only what has one and the same second is walked by position.
 */
function page(ctx: VendorContext, { limit, since, tie }: ListPosition) {
  const where = tie ? span(tie.at, new Date(Date.parse(tie.at) + 1000).toISOString()) : span(since);
  const query = { ...PLAIN, ...BY_CHANGE, ...where, count: limit, offset: tie?.offset ?? 0 };
  return ofAudience(ctx, 'GET', '/members', { query });
}

/** One member; archived ones are gone, and so are those deleted for ever. */
async function fetchOne(ctx: VendorContext, id: string): Promise<unknown[]> {
  try {
    const { body } = await ctx.call(ofMember(ctx, 'GET', id, '', { query: { exclude_fields: '_links' } }));
    return textAt(body, 'status') === 'archived' ? [] : [body];
  } catch (error) {
    if (error instanceof VendorError && error.kind === 'not_found') return [];
    throw error;
  }
}

async function total(ctx: VendorContext, where: Record<string, string>): Promise<number | undefined> {
  const query = { ...where, fields: 'total_items', count: 1 };
  return numberAt((await ctx.call(ofAudience(ctx, 'GET', '/members', { query }))).body, 'total_items');
}

/** The list of archived members, from one moment to the next. */
const archived: Stream['deletes'] = {
  kind: 'tombstones',
  everySeconds: DAY,
  list: (ctx, position) => {
    const fields = 'members.id,members.last_changed';
    const query = {
      ...BY_CHANGE,
      ...span(position.token ?? position.since),
      status: 'archived',
      count: MAX_ROWS,
      fields,
    };
    return ofAudience(ctx, 'GET', '/members', { query });
  },
  read: ({ body }) => {
    const members = listAt(body, 'members');
    const deleted = members.map((member) => ({ id: textAt(member, 'id') ?? '' }));
    if (members.length < MAX_ROWS) return { deleted };
    const [first, last] = [members[0], members.at(-1)].map((member) => textAt(member, 'last_changed'));
    // A thousand of one second: what lies behind them cannot be asked for.
    return first === last || !last ? { deleted, truncated: true } : { deleted, next: last };
  },
  // Who was deleted for ever is in no list.
  sweep: {
    everySeconds: 7 * DAY,
    ids: {
      list: (ctx, { limit, offset }) =>
        ofAudience(ctx, 'GET', '/members', {
          query: {
            fields: 'members.id,total_items',
            sort_field: 'timestamp_signup',
            count: limit,
            offset: offset ?? 0,
          },
        }),
      paging: { kind: 'offset', size: MAX_ROWS },
      records: ({ body }) => listAt(body, 'members'),
    },
  },
};

const FIELD_TYPES: Record<string, FieldDescription['type']> = {
  number: 'number',
  date: 'date',
  radio: 'enum',
  dropdown: 'enum',
  address: 'other',
};
/** Merge fields every audience begins with. */
const GIVEN = ['FNAME', 'LNAME', 'ADDRESS', 'PHONE', 'BIRTHDAY'];
const STATUSES = ['subscribed', 'unsubscribed', 'cleaned', 'pending', 'transactional', 'archived'];

const field = (
  name: string,
  label: string,
  type: FieldDescription['type'] = 'text',
  options?: readonly string[],
): FieldDescription => ({
  ...{ name, label, type, custom: false },
  ...(options ? { options: options.map((value) => ({ value, label: value })) } : {}),
});

/** What every member has beside the merge fields of the audience. */
const MEMBER_FIELDS: readonly FieldDescription[] = [
  field('email_address', 'E-mail address'),
  field('full_name', 'Full name'),
  field('status', 'Status', 'enum', STATUSES),
  field('unsubscribe_reason', 'Reason for leaving'),
  field('sms_phone_number', 'Number for text messages'),
  field('sms_subscription_status', 'Status of text messages', 'enum', [
    'subscribed',
    'unsubscribed',
    'nonsubscribed',
    'pending',
  ]),
  field('vip', 'VIP', 'boolean'),
  field('member_rating', 'Rating', 'number'),
  field('language', 'Language'),
  field('tags', 'Tags', 'list'),
  field('timestamp_signup', 'Date added', 'datetime'),
  field('timestamp_opt', 'Date opted in', 'datetime'),
  field('last_changed', 'Last changed', 'datetime'),
];

/** The audience's own fields, by their merge tags. */
async function discover(ctx: VendorContext): Promise<FieldDescription[]> {
  const query = { count: MAX_ROWS, exclude_fields: '_links,merge_fields._links' };
  const { body } = await ctx.call(ofAudience(ctx, 'GET', '/merge-fields', { query }));
  const own = listAt(body, 'merge_fields').map((merge): FieldDescription => {
    const tag = textAt(merge, 'tag') ?? '';
    const choices = listAt<string>(merge, 'options.choices');
    return {
      ...field(tag, textAt(merge, 'name') ?? tag, FIELD_TYPES[textAt(merge, 'type') ?? ''] ?? 'text'),
      custom: !GIVEN.includes(tag),
      ...(choices.length > 0 ? { options: choices.map((choice) => ({ value: choice, label: choice })) } : {}),
    };
  });
  return [...MEMBER_FIELDS, ...own];
}

const members = defineStream({
  name: 'members',
  title: 'Members',
  entities: ['contact'],
  feature: 'read',
  list: page,
  paging: { kind: 'keyset', size: MAX_ROWS, ties: 'offset' },
  records: (reply) => (reply.body as { members: unknown[] }).members,
  id: (record) => textAt(record, 'id'),
  changedAt: (record) => textAt(record, 'last_changed'),
  // Five minutes of overlap, as the dossier advises.
  incremental: { granularity: 'second', lagSeconds: 300, sorted: 'ascending' },
  deletes: archived,
  fetchByIds: { max: 5, fetch: async (ctx, ids) => (await Promise.all(ids.map((id) => fetchOne(ctx, id)))).flat() },
  count: (ctx, since) => total(ctx, span(since)),
  countBetween: (ctx, from, to) => total(ctx, span(from, to)),
  discover,
  // Fields of an audience are named by their merge tags.
  fieldAt: (record, name) => {
    if (record === null || typeof record !== 'object') return undefined;
    const holder = name in record ? record : at(record, 'merge_fields');
    if (holder === null || typeof holder !== 'object') return undefined;
    return { holder: holder as Record<string, unknown>, key: name };
  },
});

export const streams: readonly Stream[] = [members, emailActivity];
