import { escapeHtml, isSafeLink } from './markup.ts';
import { TemplateError } from './render.ts';

/** What stands at the foot of an e-mail. */
export interface MailFoot {
  /** Name and postal address of the business. */
  sender: string;
  links: readonly { words: string; url: string }[];
}

export interface MailPage {
  subject: string;
  /** BCP 47. */
  language: string;
  /** What mail programs show behind the subject. */
  preheader: string;
  /** The letter as HTML. */
  body: string;
  foot: MailFoot;
}

const RIGHT_TO_LEFT = ['ar', 'fa', 'he', 'ur', 'yi', 'ps'];

// Only what mail programs cannot take from the elements themselves: colours in the dark, and narrow screens.
const STYLE =
  '@media (prefers-color-scheme:dark){.page{background-color:#121212!important}.card{background-color:#1f1f1f!important;color:#ececec!important}.card a{color:#a8c7fa!important}.card .button a{color:#ffffff!important}.foot,.foot a{color:#b0b0b0!important}}@media (max-width:480px){.card{padding:20px!important}}';

const footHtml = ({ sender, links }: MailFoot): string =>
  [
    ...(sender === '' ? [] : [escapeHtml(sender)]),
    ...(links.length === 0
      ? []
      : [
          links
            .map(({ words, url }) => `<a href="${escapeHtml(url)}" style="color:#5f6368">${escapeHtml(words)}</a>`)
            .join(' &middot; '),
        ]),
  ].join('<br>');

/**
 * A letter as a page that common mail programs show alike: tables for places, styles on the elements (Gmail and
 * Outlook drop the others), 600 pixels at most, readable in the dark and by screen readers.
 */
export function mailHtml({ subject, language, preheader, body, foot }: MailPage): string {
  const dir = RIGHT_TO_LEFT.includes(language.split('-')[0]!) ? 'rtl' : 'ltr';
  const font = 'font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif';
  const told = footHtml(foot);
  return `<!doctype html>
<html lang="${escapeHtml(language)}" dir="${dir}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escapeHtml(subject)}</title>
<style>${STYLE}</style>
</head>
<body class="page" style="margin:0;padding:0;background-color:#f4f5f7">
<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">${escapeHtml(preheader)}</div>
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background-color:#f4f5f7">
<tr><td align="center" style="padding:24px 12px">
<!--[if mso]><table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:600px">
<tr><td class="card" dir="${dir}" style="padding:32px;background-color:#ffffff;color:#202124;border-radius:8px;${font};font-size:16px;line-height:1.5;text-align:${dir === 'rtl' ? 'right' : 'left'}">
${body}
</td></tr>
${told === '' ? '' : `<tr><td class="foot" dir="${dir}" style="padding:16px 32px;color:#5f6368;${font};font-size:12px;line-height:1.5;text-align:center">${told}</td></tr>\n`}</table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr>
</table>
</body>
</html>`;
}

/** A page of one's own, with the foot put in; a part of one is set into the layout of the house. */
export function ownHtml(page: MailPage): string {
  refuseUnsafe(page.body);
  if (!/<html[\s>]/i.test(page.body)) return mailHtml(page);
  const told = footHtml(page.foot);
  const foot =
    told === '' ? '' : `<div style="padding:16px;color:#5f6368;font-size:12px;text-align:center">${told}</div>`;
  const end = page.body.search(/<\/body\s*>/i);
  return end === -1 ? page.body + foot : page.body.slice(0, end) + foot + page.body.slice(end);
}

const NEVER = /<\s*\/?\s*(script|iframe|object|embed|form|base|meta\s+http-equiv)\b|<[^>]*\son[a-z]+\s*=/i;

/** What is wrong with HTML of one's own: what mail programs throw away or warn of. */
export function htmlProblem(html: string): string | undefined {
  const never = NEVER.exec(html)?.[0].trim();
  if (never) return `has ${never}, which mail programs do not allow; leave it out`;
  for (const [, quoted, bare] of html.matchAll(/\b(?:href|action)\s*=\s*(?:["']\s*([^"']*)|([^\s>"']+))/gi)) {
    const url = (quoted ?? bare ?? '').trim();
    if (url !== '' && !url.startsWith('#') && !url.startsWith('{') && !isSafeLink(url))
      return `links to "${url.slice(0, 80)}"; links begin with https://, mailto: or tel:`;
  }
  return undefined;
}

/** @throws TemplateError where a value made something of the page that must not be in it */
function refuseUnsafe(html: string): void {
  const problem = htmlProblem(html);
  if (problem) throw new TemplateError(`the HTML ${problem}`);
}
