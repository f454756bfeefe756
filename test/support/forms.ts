/** A page as a browser without scripts has it: what a person can see, tick and send. */
export interface Paper {
  status: number;
  html: string;
  headers: Headers;
  lang: string | undefined;
  /** Text without markup. */
  text: string;
  /** The forms, in the order of the page, as the browser would send them untouched. */
  forms: URLSearchParams[];
}

const attribute = (tag: string, name: string): string | undefined =>
  new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]?.replaceAll('&quot;', '"').replaceAll('&amp;', '&');

/** What a browser sends of a form nobody touched: hidden fields, ticked boxes, empty texts. */
function fieldsOf(form: string): URLSearchParams {
  const fields = new URLSearchParams();
  for (const [tag] of form.matchAll(/<input\b[^>]*>/g)) {
    const [name, type] = [attribute(tag, 'name'), attribute(tag, 'type') ?? 'text'];
    if (!name) continue;
    if (type === 'checkbox' || type === 'radio') {
      if (/\schecked\b/.test(tag)) fields.append(name, attribute(tag, 'value') ?? 'on');
    } else fields.append(name, attribute(tag, 'value') ?? '');
  }
  for (const [, tag, text] of form.matchAll(/(<textarea\b[^>]*>)\n?(.*?)<\/textarea>/gs))
    fields.append(attribute(tag!, 'name')!, text!);
  return fields;
}

async function read(answer: Response): Promise<Paper> {
  const html = await answer.text();
  return {
    ...{ status: answer.status, headers: answer.headers, html, lang: /<html lang="([^"]*)"/.exec(html)?.[1] },
    text: html
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
    forms: [...html.matchAll(/<form\b[^>]*>(.*?)<\/form>/gs)].map(([, inside]) => fieldsOf(inside!)),
  };
}

/** Opens a page, as a browser that says which language it wants. */
export const open = async (url: string, language?: string): Promise<Paper> =>
  read(await fetch(url, { headers: language ? { 'accept-language': language } : {}, redirect: 'manual' }));

/** Sends a form to the page it stands on. */
export const sendForm = async (url: string, fields: URLSearchParams): Promise<Paper> =>
  read(await fetch(url, { method: 'POST', body: fields, redirect: 'manual' }));

/** What is wrong with a page for people who use it without seeing it, or on a narrow screen. */
export function faultsOf({ html }: Paper): string[] {
  const faults: string[] = [];
  const ids = [...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id!);
  for (const id of ids) if (ids.filter((other) => other === id).length > 1) faults.push(`the id ${id} is there twice`);
  for (const [tag] of html.matchAll(/<input\b[^>]*>/g)) {
    const id = attribute(tag, 'id');
    if (
      attribute(tag, 'type') !== 'hidden' &&
      (!id || (!html.includes(`<label for="${id}"`) && !html.includes(`for="${id}"><input`)))
    )
      faults.push(`no label: ${tag}`);
    const hint = attribute(tag, 'aria-describedby');
    if (hint && !ids.includes(hint)) faults.push(`no hint ${hint}`);
  }
  for (const [, inside] of html.matchAll(/<fieldset>(.*?)<\/fieldset>/gs))
    if (!/^<legend>[^<]+<\/legend>/.test(inside!)) faults.push('a group without a name');
  if (/<(script|iframe|object)\b|\son\w+=|\sstyle=|tabindex/i.test(html))
    faults.push('scripts, styles or an order of its own');
  if (!/<meta name="viewport" content="width=device-width/.test(html)) faults.push('no width of the device');
  if ((html.match(/<h1>/g) ?? []).length !== 1) faults.push('not one heading');
  if (!/<html lang="\w+"/.test(html) || !/<main>/.test(html) || !/<title>[^<]+<\/title>/.test(html))
    faults.push('no language, main part or title');
  // Every tag that is opened is closed, in order.
  const stack: string[] = [];
  for (const [, close, name] of html.matchAll(/<(\/?)([a-z]\w*)[^>]*>/g)) {
    if (['input', 'meta', 'link', 'br'].includes(name!)) continue;
    if (!close) stack.push(name!);
    else if (stack.pop() !== name) faults.push(`</${name}> closes something else`);
  }
  return [...faults, ...stack.map((name) => `<${name}> stays open`)];
}
