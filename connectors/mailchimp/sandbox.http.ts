import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Audience, Member, Status } from './sandbox.audience.ts';

/** What of the bodies of all calls is looked at. */
export interface Sent {
  email_address?: string;
  status_if_new?: Status;
  status?: Status;
  merge_fields?: Record<string, unknown>;
  interests?: Record<string, boolean>;
  vip?: boolean;
  language?: string;
  tags?: { name: string; status: string }[];
  is_syncing?: boolean;
  name?: string;
  properties?: Record<string, string>;
  occurred_at?: string;
  note?: string;
  url?: string;
  events?: Record<string, boolean>;
  sources?: Record<string, boolean>;
}

export type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string | undefined>;
  Body: Sent | undefined;
}>;

/** A refusal as the vendor writes it. */
export const problem = (
  reply: FastifyReply,
  status: number,
  title: string,
  detail: string,
  errors?: { field: string; message: string }[],
): FastifyReply =>
  reply
    .code(status)
    .type('application/problem+json')
    .send({
      type: 'https://mailchimp.com/developer/marketing/docs/errors/',
      title,
      status,
      detail,
      instance: '995c5cb0-3280-4a6e-808b-3b096d0bb219',
      ...(errors ? { errors } : {}),
    });

export const missing = (reply: FastifyReply): FastifyReply =>
  problem(reply, 404, 'Resource Not Found', 'The requested resource could not be found.');

/** The part of an answer that `fields` names: members of the answer, or of the items of one of its lists. */
export function picked(body: Record<string, unknown>, fields: string | undefined): Record<string, unknown> {
  if (!fields) return body;
  const wanted = new Map<string, string[]>();
  for (const path of fields.split(',')) {
    const [first = '', second] = path.split('.');
    wanted.set(first, [...(wanted.get(first) ?? []), ...(second ? [second] : [])]);
  }
  const part = (value: unknown, names: string[]): unknown =>
    Object.fromEntries(
      names.filter((name) => name in (value as object)).map((name) => [name, (value as Record<string, unknown>)[name]]),
    );
  return Object.fromEntries(
    [...wanted].flatMap(([name, names]) => {
      if (!(name in body)) return [];
      const value = body[name];
      if (names.length === 0) return [[name, value]];
      return [[name, Array.isArray(value) ? value.map((item) => part(item, names)) : part(value, names)]];
    }),
  );
}

/** A part of a list, as `count` and `offset` ask for it. */
export function paged<Item>(items: readonly Item[], query: Record<string, string | undefined>): Item[] {
  const offset = Number(query.offset ?? 0);
  return items.slice(offset, offset + Math.min(1000, Number(query.count ?? 10)));
}

export interface Around {
  tell(audience: Audience, type: string, member: Member, more?: Record<string, string>, source?: string): Promise<void>;
  signs: boolean;
}
