import type { Secrets } from '../../src/kit/index.ts';

/** Top-level domain of each data centre, by the `location` of the redirect (dossier, Auth). */
const DOMAINS: Record<string, string> = {
  us: 'com',
  eu: 'eu',
  in: 'in',
  au: 'com.au',
  jp: 'jp',
  cn: 'com.cn',
  ca: 'ca',
  sa: 'sa',
  uk: 'uk',
};

/** Only Canada logs in under another name. */
const accountsOf = (region: string): string =>
  region === 'ca' ? 'https://accounts.zohocloud.ca' : `https://accounts.zoho.${DOMAINS[region]}`;

/** Hosts of the data centres beside the American one, by the names `hostOf` gives them. */
export const REGIONAL_HOSTS: Record<string, string> = Object.fromEntries(
  Object.keys(DOMAINS)
    .filter((region) => region !== 'us')
    .flatMap((region) => [
      [`api_${region}`, `https://www.zohoapis.${DOMAINS[region]}`],
      [`accounts_${region}`, accountsOf(region)],
    ]),
);

const HOST = /^https:\/\/(www|sandbox|developer)\.zohoapis\.(com|eu|in|com\.au|jp|com\.cn|ca|sa|uk)$/;

/** Data centre of a connection: as the redirect said, else by the accounts server it named; the American one otherwise. */
export function regionOf(settings: Readonly<Record<string, unknown>>): string {
  const location = String(settings.location ?? '');
  if (Object.hasOwn(DOMAINS, location)) return location;
  const server = String(settings['accounts-server'] ?? '').replace(/\/+$/, '');
  return Object.keys(DOMAINS).find((region) => accountsOf(region) === server) ?? 'us';
}

/**
 * Where the API and the token endpoint of a connection are. Whatever a redirect says, it is one of Zoho's addresses: the
 * region picks from a closed list, and `api_domain` of the token answer counts when it differs from the usual one
 * (sandbox organisations) and is Zoho's.
 * @returns a name in `hosts` or an address; undefined where nothing differs from the American data centre
 */
export function hostOf(
  host: string,
  known: { settings: Readonly<Record<string, unknown>>; secrets: Readonly<Secrets> },
): string | undefined {
  const region = regionOf(known.settings);
  const domain = (known.secrets.api_domain ?? '').replace(/\/+$/, '');
  if (host === 'api' && HOST.test(domain) && !domain.startsWith('https://www.')) return domain;
  return region === 'us' || !['api', 'accounts'].includes(host) ? undefined : `${host}_${region}`;
}

/** Where people look at a record. The address is not in Zoho's description (see QUIRKS.md). */
export function recordUrl(region: string, org: string, module: string, id: string): string {
  const domain = region === 'ca' ? 'zohocloud.ca' : `zoho.${DOMAINS[region] ?? 'com'}`;
  return `https://crm.${domain}/crm/org${org}/tab/${module}/${id}`;
}
