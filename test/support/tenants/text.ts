/** An id, anywhere in a text. */
export const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** Text of any value: maps and sets as lists, bytes as what they spell. Functions and our own services are left out. */
export function textOf(value: unknown, depth = 0): string {
  if (value === null || value === undefined || typeof value === 'function' || depth > 12) return 'null';
  if (Buffer.isBuffer(value)) return JSON.stringify(value.toString());
  if (value instanceof Date) return JSON.stringify(value);
  if (value instanceof Map) return textOf([...value], depth);
  if (value instanceof Set) return textOf([...value], depth);
  if (Array.isArray(value)) return `[${value.map((item) => textOf(item, depth + 1)).join(',')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}:${textOf(item, depth + 1)}`);
  return `{${members.join(',')}}`;
}
