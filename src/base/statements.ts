// What a statement must not be cut in: literals (with and without escapes), quoted names, dollar quotes, comments.
const OPAQUE =
  /[eE]'(?:[^'\\]|''|\\[\s\S])*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\1|--[^\n]*|\/\*[\s\S]*?\*\/|;|[A-Za-z_0-9$]+|[\s\S]/g;

/**
 * The single statements of a text of several. Citus passes the text of a statement on to its workers and takes one
 * at a time there.
 */
export function statementsOf(text: string): string[] {
  const statements: string[] = [];
  let current = '';
  let hasCode = false;
  const end = (): void => {
    if (hasCode) statements.push(current.trim());
    current = '';
    hasCode = false;
  };
  for (const [part] of text.matchAll(OPAQUE)) {
    if (part === ';') {
      end();
      continue;
    }
    current += part;
    hasCode ||= !/^(\s|--|\/\*)/.test(part);
  }
  end();
  return statements;
}

/**
 * For Citus: rows that a statement selects to insert them are copied by Citus, which row-level security does not allow, unless
 * something is to be done with them: then they are inserted where they belong. So something is always asked back.
 */
export const settled = (text: string): string =>
  /^\s*insert\b.*\bselect\b/is.test(text) && !/\b(on\s+conflict|returning)\b/i.test(text)
    ? `${text} returning 1`
    : text;
