import { listAt, textAt, at as valueAt } from '../../src/kit/index.ts';
import type { Item, Kind, Mailbox } from './sandbox.state.ts';

export type Query = Record<string, string | undefined>;

/** Comes only when it is asked for. */
const ON_DEMAND = ['uniqueBody', 'internetMessageHeaders', 'singleValueExtendedProperties', 'linkedResources'];

/** An item as a query asks for it. */
export function shown(item: Item, query: Query): object {
  const wanted = query.$select?.split(',');
  const expanded = Object.keys(item).filter((name) => query.$expand?.startsWith(name));
  const names = wanted
    ? ['@odata.etag', '@odata.type', 'id', ...wanted]
    : Object.keys(item).filter((name) => !ON_DEMAND.includes(name));
  return Object.fromEntries(
    [...names, ...expanded].flatMap((name) => (Object.hasOwn(item, name) ? [[name, item[name]]] : [])),
  );
}

const CONDITIONS: [RegExp, (item: Item, found: RegExpExecArray) => boolean][] = [
  [
    /^singleValueExtendedProperties\/any\(ep: ep\/id eq '([^']*)' and ep\/value eq '([^']*)'\)/,
    (item, [, id, value]) =>
      listAt(item, 'singleValueExtendedProperties').some(
        (one) => textAt(one, 'id') === id && textAt(one, 'value') === value,
      ),
  ],
  [/^(\w+) eq '((?:[^']|'')*)'/, (item, [, name, value]) => item[name!] === value!.replaceAll("''", "'")],
  [/^(\w+) eq (true|false)/, (item, [, name, value]) => String(item[name!] ?? false) === value],
  [/^(\w+) ge ([\dT:.Z-]+)/, (item, [, name, value]) => Date.parse(String(item[name!])) >= Date.parse(value!)],
];

/** What a filter lets through. @returns undefined for one it does not understand */
export function filterOf(text: string | undefined): ((item: Item) => boolean) | undefined {
  const tests: ((item: Item) => boolean)[] = [];
  for (let rest = text ?? ''; rest !== ''; ) {
    const known = CONDITIONS.map(([pattern, holds]) => ({ found: pattern.exec(rest), holds })).find(
      ({ found }) => found,
    );
    if (!known?.found) return undefined;
    const { found, holds } = known;
    tests.push((item) => holds(item, found));
    rest = rest.slice(found[0].length).replace(/^ and /, '');
  }
  return (item) => tests.every((test) => test(item));
}

/** Where an opaque token stands; it carries the whole question. */
interface Token {
  generation: number;
  /** Removals before this change are not told: whoever asks has never heard of them. */
  start: number;
  /** Changes up to here are told. */
  told: number;
  query: Query;
}

const encode = (token: Token): string => Buffer.from(JSON.stringify(token)).toString('base64url');

function decode(text: string): Token | undefined {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString()) as Token;
  } catch {
    return undefined;
  }
}

/** A page of changes, with the link to the next one or to what comes after the last. @returns undefined: resync */
export function deltaPage(
  mailbox: Mailbox,
  kind: Kind,
  given: Query,
  page: { size: number; url: string; inScope: (item: Item, query: Query) => boolean },
): object | undefined {
  const text = given.$skiptoken ?? given.$deltatoken;
  const token = text ? decode(text) : { generation: mailbox.generation, start: mailbox.seq, told: 0, query: given };
  if (!token || token.generation !== mailbox.generation) return undefined;
  const { start, query: asked } = token;
  const changes = [...mailbox.rows[kind].values()].filter(({ seq }) => seq > token.told).sort((a, b) => a.seq - b.seq);
  const late = changes.findIndex(({ at }) => at > mailbox.visible());
  const ready = late < 0 ? changes : changes.slice(0, late);
  const listed = ready.filter(({ item, removed, seq }) => (removed ? seq > start : page.inScope(item, asked)));
  const part = listed.slice(0, page.size);
  const more = part.length < listed.length;
  const told = more ? part.at(-1)!.seq : Math.max(token.told, ready.at(-1)?.seq ?? 0);
  const next = encode({ generation: mailbox.generation, start: more ? start : told, told, query: asked });
  return {
    '@odata.context': `${page.url.split('/v1.0')[0]}/v1.0/$metadata#Collection(${kind})`,
    ...(more
      ? { '@odata.nextLink': `${page.url}?$skiptoken=${next}` }
      : { '@odata.deltaLink': `${page.url}?$deltatoken=${next}` }),
    value: part.map(({ item, removed }) =>
      removed ? { '@removed': { reason: 'deleted' }, id: item.id } : shown(item, asked),
    ),
  };
}

/** Whether an appointment touches the window a query names. */
export function inWindow(item: Item, query: Query): boolean {
  const [start, end] = [textAt(item, 'start.dateTime'), textAt(item, 'end.dateTime')].map((one) =>
    Date.parse(`${one}Z`.replace(/ZZ$/, 'Z')),
  );
  const [from, to] = [Date.parse(query.startDateTime ?? ''), Date.parse(query.endDateTime ?? '')];
  return valueAt(item, 'start') !== undefined && end! >= from && start! <= to;
}
