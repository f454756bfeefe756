/** The few pages the hub itself shows; plain HTML that works without scripts. */
export const STYLE = `
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
body { max-width: 34rem; margin: 3rem auto; padding: 0 1rem }
label { display: block; margin: .75rem 0 .25rem }
input { width: 100%; box-sizing: border-box; padding: .5rem; font: inherit }
button { margin-top: 1rem; padding: .5rem 1rem; font: inherit }
.error { border-left: .25rem solid #c00; padding-left: .75rem }
.done { border-left: .25rem solid #080; padding-left: .75rem }
fieldset { margin: 1.5rem 0 0; padding: .5rem 1rem 1rem; border: 1px solid; min-width: 0 }
.choice { display: flex; gap: .75rem; align-items: baseline; padding: .25rem 0 }
.choice input { width: auto; flex: none }
.hint { margin: .25rem 0 0; font-size: .9rem }
h1, h2, p, li, legend, dt, dd { overflow-wrap: anywhere }
:focus-visible { outline: .2rem solid; outline-offset: .15rem }
legend, .asked > label, dt { font-weight: 600 }
.asked { margin: 1.5rem 0 0 }
textarea { width: 100%; box-sizing: border-box; padding: .5rem; font: inherit }
.scale { display: flex; flex-wrap: wrap; gap: .5rem; padding: .5rem 0 }
.scale .choice { flex-direction: column; align-items: center; gap: .25rem; min-width: 2.75rem; box-sizing: border-box; margin: 0; padding: .5rem; border: 1px solid; border-radius: .25rem }
.scale .choice:has(input:checked) { outline: .15rem solid }
legend .hint, label .hint { font-weight: 400 }
`;

export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/**
 * A page with a title; `body` is HTML whose variable parts are escaped already.
 * @param options language of the page, and whose it is
 */
export const page = (title: string, body: string, options: { lang?: string; of?: string } = {}): string =>
  `<!doctype html><html lang="${options.lang ?? 'en'}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(title)} - ${escapeHtml(options.of ?? 'Rapport')}</title><link rel="stylesheet" href="/hub.css"></head><body><main><h1>${escapeHtml(title)}</h1>${body}</main></body></html>`;

/** What a person sees who opens the hub in a browser. */
export function homePage(fresh: boolean, error?: string, values: Record<string, string> = {}): string {
  if (!fresh) {
    return page(
      'Rapport is running',
      '<p>Follow-up that runs inside the CRM you already have.</p><ul><li><a href="/docs">API reference</a></li><li><a href="/ready">Is it ready?</a></li></ul><p>Connect a platform with <code>npx rapport connect</code> on the hub, or over the API.</p>',
    );
  }
  const field = (name: string, text: string, type: string, autocomplete: string): string =>
    `<label for="${name}">${text}</label><input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}" value="${escapeHtml(type === 'password' ? '' : (values[name] ?? ''))}" required>`;
  return page(
    'Welcome to Rapport',
    `<p>This hub is fresh. Whoever fills this in becomes its owner.</p>${error ? `<p class="error" role="alert">${escapeHtml(error)}</p>` : ''}
    <form method="post" action="/setup">${field('business', 'Name of the business', 'text', 'organization')}${field('zone', 'Time zone of the business, such as Europe/Berlin', 'text', 'off')}${field('name', 'Your name', 'text', 'name')}${field('email', 'Your e-mail address', 'email', 'email')}${field('password', 'A password of at least 10 characters', 'password', 'new-password')}<button>Create the owner</button></form>`,
  );
}
