import { type ActionMeta, type RequestSpec, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { MARKER, marksBySubject } from './marks.ts';
import { moduleOf, recordAbout } from './modules.ts';
import { crm } from './version.ts';

type About = Record<string, string | undefined>;

const AUTOMATIONS = ['workflow', 'approval', 'blueprint'];

/**
 * Which of the customer's automations our writes set off: all of them unless the connection says `none` or names some.
 * Left out, Zoho runs all; an empty list means none (dossier, Actions).
 */
function triggerOf(ctx: VendorContext): { trigger?: string[] } {
  const { automation } = ctx.settings;
  if (automation === 'none') return { trigger: [] };
  return Array.isArray(automation) ? { trigger: AUTOMATIONS.filter((name) => automation.includes(name)) } : {};
}

const given = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** The one record of a create, with our id where there is a field for it. */
export const create = (
  ctx: VendorContext,
  module: string,
  fields: Record<string, unknown>,
  meta: ActionMeta,
): RequestSpec => ({
  method: 'POST',
  path: crm(module),
  json: {
    data: [given({ ...fields, ...(marksBySubject(ctx) ? {} : { [MARKER]: meta.requestId }) })],
    ...triggerOf(ctx),
  },
});

/** Fields of one record; null clears. */
export const update = (
  ctx: VendorContext,
  module: string,
  id: string,
  fields: Record<string, unknown>,
): RequestSpec => ({
  method: 'PUT',
  path: crm(`${module}/${encodeURIComponent(id)}`),
  json: { data: [fields], ...triggerOf(ctx) },
});

export const lookup = (id: string | undefined): { id: string } | undefined => (id ? { id } : undefined);

/** Links of a task or meeting: one person, and one other record with the module it is in. */
export function linksOf(about: About): Record<string, unknown> {
  const kind = ['deal', 'ticket', 'invoice', 'company'].find((name) => about[name]);
  return {
    Who_Id: lookup(about.contact),
    ...(kind ? { What_Id: lookup(about[kind]), $se_module: moduleOf(kind) } : {}),
  };
}

/** The calendar day of a moment where the organisation is. */
export const dayOf = (ctx: VendorContext, instant: string): string =>
  new Intl.DateTimeFormat('en-CA', { timeZone: ctx.account.timeZone ?? 'UTC' }).format(new Date(instant));

/** @throws VendorError `invalid` when the action is about no record */
export function recordOf(about: About, what: string): { module: string; id: string } {
  const record = recordAbout(about);
  if (!record) throw new VendorError('invalid', `${what} belongs to a record: name a contact, deal, case or company.`);
  return record;
}
