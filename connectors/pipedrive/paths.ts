/** Most is version 2 of the API; notes, users and webhooks are version 1 still (dossier, Base). */
export const v2 = (path: string): string => `/api/v2/${path}`;
export const v1 = (path: string): string => `/v1/${path}`;

/** What a call costs of the day's tokens (`x-token-cost` of the description). */
export function tokenCost({ method, path }: { method: string; path: string }): number {
  const old = path.startsWith('/v1/');
  if (path.endsWith('/search')) return old ? 40 : 20;
  if (path.includes('/oauth/')) return 0;
  if (path === v1('users/me')) return 2;
  if (path === v1('webhooks') && method === 'GET') return 10;
  if (method === 'DELETE') return old ? 6 : 3;
  if (method !== 'GET') return old ? 10 : 5;
  if (/\/\d+$/.test(path)) return old ? 2 : 1;
  if (/\/(stages|pipelines)$/.test(path)) return 5;
  return old ? 20 : 10;
}

const COMPANY = /^https:\/\/[a-z0-9][a-z0-9-]*\.pipedrive\.com$/;

/** Host of the company's own, as the token answer names it: one of Pipedrive's addresses or none. */
export const companyHost = (address: string | undefined): string | undefined => {
  const origin = (address ?? '').replace(/\/+$/, '').toLowerCase();
  return COMPANY.test(origin) ? origin : undefined;
};
