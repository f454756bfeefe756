import { textAt } from '../../src/kit/index.ts';

/** Graph and log-in of each cloud (dossier, Base: National clouds). */
const CLOUDS: Record<string, { api: string; login: string }> = {
  usgov: { api: 'https://graph.microsoft.us', login: 'https://login.microsoftonline.us' },
  dod: { api: 'https://dod-graph.microsoft.us', login: 'https://login.microsoftonline.us' },
  china: { api: 'https://microsoftgraph.chinacloudapi.cn', login: 'https://login.chinacloudapi.cn' },
};
const PUBLIC_LOGIN = 'https://login.microsoftonline.com';

/** `organizations`, `consumers`, the id of a tenant or one of its domains: nothing that could change the address. */
const TENANT = /^[a-z0-9][a-z0-9.-]{0,252}$/i;

/**
 * Where Graph and the log-in are for one connection: settings `cloud` (usgov, dod, china) and `tenant`.
 * @returns undefined where the vendor's usual address holds
 */
export function cloudOf(
  host: string,
  { settings }: { settings: Readonly<Record<string, unknown>> },
): string | undefined {
  const cloud = CLOUDS[textAt(settings, 'cloud') ?? ''];
  if (host === 'api') return cloud?.api;
  const tenant = textAt(settings, 'tenant') ?? 'common';
  if (!cloud && tenant === 'common') return undefined;
  return `${cloud?.login ?? PUBLIC_LOGIN}/${TENANT.test(tenant) ? tenant : 'common'}`;
}
