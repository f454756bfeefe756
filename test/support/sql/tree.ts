/** A node of the tree Postgres parses a statement into, as it writes it down (pg_node_tree). */
export interface Node {
  type: string;
  fields: Record<string, Value[]>;
}
export type Value = Node | Value[] | string;

const TOKEN = /[{}()]|(?:\\.|[^\s{}()\\])+/g;

/** Reads a tree as the server writes it: `{TYPE :field value ...}`, lists in round brackets, words. */
export function readTree(text: string): Value {
  const tokens = text.match(TOKEN) ?? [];
  let at = 0;
  const value = (): Value => {
    const token = tokens[at++];
    if (token === undefined) throw new Error('The tree ends in the middle.');
    if (token === '(') {
      const list: Value[] = [];
      while (tokens[at] !== ')') list.push(value());
      at += 1;
      return list;
    }
    if (token !== '{') return token;
    const node: Node = { type: tokens[at++]!, fields: {} };
    let field: Value[] = [];
    while (tokens[at] !== '}') {
      if (tokens[at]!.startsWith(':')) {
        field = [];
        node.fields[tokens[at++]!.slice(1)] = field;
      } else field.push(value());
    }
    at += 1;
    return node;
  };
  return value();
}

const isNode = (value: Value): value is Node => typeof value === 'object' && !Array.isArray(value);

/** Every node in a value, itself included; what is inside of nodes that are `closed` stays out. */
export function nodesOf(value: Value | Value[] | undefined, closed: (node: Node) => boolean = () => false): Node[] {
  if (value === undefined || typeof value === 'string') return [];
  if (!isNode(value)) return value.flatMap((item) => nodesOf(item, closed));
  if (closed(value)) return [value];
  return [value, ...Object.values(value.fields).flatMap((field) => nodesOf(field, closed))];
}

/** The single word of a field. */
export const word = (node: Node, field: string): string | undefined => {
  const first = node.fields[field]?.[0];
  return typeof first === 'string' ? first : undefined;
};
