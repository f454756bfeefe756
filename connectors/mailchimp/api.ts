import { createHash } from 'node:crypto';
import { type RequestSpec, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** Names of data centres: they become a part of a host name, so nothing else may be one (dossier, Auth). */
export const DATA_CENTRE = /^[a-z]{2,4}\d{1,3}$/;

/** Records a page holds at most. */
export const MAX_ROWS = 1000;

/** The data centre the account lives in, told by the vendor when it was connected; it is the name of the host. */
export function dataCentreOf(ctx: VendorContext): string {
  const dc = textAt(ctx.account.extra, 'dc') ?? '';
  if (DATA_CENTRE.test(dc)) return dc;
  throw new VendorError('operator', 'It is not known in which data centre of Mailchimp the account lives. Test it.');
}

/** The audience this connection is about. */
export const audienceOf = (ctx: VendorContext): string => textAt(ctx.account.extra, 'audience') ?? '';

/** The vendor's id of a person in an audience: the MD5 of the address in lower case. */
export const memberIdOf = (email: string): string => createHash('md5').update(email.trim().toLowerCase()).digest('hex');

/** A call below the audience of the connection. @param path behind `/lists/{list_id}` */
export const ofAudience = (
  ctx: VendorContext,
  method: RequestSpec['method'],
  path: string,
  more: Pick<RequestSpec, 'query' | 'json' | 'expect'> = {},
): RequestSpec => ({
  ...more,
  method,
  host: dataCentreOf(ctx),
  path: `/3.0/lists/${encodeURIComponent(audienceOf(ctx))}${path}`,
});

/** A call below one member. The native id is taken as it is: the hash, which all of these paths take. */
export const ofMember = (
  ctx: VendorContext,
  method: RequestSpec['method'],
  member: string,
  path: string,
  more: Pick<RequestSpec, 'query' | 'json' | 'expect'> = {},
): RequestSpec => ofAudience(ctx, method, `/members/${encodeURIComponent(member)}${path}`, more);

/** Where a person looks at a member (vendor's description, `web_id`). */
export const memberUrl = (ctx: VendorContext, webId: string): string =>
  `https://${dataCentreOf(ctx)}.admin.mailchimp.com/lists/members/view?id=${webId}`;

/** A moment as the vendor writes it, in whole seconds. @param shift seconds added */
export const inSeconds = (moment: string | Date, shift = 0): string =>
  `${new Date(new Date(moment).getTime() + shift * 1000).toISOString().slice(0, 19)}+00:00`;

/** A whole number that stands in an answer. */
export function numberAt(body: unknown, path: string): number | undefined {
  const text = textAt(body, path);
  return text !== undefined && Number.isFinite(Number(text)) ? Number(text) : undefined;
}
