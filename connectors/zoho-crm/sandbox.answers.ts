import type { FastifyReply, FastifyRequest } from 'fastify';
import { shownTime, type ZohoUser } from './sandbox.state.ts';
import type { ZohoRecord } from './sandbox.table.ts';

export type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string>;
  Body: Record<string, unknown>;
}>;

/** A refusal of a whole call. */
export const refuse = (
  reply: FastifyReply,
  status: number,
  code: string,
  message: string,
  details: object = {},
): FastifyReply => reply.code(status).send({ code, details, message, status: 'error' });

/** A refusal of one row, inside an answer that looks good. */
export const badRow = (code: string, message: string, details: object = {}): object => ({
  ...{ code, details, message },
  status: 'error',
});

export const unknownId = (reply: FastifyReply): FastifyReply =>
  refuse(reply, 400, 'INVALID_DATA', 'the id given seems to be invalid.', { resource_path_index: 1 });

export const person = ({ full_name: name, id, email }: ZohoUser): object => ({ name, id, email });

/** What became of a record that was written. */
export const goodRow = (record: ZohoRecord, user: ZohoUser, message: string): object => ({
  code: 'SUCCESS',
  details: {
    Modified_Time: shownTime(record.at),
    Modified_By: person(user),
    Created_Time: shownTime(record.createdAt),
    id: record.id,
    Created_By: person(user),
  },
  message,
  status: 'success',
});

/** A record with the fields somebody asked for; a field it does not have is null. */
export function shown(record: ZohoRecord, fields: readonly string[] | undefined): object {
  const all: Record<string, unknown> = {
    ...record.fields,
    Created_Time: shownTime(record.createdAt),
    Modified_Time: shownTime(record.at),
  };
  const names = fields ?? Object.keys(all);
  return { ...Object.fromEntries(names.map((name) => [name, all[name] ?? null])), id: record.id };
}
