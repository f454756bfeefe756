/** An element of an XML document, without what schemas do not need: comments, processing instructions, order of text. */
export interface Element {
  /** Name as written, prefix included. */
  name: string;
  /** Name without prefix. */
  local: string;
  attributes: Record<string, string>;
  children: Element[];
  /** The text directly inside. */
  text: string;
}

const NAME = '[\\p{L}_:][\\p{L}\\p{N}_:.\\-]*';
const ATTRIBUTE = `${NAME}\\s*=\\s*(?:"[^"<]*"|'[^'<]*')`;
const TOKEN = new RegExp(
  [
    '<!--[\\s\\S]*?-->',
    '<\\?[\\s\\S]*?\\?>',
    '<!\\[CDATA\\[(?<raw>[\\s\\S]*?)\\]\\]>',
    `<(?<open>${NAME})(?<attributes>(?:\\s+${ATTRIBUTE})*)\\s*(?<empty>/?)>`,
    `</(?<close>${NAME})\\s*>`,
    '(?<text>[^<]+)',
  ].join('|'),
  'uy',
);
const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

const unescaped = (text: string): string =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (hex || decimal) return String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(decimal));
    const character = ENTITIES[name ?? ''];
    if (character === undefined) throw new Error(`The XML uses ${whole}, which is none of the five known entities.`);
    return character;
  });

/**
 * Reads an XML document. Document types and entities of its own are refused.
 * @throws Error when it is not well-formed, with the place
 */
export function parseXml(source: string): Element {
  const text = source.replace(/^\uFEFF/, '');
  const top: Element = { name: '', local: '', attributes: {}, children: [], text: '' };
  const stack = [top];
  const fail = (at: number, reason: string): never => {
    throw new Error(`The XML is not well-formed at ${at} (${text.slice(at, at + 40)}): ${reason}`);
  };
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(text)?.groups;
    const current = stack.at(-1)!;
    if (!groups) return fail(at, 'neither a tag nor text');
    if (groups.open !== undefined) {
      const element = elementOf(groups.open, groups.attributes ?? '');
      current.children.push(element);
      if (!groups.empty) stack.push(element);
    } else if (groups.close !== undefined) {
      if (groups.close !== current.name) fail(at, `${current.name || 'nothing'} is open`);
      stack.pop();
    } else if (groups.raw !== undefined) current.text += groups.raw;
    else if (groups.text !== undefined) current.text += unescaped(groups.text);
  }
  if (stack.length > 1) fail(text.length, `${stack.at(-1)!.name} is never closed`);
  if (top.children.length !== 1 || top.text.trim() !== '') fail(0, 'there must be one element at the top');
  return top.children[0]!;
}

function elementOf(name: string, attributeText: string): Element {
  const attributes: Record<string, string> = {};
  for (const [pair] of attributeText.matchAll(new RegExp(ATTRIBUTE, 'gu'))) {
    const at = pair.indexOf('=');
    attributes[pair.slice(0, at).trim()] = unescaped(
      pair
        .slice(at + 1)
        .trim()
        .slice(1, -1),
    );
  }
  return { name, local: name.slice(name.indexOf(':') + 1), attributes, children: [], text: '' };
}

/** The children with a local name. */
export const childrenOf = (element: Element, ...names: string[]): Element[] =>
  element.children.filter(({ local }) => names.includes(local));

/** An element's descendants with a local name, in document order. */
export function* descendants(element: Element, ...names: string[]): Generator<Element> {
  for (const child of element.children) {
    if (names.includes(child.local)) yield child;
    yield* descendants(child, ...names);
  }
}
