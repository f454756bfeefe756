/** A value in one order of its members, so that equal values are equal texts. */
export function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => [key, canonical(member)]),
  );
}

export const same = (a: unknown, b: unknown): boolean => JSON.stringify(canonical(a)) === JSON.stringify(canonical(b));

const FIRST = ['key', 'id', 'name', 'title', 'channel', 'locale', 'state', 'mode', 'class', 'topic', 'subject', 'body'];
const LAST = ['steps', 'definition', 'native', 'html'];
const rank = (key: string): number => {
  const first = FIRST.indexOf(key);
  if (first !== -1) return first;
  const last = LAST.indexOf(key);
  return last === -1 ? FIRST.length : FIRST.length + 1 + last;
};

/** A value with its members in the order people read them: what names it first, long parts last, the rest by name. */
export function tidy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidy);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => [key, tidy(member)]),
  );
}

const SHORT = 80;
const shown = (value: unknown): string => {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? 'nothing');
  return text.length > SHORT ? `${text.slice(0, SHORT)}…` : text;
};

/** Items of a list by what names them, else by their place. */
const keyed = (list: readonly unknown[]): Map<string, unknown> | undefined => {
  const names = list.map((item) => {
    const { id, key } = (item ?? {}) as { id?: unknown; key?: unknown };
    return typeof id === 'string' ? id : typeof key === 'string' ? key : undefined;
  });
  if (names.includes(undefined) || new Set(names).size < names.length) return undefined;
  return new Map(list.map((item, at) => [names[at]!, item]));
};

/**
 * Where two values differ, in lines people read: `steps[a].day: 1 -> 2`, of long texts the lines that went and came.
 */
export function differences(before: unknown, after: unknown, path = ''): string[] {
  if (same(before, after)) return [];
  if (before === undefined) return [`${path || 'all'}: added ${shown(after)}`];
  if (after === undefined) return [`${path || 'all'}: removed ${shown(before)}`];
  if (Array.isArray(before) && Array.isArray(after)) return ofLists(before, after, path);
  if (isGroup(before) && isGroup(after))
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
      differences(before[key], after[key], path === '' ? key : `${path}.${key}`),
    );
  if (typeof before === 'string' && typeof after === 'string' && (before + after).includes('\n'))
    return ofTexts(before, after, path);
  return [`${path || 'all'}: ${shown(before)} -> ${shown(after)}`];
}

const isGroup = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

function ofLists(before: readonly unknown[], after: readonly unknown[], path: string): string[] {
  const [old, now] = [keyed(before), keyed(after)];
  if (!old || !now) {
    const most = Math.max(before.length, after.length);
    return Array.from({ length: most }, (_all, at) => differences(before[at], after[at], `${path}[${at}]`)).flat();
  }
  const names = [...new Set([...old.keys(), ...now.keys()])];
  const found = names.flatMap((name) => differences(old.get(name), now.get(name), `${path}[${name}]`));
  return found.length > 0 ? found : [`${path}: another order: ${[...now.keys()].join(', ')}`];
}

function ofTexts(before: string, after: string, path: string): string[] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const lines = [
    ...old.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`),
  ];
  const told = lines.slice(0, 10).map((line) => `${path}: ${line.length > 120 ? `${line.slice(0, 120)}…` : line}`);
  return [
    ...(told.length > 0 ? told : [`${path}: lines moved, or blank ones changed`]),
    ...(lines.length > 10 ? [`${path}: and ${lines.length - 10} more lines`] : []),
  ];
}
