import type { Connector } from '../../src/kit/index.ts';

/** Domains the vendor gives its customers' organisations addresses in. */
const OWNED = ['.salesforce.com', '.force.com', '.salesforce.mil', '.sfcrmapps.cn', '.sfcrmproducts.cn'];

/** An address as its origin, when it is one of the vendor's own; an access token goes to no other. */
export function ownedOrigin(address: string | undefined): string | undefined {
  if (!address) return undefined;
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return undefined;
  }
  const owned = OWNED.some((domain) => url.hostname.endsWith(domain));
  return owned && url.protocol === 'https:' && url.port === '' && url.username === '' ? url.origin : undefined;
}

/** The log-in address of an organisation, from its name (`acme`) or the whole host (`acme.my.salesforce.com`). */
function myDomain(entered: unknown): string | undefined {
  const text = String(entered ?? '')
    .trim()
    .toLowerCase()
    .replace(/^https:\/\//, '')
    .replace(/\/.*$/, '');
  if (text === '') return undefined;
  const host = text.includes('.')
    ? text.replace(/\.lightning\.force\.com$/, '.my.salesforce.com')
    : `${text}.my.salesforce.com`;
  return ownedOrigin(`https://${host}`);
}

/**
 * Every organisation has an address of its own for its data (`instance_url` of the token answer, which may change with a
 * refresh); people log in at the production host, at that for sandboxes, or at their own domain.
 */
export const hostOf: NonNullable<Connector['hostOf']> = (host, { settings, secrets }) => {
  if (host === 'api') return ownedOrigin(secrets.instance_url);
  if (host !== 'login') return undefined;
  return myDomain(settings.domain) ?? (settings.environment === 'sandbox' ? 'test' : undefined);
};
