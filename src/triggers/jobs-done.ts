import { Type } from 'typebox';
import type { Row } from '../base/database.ts';
import type { Change } from '../model/types.ts';
import { fieldOf, isOneOf, tagsOf, turned, Words } from './match.ts';

export const DONE = Type.Object(
  {
    kinds: Words,
    nativeStatuses: Words,
    orderKinds: Words,
    orderTags: Words,
    dealStages: Words,
    tickets: Type.Boolean(),
    ticketCategories: Words,
    customerFields: Type.Array(Type.String({ pattern: '^(custom\\..+|native_status|status)$', maxLength: 200 })),
    customerValues: Words,
  },
  {
    additionalProperties: false,
    description:
      'kinds: only jobs of these kinds (empty: any). nativeStatuses: words of the platform that count beside "completed". orderKinds: jobs that are shop orders and count only with one of orderTags. dealStages: stages of deals, by id or name, that mean the work is done. tickets: whether a closed ticket does, of these categories (empty: any). customerFields and customerValues: fields of the customer and the values that do.',
  },
);

/** What of it says that the work is done: the field and the word, or undefined. */
export function jobDone(
  row: Row,
  settings: { kinds: string[]; nativeStatuses: string[]; orderKinds: string[]; orderTags: string[] },
): { field: string; value: string } | undefined {
  if (settings.kinds.length > 0 && !isOneOf(row.kind, settings.kinds)) return undefined;
  if (isOneOf(row.kind, settings.orderKinds)) {
    const tags = tagsOf(fieldOf(row, 'custom.tags'));
    if (!tags.some((tag) => isOneOf(tag, settings.orderTags))) return undefined;
  }
  if (row.status === 'completed') return { field: 'status', value: 'completed' };
  if (isOneOf(row.native_status, settings.nativeStatuses))
    return { field: 'native_status', value: String(row.native_status) };
  return undefined;
}

/** Whether a change of a job may be the one that completed it; its row decides. */
export const mayComplete = ({ fields }: Change): boolean =>
  fields.some((field) => ['status', 'native_status', 'kind', 'custom', 'completed_on'].includes(field));

/** The field of a customer that came to say it, or undefined. */
export function customerDone(
  change: Change,
  settings: { customerFields: string[]; customerValues: string[] },
): { field: string; value: string } | undefined {
  for (const field of settings.customerFields) {
    const turn = turned(change, field);
    if (turn && isOneOf(turn.after, settings.customerValues) && !isOneOf(turn.before, settings.customerValues))
      return { field, value: String(turn.after) };
  }
  return undefined;
}
