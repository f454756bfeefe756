import type { Fields, SalesforceState } from './sandbox.state.ts';

/** Why the vendor refuses a write. */
export class WriteError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: string[];

  constructor(status: number, code: string, message: string, fields: string[] = []) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = fields;
  }
}

const REQUIRED: Record<string, readonly string[]> = {
  Contact: ['LastName'],
  Account: ['Name'],
  Lead: ['LastName', 'Company'],
  Topic: ['Name'],
  TopicAssignment: ['TopicId', 'EntityId'],
  FeedItem: ['ParentId', 'Body'],
  ContentNote: ['Title'],
  ContentDocumentLink: ['ContentDocumentId', 'LinkedEntityId'],
  Event: ['StartDateTime', 'EndDateTime'],
};

/** Records there are, by their ids: what a reference may point at. */
function isThere(state: SalesforceState, id: string): boolean {
  const object = [...state.schema.values()].find(({ prefix }) => id.startsWith(prefix));
  const row = object && state.table(object.name).find(id);
  return row !== undefined && row.values.IsDeleted !== true;
}

/** @throws WriteError as the vendor refuses */
function check(state: SalesforceState, object: string, fields: Fields): void {
  const known = state.object(object).fields;
  for (const [name, value] of Object.entries(fields)) {
    const field = known.get(name);
    if (!field || state.hidden.get(object)?.has(name))
      throw new WriteError(400, 'INVALID_FIELD', `No such column '${name}' on sobject of type ${object}`);
    const isLong = field.type === 'string' && typeof value === 'string' && value.length > 255;
    if (isLong) throw new WriteError(400, 'STRING_TOO_LONG', `${name}: data value too large (max length=255)`, [name]);
    if (field.type === 'reference' && typeof value === 'string' && !isThere(state, value))
      throw new WriteError(400, 'INVALID_CROSS_REFERENCE_KEY', `${name}: invalid cross reference id ${value}`, [name]);
  }
  if (object === 'Task' && String(fields.OwnerId ?? '').startsWith('00G'))
    throw new WriteError(400, 'INVALID_CROSS_REFERENCE_KEY', 'Assigned To ID: a queue cannot own this task', [
      'OwnerId',
    ]);
  if (String(fields.WhoId ?? '').startsWith('00Q') && fields.WhatId)
    throw new WriteError(400, 'FIELD_INTEGRITY_EXCEPTION', 'Related To: a lead cannot be related to anything', [
      'WhatId',
    ]);
}

/** @returns the new record's id @throws WriteError */
export function createRecord(state: SalesforceState, object: string, fields: Fields): string {
  check(state, object, fields);
  const missing = (REQUIRED[object] ?? []).filter((name) => fields[name] == null || fields[name] === '');
  if (missing.length > 0)
    throw new WriteError(
      400,
      'REQUIRED_FIELD_MISSING',
      `Required fields are missing: [${missing.join(', ')}]`,
      missing,
    );
  const twin = (match: (record: Fields) => boolean): void => {
    const found = state.all(object).find(match);
    if (found)
      throw new WriteError(
        400,
        'DUPLICATE_VALUE',
        `duplicate value found: a value duplicates the value on record with id: ${found.Id.slice(0, 15)}`,
      );
  };
  if (object === 'Topic') twin(({ Name }) => Name === fields.Name);
  if (object === 'TopicAssignment')
    twin(({ TopicId, EntityId }) => TopicId === fields.TopicId && EntityId === fields.EntityId);
  return state.create(object, fields).Id;
}

/** @throws WriteError */
export function updateRecord(state: SalesforceState, object: string, id: string, fields: Fields): void {
  const row = state.table(object).find(id);
  if (!row)
    throw new WriteError(404, 'NOT_FOUND', 'Provided external ID field does not exist or is not accessible: Id');
  if (row.values.IsDeleted === true) throw new WriteError(404, 'ENTITY_IS_DELETED', 'entity is deleted');
  check(state, object, fields);
  state.change(object, id, fields);
}

/** Creates or updates by a field of ours. @throws WriteError */
export function upsertRecord(
  state: SalesforceState,
  object: string,
  by: { field: string; value: string },
  fields: Fields,
): { id: string; created: boolean } {
  if (state.object(object).fields.get(by.field)?.externalId !== true)
    throw new WriteError(
      404,
      'NOT_FOUND',
      `Provided external ID field does not exist or is not accessible: ${by.field}`,
    );
  const found = state.all(object).find((record) => record[by.field] === by.value);
  if (!found) return { id: createRecord(state, object, { ...fields, [by.field]: by.value }), created: true };
  updateRecord(state, object, found.Id, fields);
  return { id: found.Id, created: false };
}

interface Part {
  method: string;
  url: string;
  referenceId: string;
  body: Fields;
}

/** Several creations in turn, all or none: results of earlier ones stand in later ones as `@{name.id}`. */
export function composite(state: SalesforceState, parts: readonly Part[]): object {
  const ids = new Map<string, { object: string; id: string }>();
  const resolved = (value: unknown): unknown =>
    typeof value === 'string' ? value.replace(/@\{(\w+)\.id\}/g, (_all, name) => ids.get(name)?.id ?? '') : value;
  let failed: { at: number; error: WriteError } | undefined;
  parts.forEach(({ url, referenceId, body }, at) => {
    if (failed) return;
    const object = /\/sobjects\/(\w+)\/?$/.exec(url)?.[1] ?? '';
    try {
      const fields = Object.fromEntries(Object.entries(body).map(([name, value]) => [name, resolved(value)]));
      ids.set(referenceId, { object, id: createRecord(state, object, fields) });
    } catch (error) {
      if (!(error instanceof WriteError)) throw error;
      failed = { at, error };
    }
  });
  if (failed) for (const { object, id } of ids.values()) state.purge(object, id);
  return {
    compositeResponse: parts.map(({ referenceId }, at) => {
      const base = { httpHeaders: {}, referenceId };
      if (!failed)
        return { ...base, httpStatusCode: 201, body: { id: ids.get(referenceId)!.id, success: true, errors: [] } };
      const halted = {
        errorCode: 'PROCESSING_HALTED',
        message: 'The transaction was rolled back since another operation in the same transaction failed.',
      };
      const { error } = failed;
      const told = at === failed.at ? { errorCode: error.code, message: error.message, fields: error.fields } : halted;
      return { ...base, httpStatusCode: 400, body: [told] };
    }),
  };
}

/** Updates of several records, each by itself. */
export const collection = (state: SalesforceState, records: readonly Fields[]): object[] =>
  records.map((record) => {
    const { attributes, id, ...fields } = record as { attributes: { type: string }; id: string };
    try {
      updateRecord(state, attributes.type, id, fields);
      return { id, success: true, errors: [] };
    } catch (error) {
      if (!(error instanceof WriteError)) throw error;
      return { id, success: false, errors: [{ statusCode: error.code, message: error.message, fields: error.fields }] };
    }
  });
