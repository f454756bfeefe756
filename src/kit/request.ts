/** Values of a query string or form; a list repeats the name, undefined leaves it out. */
export type Parameters = Record<string, string | number | boolean | readonly (string | number)[] | undefined>;

/**
 * One call of a vendor's API as data: the engine sends it, so it can also preview, meter, record and limit it.
 * At most one of `json`, `form` and `bytes` carries the body.
 */
export interface RequestSpec {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path below the host, starting with a slash. */
  path: string;
  /** Name of the host in the connector's `hosts`; `api` when absent. */
  host?: string;
  query?: Parameters;
  headers?: Record<string, string>;
  json?: unknown;
  form?: Parameters;
  bytes?: { type: string; data: Buffer };
  /** What the answer must be; `json` (default) makes anything else a malformed answer. */
  expect?: 'json' | 'text' | 'none';
  /** Milliseconds to wait for the answer; 30,000 when absent. */
  timeoutMs?: number;
  /** Send without the connection's credentials (a pre-authorised URL). */
  anonymous?: boolean;
  /** It changes nothing at the vendor, so it may be repeated; true for GET when absent. */
  safe?: boolean;
}

export interface Reply<Body = unknown> {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: Body;
}

/** A query string or form body in the order given, lists repeated. */
export function encodeParameters(parameters: Parameters): string {
  const encoded = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const item of value) encoded.append(name, String(item));
    else encoded.append(name, String(value));
  }
  return encoded.toString();
}

/** The value at `path` (`a.b[0].c`) inside `value`, or undefined. Only own properties are followed. */
export function at(value: unknown, path: string): unknown {
  let here: unknown = value;
  for (const key of splitPath(path)) {
    if (here === null || typeof here !== 'object' || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string, unknown>)[key];
  }
  return here;
}

/** `a.b[0]["c.d"]` as its keys. */
export function splitPath(path: string): string[] {
  const keys: string[] = [];
  const part = /\[(?:"((?:[^"\\]|\\.)*)"|(\d+))\]|([^.[\]]+)/g;
  for (const match of path.matchAll(part)) keys.push(match[1]?.replaceAll('\\"', '"') ?? match[2] ?? match[3]!);
  return keys;
}

/** The text at `path`, with numbers as text; undefined for anything else or nothing. */
export function textAt(value: unknown, path: string): string | undefined {
  const found = at(value, path);
  if (typeof found === 'string') return found;
  return typeof found === 'number' || typeof found === 'boolean' ? String(found) : undefined;
}

/** The list at `path`, or an empty one. */
export function listAt<Item = unknown>(value: unknown, path: string): Item[] {
  const found = at(value, path);
  return Array.isArray(found) ? (found as Item[]) : [];
}
