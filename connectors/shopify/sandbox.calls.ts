/** What a call is called: the address is the same for all, so its operation tells them apart. */
export function callOf(method: string, path: string, body: unknown): string {
  const { query } = (body ?? {}) as { query?: unknown };
  const name = typeof query === 'string' ? (/^\s*(?:query|mutation)\s+(\w+)/.exec(query)?.[1] ?? '') : '';
  return `${method} ${path}${name === '' ? '' : ` ${name}`}`;
}
