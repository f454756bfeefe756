import {
  type ActionMeta,
  type Idempotency,
  listAt,
  type Receipt,
  type Reply,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { recordUrl, regionOf } from './regions.ts';
import { crm } from './version.ts';

/** Field of ours with unique values: it holds the action's id, and Zoho refuses a second record with the same. */
export const MARKER = 'Rapport_Action_Id';
const LABEL = 'Rapport Action Id';
/** Modules whose records we create with it. */
const MARKED = ['Tasks', 'Events', 'Cases'];

/** Organisations that do not let us add a field find earlier tries by subject instead (a setting of the connection). */
export const marksBySubject = (ctx: VendorContext): boolean => ctx.settings.marker === 'subject';

/** Makes the marker field where it is missing. Runs again without harm. */
export async function prepareMarkers(ctx: VendorContext): Promise<void> {
  if (marksBySubject(ctx) || !ctx.features.includes('write')) return;
  for (const module of MARKED) {
    const { body } = await ctx.call({ method: 'GET', path: crm('settings/fields'), query: { module } });
    if (listAt(body, 'fields').some((field) => textAt(field, 'api_name') === MARKER)) continue;
    await ctx.call({
      method: 'POST',
      path: crm('settings/fields'),
      query: { module },
      json: { fields: [{ field_label: LABEL, data_type: 'text', length: 50, unique: { casesensitive: false } }] },
    });
  }
}

export const linkTo = (ctx: VendorContext, module: string, id: string): string =>
  recordUrl(regionOf(ctx.settings), ctx.account.id, module, id);

/**
 * What Zoho made, from a row of its answer.
 * @throws VendorError when the answer names no record
 */
export const receiptOf =
  (module: string, state: string) =>
  (reply: Reply, ctx: VendorContext): Receipt => {
    const nativeId = textAt(reply.body, 'data[0].details.id');
    if (!nativeId) throw new VendorError('malformed', 'Zoho CRM answered without an id.', { mayHaveActed: true });
    return { nativeId, url: linkTo(ctx, module, nativeId), state };
  };

/** Whole seconds are all Zoho dates things with. */
export const sinceFirstTry = ({ firstTriedAt }: ActionMeta, time: string | undefined): boolean =>
  time !== undefined && Date.parse(time) >= Math.floor(firstTriedAt.getTime() / 1000) * 1000;

async function markedRecord(ctx: VendorContext, module: string, meta: ActionMeta): Promise<string | undefined> {
  const { body } = await ctx.call({
    method: 'GET',
    path: crm(`${module}/search`),
    query: { criteria: `(${MARKER}:equals:${meta.requestId})`, fields: MARKER, per_page: 1 },
  });
  return textAt(listAt(body, 'data')[0], 'id');
}

async function sameSubject(
  ctx: VendorContext,
  module: string,
  field: string,
  subject: string,
  meta: ActionMeta,
): Promise<string | undefined> {
  const { body } = await ctx.call({
    method: 'GET',
    path: crm(module),
    query: { fields: `${field},Created_Time`, sort_by: 'Created_Time', sort_order: 'desc', per_page: 200 },
  });
  const found = listAt(body, 'data').find(
    (record) => textAt(record, field) === subject && sinceFirstTry(meta, textAt(record, 'Created_Time')),
  );
  return textAt(found, 'id');
}

/** Recognises an earlier try by our id in the marker field, or by subject and time where there is none. */
export const byMarker = <Input extends { title: string }>(module: string, field: string): Idempotency<Input> => ({
  kind: 'marker',
  settleSeconds: 60,
  find: async (ctx, input, meta) => {
    const id = marksBySubject(ctx)
      ? await sameSubject(ctx, module, field, input.title, meta)
      : await markedRecord(ctx, module, meta);
    return id ? { nativeId: id, url: linkTo(ctx, module, id) } : undefined;
  },
});
