import { hmacMatches, type OAuth2 } from '../../src/kit/index.ts';

/** Shopify's redirects are good for this long (dossier, Auth). */
const MAX_AGE_SECONDS = 90;

/** The parameters as Shopify signs them: sorted by name, form-encoded, spaces as %20, without the signature itself. */
export function signedText(query: Readonly<Record<string, string>>): string {
  const signed = Object.entries(query)
    .filter(([name]) => name !== 'hmac' && name !== 'signature')
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return new URLSearchParams(signed).toString().replaceAll('+', '%20');
}

/** Checks who the redirect is from, that it is fresh, and that it is about the shop somebody entered. */
export const checkCallback: NonNullable<OAuth2['checkCallback']> = (query, { app, settings, now }) => {
  if (!hmacMatches('sha256', app.clientSecret, signedText(query), query.hmac, 'hex'))
    return 'The way back was not signed by Shopify, so nothing was connected.';
  const age = Math.abs(now.getTime() / 1000 - Number(query.timestamp));
  if (!(age <= MAX_AGE_SECONDS)) return 'The way back from Shopify took too long.';
  const [asked, told] = [String(settings.shop ?? '').toLowerCase(), (query.shop ?? '').toLowerCase()];
  return asked === told ? undefined : `You entered ${asked}, but the page was that of ${told || 'no shop'}.`;
};
