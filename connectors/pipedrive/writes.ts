import {
  type ActionMeta,
  listAt,
  type Receipt,
  type Reply,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { definitions } from './fields.ts';
import { objectOf, type PipedriveObject, recordAbout } from './objects.ts';
import { v2 } from './paths.ts';

type About = Record<string, string | undefined>;

const PAGES: Record<string, string> = { persons: 'person', organizations: 'organization', deals: 'deal' };

/** Where people look at a record. The address is not in Pipedrive's description (see QUIRKS.md). */
export function linkTo(ctx: VendorContext, object: PipedriveObject, id: string): string {
  const page = PAGES[object.name];
  return `https://${String(ctx.account.extra?.domain ?? 'app')}.pipedrive.com/${page ? `${page}/${id}` : 'activities/list'}`;
}

/** @throws VendorError `invalid` when the action is about no record */
export function recordOf(about: About, what: string): { object: PipedriveObject; id: string } {
  const record = recordAbout(about);
  if (!record) throw new VendorError('invalid', `${what} belongs to a record: name a contact, deal or company.`);
  return record;
}

/** @throws VendorError `invalid` when Pipedrive has no such thing */
export function objectNamed(word: string): PipedriveObject {
  const object = objectOf(word);
  if (!object) throw new VendorError('invalid', `Pipedrive has no "${word}"; there are contacts, companies and deals.`);
  return object;
}

/** Ids are numbers there. @throws VendorError `not_found` for anything else */
export function numberOf(id: string): number {
  if (!/^\d{1,15}$/.test(id)) throw new VendorError('not_found', `Pipedrive has no record "${id}".`);
  return Number(id);
}

const numeric = (id: string | undefined): number | undefined => (id === undefined ? undefined : numberOf(id));

/** Whom and what an activity is linked to. */
export const linksOf = (about: About): Record<string, unknown> => ({
  ...(about.contact ? { participants: [{ person_id: numeric(about.contact), primary: true }] } : {}),
  ...(about.deal ? { deal_id: numeric(about.deal) } : {}),
  ...(about.company ? { org_id: numeric(about.company) } : {}),
});

/** @throws VendorError when the answer names no record */
export function idIn(reply: Reply): string {
  const id = textAt(reply.body, 'data.id');
  if (!id) throw new VendorError('malformed', 'Pipedrive answered without an id.', { mayHaveActed: true });
  return id;
}

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** What tells our activities apart; people see it below the text. */
const markOf = (meta: ActionMeta): string => `Ref. ${meta.requestId}`;

/** The text of an activity as HTML, with our id at its end. */
export const markedNote = (text: string | undefined, meta: ActionMeta): string =>
  [...(text ? text.split(/\n+/) : []), markOf(meta)].map((line) => `<p>${escapeHtml(line)}</p>`).join('');

/** The same moment in whole seconds, a little earlier: our clock and theirs may differ. */
const sinceFirst = ({ firstTriedAt }: ActionMeta): string =>
  `${new Date(firstTriedAt.getTime() - 60_000).toISOString().slice(0, 19)}Z`;

/** The activity an earlier try made: changed since then, linked to the same record, with our id in its note. */
export async function markedActivity(
  ctx: VendorContext,
  about: About,
  meta: ActionMeta,
  receipt: (id: string) => Receipt,
): Promise<Receipt | undefined> {
  let cursor: string | undefined;
  for (let page = 0; page < 10; page++) {
    const query = {
      ...{ updated_since: sinceFirst(meta), sort_by: 'id', sort_direction: 'desc', limit: 500, cursor },
      ...(about.contact ? { person_id: about.contact } : {}),
      ...(!about.contact && about.deal ? { deal_id: about.deal } : {}),
    };
    const { body } = await ctx.call({ method: 'GET', path: v2('activities'), query });
    const found = listAt(body, 'data').find((one) => textAt(one, 'note')?.includes(markOf(meta)));
    const id = textAt(found, 'id');
    if (id) return receipt(id);
    cursor = textAt(body, 'additional_data.next_cursor');
    if (!cursor) break;
  }
  return undefined;
}

/** The person with an address. @throws VendorError `not_found` when nobody there has it */
export async function personByEmail(ctx: VendorContext, email: string): Promise<string> {
  const query = { term: email, fields: 'email', exact_match: true, limit: 1 };
  const { body } = await ctx.call({ method: 'GET', path: v2('persons/search'), query });
  const id = textAt(listAt(body, 'data.items')[0], 'item.id');
  if (!id) throw new VendorError('not_found', `Nobody at Pipedrive has the address ${email}.`);
  return id;
}

/**
 * The labels a record will have: read, changed by one, to be written whole. A label nobody has yet is made.
 * @returns undefined when nothing differs from what it has
 */
export async function labelsWith(
  ctx: VendorContext,
  { object, id }: { object: PipedriveObject; id: string },
  tag: string,
  verb: 'add' | 'remove',
): Promise<{ labels: number[] }> {
  const { body } = await ctx.call({ method: 'GET', path: v2(`${object.name}/${numberOf(id)}`) });
  const present = listAt<number>(body, 'data.label_ids');
  const field = (await definitions(ctx, object)).find((one) => textAt(one, 'field_code') === 'label_ids');
  const known = listAt(field, 'options').find((one) => textAt(one, 'label')?.toLowerCase() === tag.toLowerCase());
  let label = textAt(known, 'id');
  if (!label && verb === 'add') {
    const path = v2(`${object.fields}/label_ids/options`);
    const made = await ctx.call({ method: 'POST', path, json: [{ label: tag }] });
    label = textAt(
      listAt(made.body, 'data').find((one) => textAt(one, 'label') === tag),
      'id',
    );
    if (!label) throw new VendorError('malformed', `Pipedrive made no label "${tag}".`);
  }
  const others = present.filter((one) => String(one) !== label);
  return { labels: verb === 'add' ? [...others, Number(label)] : others };
}
