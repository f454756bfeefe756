import { request } from 'undici';

/**
 * A person with a browser on a simulated vendor's page: opens the address, presses a button, and is sent back to the hub.
 * @param decision which button
 * @returns what the hub's page said in the end
 */
export async function decideOnPage(
  authorizeUrl: string,
  decision: 'allow' | 'deny',
  cookies?: string,
): Promise<{ status: number; body: string }> {
  const shown = await request(authorizeUrl);
  const html = await shown.body.text();
  if (shown.statusCode !== 200)
    throw new Error(`The vendor's page did not open: ${shown.statusCode} ${html.slice(0, 200)}`);
  const fields = [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(([, name, value]) => [
    unescapeHtml(name!),
    unescapeHtml(value!),
  ]);
  const sent = await request(new URL(authorizeUrl).origin + new URL(authorizeUrl).pathname, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams([...fields, ['decision', decision]] as [string, string][]).toString(),
  });
  await sent.body.dump();
  const back = sent.headers.location as string | undefined;
  if (!back) throw new Error(`The vendor's page did not send the browser back (${sent.statusCode}).`);
  const arrived = await request(back, { headers: cookies ? { cookie: cookies } : {} });
  return { status: arrived.statusCode, body: await arrived.body.text() };
}

const unescapeHtml = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&amp;', '&');
