import { type Account, at, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** Names of accounts (dossier, Auth). Nothing else may become part of an address that tokens are sent to. */
export const SUBDOMAIN = /^[a-z0-9][a-z0-9-]*$/;

/** Address of the account somebody named; undefined when that is no name of one. */
export function addressOf(settings: Readonly<Record<string, unknown>>): string | undefined {
  const { subdomain } = settings;
  return typeof subdomain === 'string' && SUBDOMAIN.test(subdomain) ? `https://${subdomain}.zendesk.com` : undefined;
}

const isZone = (zone: string | undefined): zone is string => zone?.includes('/') === true;

/**
 * Tells who is connected. The call is answered without credentials too, for nobody.
 * @throws VendorError `auth_expired` for nobody, `forbidden` for whoever is no administrator
 */
export async function whoAmI(ctx: VendorContext): Promise<Account> {
  const { body } = await ctx.call({ method: 'GET', path: '/api/v2/users/me' });
  const user = at(body, 'user');
  const id = textAt(user, 'id');
  if (id === undefined || id === '0')
    throw new VendorError('auth_expired', 'Zendesk does not know who this is: the access it gave is no longer good.');
  if (textAt(user, 'role') !== 'admin') {
    const name = textAt(user, 'name') ?? 'This person';
    throw new VendorError(
      'forbidden',
      `${name} is no administrator of this account, and Zendesk gives its exports to administrators only.`,
    );
  }
  const subdomain = String(ctx.settings.subdomain);
  const zone = textAt(user, 'iana_time_zone');
  return {
    id: subdomain,
    name: `Zendesk ${subdomain}`,
    url: `${addressOf(ctx.settings)}/agent`,
    ...(isZone(zone) ? { timeZone: zone } : {}),
  };
}

/** The page of a ticket, user or organization, for people. */
export const pageOf = (ctx: VendorContext, kind: 'tickets' | 'users' | 'organizations', id: string): string =>
  `${addressOf(ctx.settings)}/agent/${kind}/${encodeURIComponent(id)}`;
