import { revealed } from './liquid.ts';

/** Text as HTML shows it. */
export const escapeHtml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

/** Words of a letter as HTML: what came from values acts as nothing. */
const words = (text: string): string => revealed(escapeHtml(text), escapeHtml);

/** Where links may lead. */
export const isSafeLink = (url: string): boolean => /^(https?:\/\/[^\s]|mailto:[^\s]|tel:\+?[\d])/i.test(url);

const LINK = /\[([^\]\n]+)\]\(([^)\s]+)\)/;
const INLINE = new RegExp(`${LINK.source}|(https?://[^\\s<>]*[^\\s<>.,;:!?)'"\\]])|\\*\\*([^*\\n]+)\\*\\*`, 'g');
const BUTTON = new RegExp(`^\\s*${LINK.source}\\s*$`);
const ITEM = /^\s*([-*•]|\d{1,2}[.)])\s+(.*)$/;

const anchor = (url: string, label: string): string =>
  `<a href="${words(url)}" style="color:#0b57d0;text-decoration:underline">${label}</a>`;

function inline(text: string): string {
  let html = '';
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, label, target, url, bold] = found;
    html += words(text.slice(from, found.index));
    from = found.index + whole.length;
    if (bold !== undefined) html += `<strong>${inline(bold)}</strong>`;
    else if (url !== undefined) html += anchor(url, words(url));
    else html += isSafeLink(revealed(target!)) ? anchor(target!, words(label!)) : words(whole);
  }
  return html + words(text.slice(from));
}

/** A button that also looks like one where styles of links are ignored: a cell of a table with its own colour. */
const button = (label: string, url: string): string =>
  `<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:8px 0 16px"><tr><td class="button" style="border-radius:6px;background-color:#0b57d0"><a href="${words(url)}" style="display:inline-block;padding:12px 24px;border:1px solid #0b57d0;border-radius:6px;color:#ffffff;font-weight:bold;text-decoration:none">${words(label)}</a></td></tr></table>`;

function list(lines: readonly string[]): string {
  const tag = /^\s*\d/.test(lines[0]!) ? 'ol' : 'ul';
  const items = lines.map((line) => `<li style="margin:0 0 4px">${inline(ITEM.exec(line)![2]!)}</li>`);
  return `<${tag} style="margin:0 0 16px;padding:0 0 0 24px">${items.join('')}</${tag}>`;
}

/** One block of lines: what belongs together stands together. */
function block(lines: readonly string[]): string {
  const runs: { kind: 'list' | 'button' | 'text'; lines: string[] }[] = [];
  for (const line of lines) {
    const found = BUTTON.exec(line);
    const kind = found && isSafeLink(revealed(found[2]!)) ? 'button' : ITEM.test(line) ? 'list' : 'text';
    const last = runs.at(-1);
    if (last?.kind === kind && kind !== 'button') last.lines.push(line);
    else runs.push({ kind, lines: [line] });
  }
  return runs
    .map((run) => {
      if (run.kind === 'list') return list(run.lines);
      if (run.kind === 'text') return `<p style="margin:0 0 16px">${run.lines.map(inline).join('<br>')}</p>`;
      const [, label, url] = BUTTON.exec(run.lines[0]!)!;
      return button(label!, url!);
    })
    .join('\n');
}

/**
 * A letter as HTML: paragraphs, lists (`- ` or `1. `), `**bold**`, `[words](https://...)` and plain addresses as links;
 * a link alone on its line is a button. Nothing else is read as HTML or as a mark, above all no value.
 * @param text written with `marked`
 */
export const letterHtml = (text: string): string =>
  text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => block(paragraph.split('\n')))
    .join('\n');

/** A letter as plain text: without marks, links with their address behind. */
export const letterText = (text: string): string =>
  revealed(
    text
      .replace(new RegExp(LINK.source, 'g'), (whole, label: string, url: string) =>
        isSafeLink(revealed(url)) ? `${label}: ${url}` : whole,
      )
      .replace(/\*\*([^*\n]+)\*\*/g, '$1'),
  );
