import type { Fault } from './faults.ts';

/** What a person may write; every mistake is answered with it. */
export const FAULT_FORMS = [
  '429 (any status from 300 to 599)',
  '429:after=30s (with Retry-After)',
  'cut',
  'cut_after',
  'silent',
  'slow:200ms',
  'malformed',
  'truncated',
  'rewrite:email=7',
  'rewrite:email>mail',
  'rewrite:email (lost)',
].join(', ');

const MODIFIERS = 'Each may end in a share (:0.2 or :20%), a number of times (:x3) and @METHOD /path.';

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000 };

/**
 * A span of time as people write it.
 * @returns milliseconds, or undefined when it is none
 */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text.trim());
  return match ? Number(match[1]) * UNITS[match[2]!]! : undefined;
}

const refuse = (text: string, why: string): never => {
  throw new Error(`"${text}" is no fault: ${why} There are ${FAULT_FORMS}. ${MODIFIERS}`);
};

/**
 * A fault as a person writes it on a command line or a page: `429:0.2`, `cut_after:x1 @POST /crm/objects`,
 * `slow:200ms`, `rewrite:email=7`.
 * @throws Error that says what can be written
 */
export function parseFault(text: string): Fault {
  const written = text.trim();
  // Paths follow a method in capital letters, so that an @ inside a value is none of them.
  const where = /\s*@([A-Z]+|\*)(?: +(\S.*))?$/.exec(written);
  let rest = where ? written.slice(0, where.index) : written;
  const more: Pick<Fault, 'chance' | 'times' | 'match' | 'text'> = { text: written };
  if (where) more.match = matcher(where[1]!, where[2] ?? '');
  for (;;) {
    const last = /:(?:x(\d+)|(\d*\.\d+|1)|(\d+(?:\.\d+)?)%)$/.exec(rest);
    if (!last) break;
    if (last[1] !== undefined) more.times = Number(last[1]);
    else more.chance = last[2] === undefined ? Number(last[3]) / 100 : Number(last[2]);
    rest = rest.slice(0, last.index);
  }
  if (more.times === 0) refuse(text, 'it would strike no times.');
  if (more.chance !== undefined && !(more.chance > 0 && more.chance <= 1))
    refuse(text, 'its share is not between 0 and 1.');
  return { ...kindOf(rest, text), ...more };
}

type Kind = Fault extends infer Each ? (Each extends Fault ? Omit<Each, 'match' | 'times' | 'chance'> : never) : never;

function kindOf(rest: string, text: string): Kind {
  const [kind, detail] = [rest.split(':')[0]!, rest.includes(':') ? rest.slice(rest.indexOf(':') + 1) : undefined];
  if (/^\d+$/.test(kind)) {
    const status = Number(kind);
    if (status < 300 || status > 599) refuse(text, `${kind} is no status a vendor refuses with.`);
    if (detail === undefined) return { kind: 'status', status };
    const wait = /^after=(.+)$/.exec(detail);
    const seconds = wait && parseDuration(wait[1]!);
    if (!seconds) return refuse(text, `"${detail}" says nothing about a status.`);
    return { kind: 'status', status, headers: { 'retry-after': String(Math.ceil(seconds / 1000)) } };
  }
  if (kind === 'slow') {
    const milliseconds = parseDuration(detail ?? '');
    return milliseconds === undefined
      ? refuse(text, 'say how slow, such as slow:200ms.')
      : { kind: 'slow', milliseconds };
  }
  if (kind === 'rewrite') {
    const match = /^([^=>\s]+)(?:([=>])(.*))?$/s.exec(detail ?? '');
    if (!match) return refuse(text, 'name the field, such as rewrite:email=7.');
    return { kind: 'rewrite', rewrite: rewriter(match[1]!, match[2] as '=' | '>' | undefined, match[3] ?? '') };
  }
  if (kind === 'cut' || kind === 'cut_after' || kind === 'silent' || kind === 'malformed' || kind === 'truncated')
    return detail === undefined ? { kind } : refuse(text, `"${detail}" says nothing about ${kind}.`);
  return refuse(text, `"${kind}" is not known.`);
}

/** Requests by method and the start of their path; a star stands for anything. */
function matcher(method: string, path: string): RegExp {
  const pattern = (part: string): string => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${method === '*' ? '\\S+' : method}${path === '' ? '\\b' : ` ${pattern(path)}`}`);
}

/** Changes every member of that name, however deep it stands. */
function rewriter(field: string, how: '=' | '>' | undefined, to: string): (body: unknown) => unknown {
  let value: unknown = to;
  try {
    value = JSON.parse(to);
  } catch {
    // Not JSON: taken as text.
  }
  const change = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(change);
    if (node === null || typeof node !== 'object') return node;
    return Object.fromEntries(
      Object.entries(node).flatMap(([name, inner]): [string, unknown][] => {
        if (name !== field) return [[name, change(inner)]];
        if (how === '=') return [[name, value]];
        return how === '>' ? [[to, inner]] : [];
      }),
    );
  };
  return change;
}

const SENTENCES: Record<Exclude<Fault['kind'], 'status' | 'slow'>, string> = {
  cut: 'The connection breaks before anything happens',
  cut_after: 'It acts, and its answer is lost',
  silent: 'It never answers',
  malformed: 'It answers with something broken',
  truncated: 'Its answer breaks off in the middle',
  rewrite: 'Its answer is changed',
};

/** A fault in words. */
export function tellFault(fault: Fault): string {
  const what =
    fault.kind === 'status'
      ? `It answers with status ${fault.status}`
      : fault.kind === 'slow'
        ? `It answers ${fault.milliseconds} ms later`
        : SENTENCES[fault.kind];
  const wait = fault.kind === 'status' && fault.headers?.['retry-after'];
  return [
    what,
    ...(wait ? [`and asks to wait ${wait} s`] : []),
    ...(fault.chance === undefined ? [] : [`to ${Math.round(fault.chance * 1000) / 10} % of the requests`]),
    ...(fault.times === undefined ? [] : [`${fault.times} ${fault.times === 1 ? 'time' : 'times'}`]),
    ...(fault.match ? [`when asked for ${/@(.*)$/.exec(fault.text ?? '')?.[1] ?? fault.match.source}`] : []),
    ...(fault.kind === 'rewrite' && fault.text ? [`(${fault.text.split(/\s*@[A-Z*]/)[0]})`] : []),
  ].join(' ');
}
