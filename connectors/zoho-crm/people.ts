import { listAt, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { crm } from './version.ts';

/** Who the connection works as at Zoho. */
export interface User {
  id: string;
  name: string;
  email: string;
}

export const userOf = (ctx: VendorContext): User => {
  const user = ctx.account.extra?.user as Partial<User> | undefined;
  return { id: user?.id ?? '', name: user?.name ?? ctx.account.name, email: user?.email ?? '' };
};

/**
 * The contact with an address.
 * @returns its id
 * @throws VendorError `not_found` when nobody there has it
 */
export async function contactByEmail(ctx: VendorContext, email: string): Promise<string> {
  const query = { email, fields: 'Email', per_page: 1 };
  const { body } = await ctx.call({ method: 'GET', path: crm('Contacts/search'), query });
  const id = textAt(listAt(body, 'data')[0], 'id');
  if (!id) throw new VendorError('not_found', `Nobody at Zoho CRM has the address ${email}.`);
  return id;
}
