import type { IncomingMessage, ServerResponse } from 'node:http';
import Fastify, { type FastifyReply } from 'fastify';
import type { Deed, Sandbox } from '../connector.ts';
import type { Delivery, Exchange } from './exchanges.ts';
import { FAULT_FORMS, parseDuration, parseFault, tellFault } from './faults.text.ts';

/** Where the page of every simulation is. */
export const PAGE = '/_sandbox';

/** What a page shows; the simulation itself is known only once it runs. */
export interface Shown {
  name: string;
  sandbox: Sandbox | undefined;
  journal: readonly Exchange[];
  deliveries: readonly Delivery[];
  journalLimit: number;
}

/** Exchanges and posts shown, the newest first. */
const LATEST = 25;
const LONGEST = 4_000;

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse}
td,th{text-align:left;padding:.15rem .8rem .15rem 0;vertical-align:top}form{margin:.4rem 0}label{margin-right:.6rem}
input{font:inherit;padding:.1rem .3rem}button{font:inherit}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;padding:.5rem}
.said{background:#e7f4e4;padding:.5rem}.failed{background:#fbe3e0;padding:.5rem}.quiet{color:#555}`;

/**
 * The page a person can open beside a simulation: what it holds in words, the faults in force, what was exchanged, and
 * forms to change all that. It lives outside the simulated API, so that no limit, log-in or fault of the vendor is met.
 * @returns a handler of plain requests below `/_sandbox`
 */
export async function createPage(
  shown: () => Shown,
): Promise<{ handle: (request: IncomingMessage, response: ServerResponse) => void; close: () => Promise<void> }> {
  const app = Fastify();
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  );
  const present = (): Sandbox => {
    const { sandbox } = shown();
    if (!sandbox) throw new Error('The simulation is still starting.');
    return sandbox;
  };
  const show = (reply: FastifyReply, said?: { text: string; failed?: boolean }): FastifyReply =>
    reply.type('text/html; charset=utf-8').send(document(shown(), said));

  app.get(PAGE, async (request, reply) => {
    const { said } = request.query as { said?: string };
    return show(reply, said ? { text: said } : undefined);
  });
  app.get(`${PAGE}/state`, async () => ({
    name: shown().name,
    holds: present().report(),
    faults: (present().faults?.inForce() ?? []).map(({ fault, struck }) => ({ told: tellFault(fault), struck })),
    lateIndexMs: present().lateIndexMs,
    exchanges: shown().journal.length,
    deliveries: shown().deliveries.length,
  }));
  app.post<{ Params: { '*': string }; Body?: Record<string, string> }>(`${PAGE}/*`, async (request, reply) => {
    try {
      const said = await act(present(), request.params['*'], request.body ?? {});
      // Back to the page, so that reloading it does nothing a second time.
      return reply.redirect(`${PAGE}?said=${encodeURIComponent(said)}`, 303);
    } catch (error) {
      return show(reply.code(400), { text: (error as Error).message, failed: true });
    }
  });
  await app.ready();
  return { handle: (request, response) => app.routing(request, response), close: () => app.close() };
}

/** Does what a form asks for. @returns what happened, in words */
async function act(sandbox: Sandbox, what: string, form: Record<string, string>): Promise<string> {
  const [kind, name] = what.split('/');
  if (kind === 'deeds') {
    const deed = sandbox.deeds?.find((known) => known.name === name);
    if (!deed) throw new Error(`Nobody here can do "${name}".`);
    return deed.act({ ...deed.fields?.(), ...form });
  }
  if (kind === 'faults' && sandbox.faults) {
    if (name === 'clear') {
      sandbox.faults.clear();
      return 'No fault is in force any more.';
    }
    if (name !== undefined) {
      sandbox.faults.inForce()[Number(name)]?.remove();
      return 'The fault was removed.';
    }
    const fault = parseFault(form.fault ?? '');
    sandbox.faults.add(fault);
    return `From now on: ${tellFault(fault)}.`;
  }
  if (kind === 'late' && sandbox.lateIndexMs !== undefined) {
    const late = parseDuration(form.late ?? '');
    if (late === undefined) throw new Error('Say how late, such as 5s or 200ms.');
    sandbox.lateIndexMs = late;
    return `Lists and searches show changes ${late} ms late.`;
  }
  if (kind === 'hook' && 'hookUrl' in sandbox) {
    const address = form.address?.trim() ?? '';
    if (address !== '' && !URL.canParse(address)) throw new Error(`"${address}" is not an address.`);
    sandbox.hookUrl = address || undefined;
    return address ? `Webhooks go to ${address}.` : 'Webhooks go nowhere.';
  }
  throw new Error('The simulation cannot do that.');
}

const button = (action: string, text: string, fields = ''): string =>
  `<form method="post" action="${PAGE}/${escapeHtml(action)}">${fields}<button>${escapeHtml(text)}</button></form>`;

const input = (name: string, value: string, more = ''): string =>
  `<label>${escapeHtml(name.replaceAll('_', ' '))} <input name="${escapeHtml(name)}" value="${escapeHtml(value)}" ${more}></label>`;

function document(shown: Shown, said: { text: string; failed?: boolean } | undefined): string {
  const { name, sandbox } = shown;
  const title = `${escapeHtml(name)}, simulated`;
  const sections = sandbox
    ? [
        section('What it holds', holds(sandbox)),
        section('What people can do here', deeds(sandbox.deeds ?? [])),
        section('Faults in force', faults(sandbox)),
        section('Index', index(sandbox)),
        section('Webhooks', webhooks(sandbox, shown.deliveries)),
        section('Last exchanges', exchanges(shown)),
      ]
    : ['<p>It is still starting.</p>'];
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} (simulation)</title><style>${STYLE}</style>
<h1>${title}</h1><p>This is a simulation of the vendor's API on this machine, not the vendor. Nothing here reaches anybody.</p>
${said ? `<p class="${said.failed ? 'failed' : 'said'}" role="status">${escapeHtml(said.text)}</p>` : ''}${sections.join('\n')}
<p class="quiet"><a href="${PAGE}">Look again</a>. For programs: <a href="${PAGE}/state">${PAGE}/state</a>.</p></html>`;
}

const section = (title: string, body: string | undefined): string =>
  body === undefined ? '' : `<section><h2>${title}</h2>${body}</section>`;

function holds(sandbox: Sandbox): string {
  const rows = Object.entries(sandbox.report()).map(
    ([what, count]) =>
      `<tr><td>${escapeHtml(what.replaceAll('_', ' '))}</td><td>${count.toLocaleString('en')}</td></tr>`,
  );
  return rows.length > 0 ? `<table>${rows.join('')}</table>` : '<p>Nothing yet.</p>';
}

function deeds(list: readonly Deed[]): string | undefined {
  if (list.length === 0) return undefined;
  return list
    .map(({ name, title, fields }) => {
      const inputs = Object.entries(fields?.() ?? {}).map(([field, value]) => input(field, value));
      return button(`deeds/${name}`, title, inputs.join(''));
    })
    .join('');
}

function faults({ faults: known }: Sandbox): string | undefined {
  if (!known) return '<p>None are possible: nothing answers here.</p>';
  const inForce = known.inForce();
  const rows = inForce.map(
    ({ fault, struck }, at) =>
      `<tr><td>${escapeHtml(tellFault(fault))}</td><td>struck ${struck} ${struck === 1 ? 'time' : 'times'}</td><td>${button(`faults/${at}`, 'Remove')}</td></tr>`,
  );
  return `${rows.length > 0 ? `<table>${rows.join('')}</table>${button('faults/clear', 'Remove all')}` : '<p>None: it behaves.</p>'}
${button('faults', 'Add', input('fault', '', 'size="40" placeholder="429:0.2 @GET /"'))}<p class="quiet">${escapeHtml(FAULT_FORMS)}. Each may end in a share (:0.2), a number of times (:x3) and @METHOD /path.</p>`;
}

function index(sandbox: Sandbox): string | undefined {
  if (sandbox.lateIndexMs === undefined) return undefined;
  const state =
    sandbox.lateIndexMs > 0
      ? `Lists and searches show changes ${sandbox.lateIndexMs.toLocaleString('en')} ms late.`
      : 'Lists and searches show changes at once.';
  return `<p>${state}</p>${button('late', 'Set', input('late', `${sandbox.lateIndexMs}ms`))}`;
}

function webhooks(sandbox: Sandbox, deliveries: readonly Delivery[]): string | undefined {
  const form =
    'hookUrl' in sandbox ? button('hook', 'Set', input('address', sandbox.hookUrl ?? '', 'size="50"')) : undefined;
  if (form === undefined && deliveries.length === 0) return undefined;
  const rows = deliveries.slice(-LATEST).reverse();
  const list = rows.map(
    ({ url, status, body }) =>
      `<tr><td>${status === 0 ? 'not taken' : status}</td><td>${escapeHtml(url)}</td><td>${escapeHtml(body.slice(0, 200))}</td></tr>`,
  );
  return `${form ?? ''}${list.length > 0 ? `<table><tr><th>answer</th><th>posted to</th><th></th></tr>${list.join('')}</table>` : '<p>None were posted yet.</p>'}`;
}

function exchanges({ journal, journalLimit }: Shown): string {
  if (journalLimit === 0) return '<p>They are not kept.</p>';
  const rows = journal.slice(-LATEST).reverse();
  if (rows.length === 0) return '<p>None yet.</p>';
  return `<table><tr><th>at</th><th>status</th><th>request</th></tr>${rows.map(exchange).join('')}</table>`;
}

function exchange({ at, method, path, query, body, status, reply, fault }: Exchange): string {
  const shorten = (value: unknown): string => {
    const text = typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? '');
    return escapeHtml(text.length > LONGEST ? `${text.slice(0, LONGEST)} … (${text.length} characters)` : text);
  };
  const asked = new URLSearchParams(query as Record<string, string>).toString();
  const inside = `${body === undefined ? '' : `<pre>${shorten(body)}</pre>`}<pre>${shorten(reply)}</pre>`;
  return `<tr><td>${at.toISOString().slice(11, 19)}</td><td>${status}${fault ? ` (${fault})` : ''}</td><td><details><summary>${escapeHtml(method)} ${escapeHtml(path)}${asked ? escapeHtml(`?${asked}`) : ''}</summary>${inside}</details></td></tr>`;
}
