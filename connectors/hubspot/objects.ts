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
import { VERSION } from './version.ts';

/** Property of ours on what we create: it holds the action's id, and HubSpot refuses a second object with the same. */
export const MARKER = 'rapport_action_id';
/** Object types we create, as their names in paths, and their type ids in links. */
const TYPE_IDS: Record<string, string> = { tasks: '0-27', notes: '0-46', meetings: '0-47', tickets: '0-5' };
// HUBSPOT_DEFINED association types from the new object to contact, company and deal.
const ASSOCIATIONS: Record<string, Record<string, number>> = {
  tasks: { contact: 204, company: 192, deal: 216, ticket: 230 },
  notes: { contact: 202, company: 190, deal: 214, ticket: 228 },
  meetings: { contact: 200, company: 188, deal: 212, ticket: 226 },
  tickets: { contact: 16, company: 339, deal: 28 },
};

/** Accounts that do not let us add a property find earlier tries by subject instead (a setting of the connection). */
const marksBySubject = (ctx: VendorContext): boolean => ctx.settings.marker === 'subject';
/** Makes the marker property where it is missing. Runs again without harm. */
export async function prepareMarkers(ctx: VendorContext): Promise<void> {
  if (marksBySubject(ctx) || !ctx.features.includes('write')) return;
  for (const type of Object.keys(TYPE_IDS)) {
    await unlessThere(ctx, `/crm/properties/${VERSION}/${type}/groups`, { name: 'rapport', label: 'Rapport' });
    await unlessThere(ctx, `/crm/properties/${VERSION}/${type}`, {
      name: MARKER,
      label: 'Rapport action id',
      type: 'string',
      fieldType: 'text',
      groupName: 'rapport',
      hasUniqueValue: true,
    });
  }
}

async function unlessThere(ctx: VendorContext, path: string, json: unknown): Promise<void> {
  try {
    await ctx.call({ method: 'POST', path, json });
  } catch (error) {
    if (!(error instanceof VendorError) || error.kind !== 'conflict') throw error;
  }
}

const associations = (type: string, about: Record<string, string | undefined>): unknown[] =>
  Object.entries(about)
    .filter(([kind, id]) => id !== undefined && ASSOCIATIONS[type]?.[kind] !== undefined)
    .map(([kind, id]) => ({
      to: { id },
      types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: ASSOCIATIONS[type]![kind] }],
    }));
const link = (ctx: VendorContext, typeId: string, id: string): string =>
  `https://${String(ctx.account.extra?.domain ?? 'app.hubspot.com')}/contacts/${ctx.account.id}/record/${typeId}/${id}`;
export const receiptOf =
  (type: string, state: string) =>
  (reply: Reply, ctx: VendorContext): Receipt => {
    const nativeId = textAt(reply.body, 'id');
    if (!nativeId) throw new VendorError('malformed', 'HubSpot answered without an id.', { mayHaveActed: true });
    return { nativeId, url: link(ctx, TYPE_IDS[type]!, nativeId), state };
  };
/** Recognises an earlier try by our id in the marker property, or by subject and contact where there is none. */
export const byMarker = <Input>(
  type: string,
  subject: { property: string; of: (input: Input) => string },
): Idempotency<Input> => ({
  kind: 'marker',
  settleSeconds: 60,
  find: async (ctx, input, meta) => {
    const filters = marksBySubject(ctx)
      ? [
          { propertyName: subject.property, operator: 'EQ', value: subject.of(input) },
          { propertyName: 'hs_createdate', operator: 'GTE', value: String(meta.firstTriedAt.getTime()) },
        ]
      : [{ propertyName: MARKER, operator: 'EQ', value: meta.requestId }];
    const { body } = await ctx.call({
      method: 'POST',
      path: `/crm/objects/${VERSION}/${type}/search`,
      safe: true,
      json: { filterGroups: [{ filters }], properties: [subject.property], sorts: [], limit: 1, after: '0' },
    });
    const id = textAt(listAt(body, 'results')[0], 'id');
    return id ? { nativeId: id, url: link(ctx, TYPE_IDS[type]!, id) } : undefined;
  },
});

export const create = (
  ctx: VendorContext,
  type: string,
  properties: Record<string, string | undefined>,
  about: Record<string, string | undefined>,
  meta: ActionMeta,
) => ({
  method: 'POST' as const,
  path: `/crm/objects/${VERSION}/${type}`,
  json: {
    properties: Object.fromEntries(
      Object.entries({ ...properties, ...(marksBySubject(ctx) ? {} : { [MARKER]: meta.requestId }) }).filter(
        ([, value]) => value !== undefined,
      ),
    ),
    associations: associations(type, about),
  },
});

const OBJECT_PATHS: Record<string, string> = {
  contact: 'contacts',
  company: 'companies',
  deal: 'deals',
  ticket: 'tickets',
};

export const pathOf = (object: string): string => OBJECT_PATHS[object] ?? object;
