import {
  type ActionMeta,
  at,
  type Idempotency,
  type Receipt,
  type Reply,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { dataPath, literal, moment, safeName, select } from './api.ts';
import { describe } from './describe.ts';

/** Objects we create that carry our id: in a field for it where the organisation has one, else in the description. */
export type Created = 'Task' | 'Event' | 'Case';

/** Name of the external id field that holds our id, where an administrator made one. */
const markerOf = (ctx: VendorContext): string =>
  safeName(String(ctx.settings.markerField || 'Rapport_Action_Id__c'), 'a field');

/** The marker field of an object, where it has one that Salesforce keeps unique values of. */
async function markerOn(ctx: VendorContext, object: Created): Promise<string | undefined> {
  const marker = markerOf(ctx);
  return (await describe(ctx, object)).externalIds.has(marker) ? marker : undefined;
}

/** What is known before a record is made. */
export interface Prepared {
  marker?: string;
}

export const prepared =
  (object: Created) =>
  async (ctx: VendorContext): Promise<Prepared> => {
    const marker = await markerOn(ctx, object);
    return marker ? { marker } : {};
  };

/** Our reference as it stands at the end of a description; descriptions cannot be searched, but read. */
const referenceOf = ({ requestId }: Pick<ActionMeta, 'requestId'>): string => `[Rapport ${requestId}]`;

/** Longest description (dossier, "Actions"). */
const LONGEST = 32_000;

function described(text: unknown, meta: ActionMeta): string {
  const reference = referenceOf(meta);
  const own = String(text ?? '').slice(0, LONGEST - reference.length - 2);
  return own === '' ? reference : `${own}\n\n${reference}`;
}

const given = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== ''));

/** The write that makes a record: by the marker field it may be repeated as often as it takes. */
export function create(object: Created, fields: Record<string, unknown>, meta: ActionMeta): RequestSpec {
  const { marker } = (meta.before ?? {}) as Prepared;
  if (marker) {
    const path = dataPath(`/sobjects/${object}/${marker}/${encodeURIComponent(meta.requestId)}`);
    return { method: 'PATCH', path, json: given(fields) };
  }
  const json = { ...given(fields), Description: described(fields.Description, meta) };
  return { method: 'POST', path: dataPath(`/sobjects/${object}`), json };
}

/** Where people look at a record. */
export const linkTo = (ctx: VendorContext, id: string): { url?: string } =>
  ctx.account.url ? { url: `${ctx.account.url}/${id}` } : {};

export const receiptOf =
  (state: string) =>
  (reply: Reply, ctx: VendorContext): Receipt => {
    const nativeId = textAt(reply.body, 'id');
    if (!nativeId) throw new VendorError('malformed', 'Salesforce answered without an id.', { mayHaveActed: true });
    return { nativeId, ...linkTo(ctx, nativeId), state };
  };

/** Clocks differ; what decides is our reference, not the time. */
const MARGIN_MS = 3_600_000;

export const sinceTried = ({ firstTriedAt }: ActionMeta): string =>
  `CreatedDate >= ${moment(new Date(firstTriedAt.getTime() - MARGIN_MS).toISOString())}`;

/** Recognises an earlier try by our id in the marker field, or by our reference in the description. */
export const byMarker = <Input extends { title: string }>(object: Created): Idempotency<Input> => ({
  kind: 'marker',
  settleSeconds: 60,
  find: async (ctx, input, meta) => {
    const marker = await markerOn(ctx, object);
    const [found] = marker
      ? await select(ctx, `SELECT Id FROM ${object} WHERE ${marker} = ${literal(meta.requestId)} LIMIT 1`)
      : await byReference(ctx, object, input.title, meta);
    const nativeId = textAt(found, 'Id');
    return nativeId ? { nativeId, ...linkTo(ctx, nativeId) } : undefined;
  },
});

/** Longest subject of tasks, events and cases (dossier, "Actions"). */
export const subjectOf = (title: string): string => title.slice(0, 255);

async function byReference(ctx: VendorContext, object: Created, title: string, meta: ActionMeta): Promise<unknown[]> {
  const subject = `Subject = ${literal(subjectOf(title))}`;
  const soql = `SELECT Id, Description FROM ${object} WHERE ${subject} AND ${sinceTried(meta)} ORDER BY CreatedDate DESC LIMIT 2000`;
  const rows = await select(ctx, soql);
  return rows.filter((row) => String(at(row, 'Description') ?? '').includes(referenceOf(meta)));
}

/** The person and the thing an activity is about. Beside a lead there may be no thing (dossier, "Pitfalls"). */
export function aboutOf(about: Record<string, string | undefined>): { WhoId?: string; WhatId?: string } {
  const what = about.deal ?? about.ticket ?? about.invoice ?? about.company;
  const isLead = about.contact?.startsWith('00Q') === true;
  return { ...(about.contact ? { WhoId: about.contact } : {}), ...(what && !isLead ? { WhatId: what } : {}) };
}

/** Queues own cases, but hardly ever tasks: those stay with the connected user (dossier, "Pitfalls"). */
export const personOnly = (assignee: string | undefined): string | undefined =>
  assignee?.startsWith('00G') ? undefined : assignee;
