import { Type } from 'typebox';
import { newId } from '../../src/base/ids.ts';
import {
  at,
  type Connector,
  type Deletes,
  defineConnector,
  defineStream,
  listAt,
  type PreparedRequest,
  type Reply,
  type Stream,
  textAt,
  VendorError,
} from '../../src/kit/index.ts';
import type { Api, TestHub } from './hub.ts';

export interface AcmeRecord {
  id: string;
  name: string;
  updated: string;
  archived?: boolean;
  person?: string;
}

const PAGE = 10;

/**
 * A made-up vendor without a network: lists in pages of ten, by id or by time, a list of what was deleted, counts, single
 * records. What it holds and how it misbehaves is set by hand.
 */
export class Acme {
  account = 'acme-1';
  readonly tables = new Map<string, Map<string, AcmeRecord>>();
  /** Ids in the list of deleted records. */
  readonly stones = new Map<string, Set<string>>();
  /** Records nobody is shown, as when a permission is gone. */
  hides: (stream: string, record: AcmeRecord) => boolean = () => false;
  /** Answers instead of the vendor, or breaks off; called with what is asked. */
  before: ((what: string, query: Record<string, any>) => Promise<Reply | undefined> | Reply | undefined) | undefined;
  readonly calls: string[] = [];

  table(stream: string): Map<string, AcmeRecord> {
    const known = this.tables.get(stream) ?? new Map<string, AcmeRecord>();
    this.tables.set(stream, known);
    return known;
  }

  add(stream: string, id: string, more: Partial<AcmeRecord> = {}): AcmeRecord {
    const record = { id, name: `Name ${id}`, updated: '2026-02-01T00:00:00.000Z', ...more };
    this.table(stream).set(id, record);
    return record;
  }

  /** Adds `count` records with ids such as `p-0007`, a minute apart. */
  fill(stream: string, count: number, prefix = stream[0]!): string[] {
    const ids = Array.from({ length: count }, (_, n) => `${prefix}-${String(n).padStart(4, '0')}`);
    const from = Date.parse('2026-02-01T00:00:00Z');
    ids.forEach((id, n) => void this.add(stream, id, { updated: new Date(from + n * 60_000).toISOString() }));
    return ids;
  }

  remove(stream: string, ...ids: string[]): void {
    for (const id of ids) {
      this.table(stream).delete(id);
      this.stones.set(stream, (this.stones.get(stream) ?? new Set()).add(id));
    }
  }

  /** Calls since the last time somebody asked. */
  taken(): string[] {
    return this.calls.splice(0);
  }

  private shown(stream: string): AcmeRecord[] {
    return [...this.table(stream).values()].filter((record) => !this.hides(stream, record));
  }

  async answer(request: PreparedRequest): Promise<Reply> {
    const query = { ...(request.query as Record<string, any>), ...((request.json as object) ?? {}) };
    const what = request.path.slice(1);
    this.calls.push(what.endsWith('/count') && query.from ? `${what}?span` : what);
    return (await this.before?.(what, query)) ?? { status: 200, headers: {}, body: this.body(what, query) };
  }

  private body(what: string, query: Record<string, any>): unknown {
    if (what === 'me') return { id: this.account };
    const [stream = '', verb] = what.split('/');
    const shown = this.shown(stream);
    if (verb === 'count') {
      const { from = '', to = '~' } = query;
      return { count: shown.filter(({ updated }) => updated >= from && updated < to).length };
    }
    if (verb === 'ids') return { items: shown.filter(({ id }) => query.ids.includes(id)) };
    if (verb === 'deleted') return { items: [...(this.stones.get(stream) ?? [])].map((id) => ({ id })) };
    if (verb === 'since') {
      const from = shown.filter(({ updated }) => updated >= (query.from ?? ''));
      return { items: from.sort((a, b) => (a.updated < b.updated ? -1 : 1)).slice(0, PAGE) };
    }
    const sorted = shown.sort((a, b) => (a.id < b.id ? -1 : 1)).filter(({ id }) => id > (query.after ?? ''));
    const items = sorted.slice(0, PAGE);
    return { items, ...(sorted.length > PAGE ? { next: items.at(-1)!.id } : {}) };
  }
}

const DAY = 86_400;

/** A stream of the vendor that learns of deletions in the given way. */
function stream(name: string, deletes: Deletes, more: Partial<Stream> = {}): Stream {
  return defineStream({
    name,
    title: name,
    entities: ['contact'],
    list: (_ctx, position) => ({ method: 'GET', path: `/${name}/list`, query: { after: position.token } }),
    paging: { kind: 'token', size: PAGE, next: (reply) => textAt(reply.body, 'next') },
    records: (reply) => listAt(reply.body, 'items'),
    id: (record) => textAt(record, 'id'),
    deletes,
    ...more,
  });
}

const fetchByIds = (name: string): NonNullable<Stream['fetchByIds']> => ({
  max: 20,
  fetch: async (ctx, ids) =>
    listAt((await ctx.call({ method: 'POST', path: `/${name}/ids`, json: { ids }, safe: true })).body, 'items'),
});

const count = (name: string): NonNullable<Stream['count']> => {
  return async (ctx) => Number(textAt((await ctx.call({ method: 'GET', path: `/${name}/count` })).body, 'count'));
};

/** Read by time and counted by span. */
const byTime = (name: string): Partial<Stream> => ({
  list: (_ctx, position) => ({ method: 'GET', path: `/${name}/since`, query: { from: position.since } }),
  paging: { kind: 'keyset', size: PAGE, ties: 'id' },
  changedAt: (record) => textAt(record, 'updated'),
  incremental: { granularity: 'millisecond', lagSeconds: 60, sorted: 'ascending' },
  fetchByIds: fetchByIds(name),
  count: count(name),
  countBetween: async (ctx, from, to) =>
    Number(textAt((await ctx.call({ method: 'GET', path: `/${name}/count`, query: { from, to } })).body, 'count')),
});

/** One stream for each way of learning of deletions. */
export function acmeConnector(vendor: Acme): Connector {
  const weekly = { everySeconds: 7 * DAY };
  const stones = (name: string): Deletes => ({
    kind: 'tombstones',
    everySeconds: 3600,
    list: () => ({ method: 'GET', path: `/${name}/deleted` }),
    read: (reply) => ({ deleted: listAt(reply.body, 'items').map((item) => ({ id: textAt(item, 'id')! })) }),
  });
  return defineConnector({
    id: 'acme',
    name: 'Acme',
    category: 'crm',
    hosts: { api: 'https://acme.example' },
    auth: {
      kind: 'api_key',
      fields: Type.Object({ key: Type.String(), view: Type.Optional(Type.String()) }),
      secret: ['key'],
      headers: (secrets) => ({ authorization: String(secrets.key) }),
      features: { read: { title: 'Read', scopes: [] } },
    } as Connector['auth'],
    account: async (ctx) => {
      const { body } = await ctx.call({ method: 'GET', path: '/me' });
      return { id: textAt(body, 'id')!, name: 'Acme' };
    },
    limits: [],
    errors: { rules: [{ status: 403, kind: 'forbidden' }] },
    transport: async () => (request) => vendor.answer(request),
    streams: [
      stream(
        'people',
        { kind: 'sweep', sweep: weekly },
        {
          fetchByIds: fetchByIds('people'),
          count: count('people'),
          changedAt: (record) => textAt(record, 'updated'),
        },
      ),
      stream('silent', { kind: 'sweep', sweep: weekly }),
      stream('flagged', { kind: 'flag', isDeleted: (record) => at(record, 'archived') === true }),
      stream('listed', stones('listed')),
      stream('deals', stones('deals'), { entities: ['deal'], after: ['listed'] }),
      stream('counted', { kind: 'webhook+sweep', sweep: weekly }, byTime('counted')),
    ],
    actions: [],
    sandbox: () => Promise.reject(new VendorError('invalid', 'Acme has no simulation.')),
  });
}

const contact = { contact: { fields: { name: { path: 'name' } } } };
const MAPPING = {
  streams: {
    ...Object.fromEntries(['people', 'silent', 'flagged', 'listed', 'counted'].map((name) => [name, contact])),
    deals: {
      deal: { fields: { name: { path: 'name' } }, references: { customer: { to: 'listed', id: { path: 'person' } } } },
    },
  },
};

/** Connects the vendor for a business and reads everything once. */
export async function connectAcme(hub: TestHub, api: Api = hub.api): Promise<Record<string, any>> {
  const { status, body } = await api('POST', '/v1/connections', {
    connector: 'acme',
    settings: { key: newId() },
  });
  if (status !== 200) throw new Error(`Connecting failed: ${JSON.stringify(body)}`);
  const path = '/v1/connectors/acme/mapping';
  const etag = (await api('GET', path)).headers.get('etag')!;
  const saved = await api('PUT', path, MAPPING, { 'if-match': etag });
  if (saved.status !== 200) throw new Error(`The mapping was refused: ${JSON.stringify(saved.body)}`);
  await hub.settle();
  return body.connection;
}
