import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import type { Tx } from '../base/database.ts';
import { invalid } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { customerOfAddress } from '../consent/store.ts';
import { ACTION_INPUTS } from '../kit/index.ts';
import { CUSTOMER_KINDS } from './content.ts';
import { loadPeople } from './context.ts';
import { addressOf } from './plan.ts';
import type { ActionRequestBody } from './schema.ts';
import type { NewRequest } from './store.ts';

const CHANNEL_OF: Partial<Record<string, string>> = {
  send_email: 'email',
  send_sms: 'sms',
  send_whatsapp: 'whatsapp',
  place_call: 'call',
  send_push: 'push',
  send_in_app: 'in_app',
};

/** A message goes to an address of the customer whose choices and clock decide about it. */
export async function address(tx: Tx, planned: NewRequest): Promise<void> {
  const person = (await loadPeople(tx, [planned.customer_id!])).get(planned.customer_id!);
  const input = (planned.plan as { input: Record<string, unknown> }).input;
  if (input.to !== undefined && typeof input.to !== 'string')
    throw invalid('The address of a message is a text.', [{ path: 'input.to', message: 'must be string' }]);
  const given = typeof input.to === 'string' ? input.to.trim().toLowerCase() : undefined;
  const to = given ?? (person && addressOf(person, planned.channel));
  if (to === undefined)
    throw invalid(`There is no ${planned.channel} address of this customer.`, [
      { path: 'input.to', message: 'is missing' },
    ]);
  if (given !== undefined && (await customerOfAddress(tx, planned.channel, given)) !== planned.customer_id)
    throw invalid(`${given} is not an address of this customer.`, [
      { path: 'input.to', message: 'must be an address of the customer; leave it out for the usual one' },
    ]);
  planned.recipient = to;
  planned.plan = { type: 'direct', input: { ...input, to } };
}

/** What is filled in when it is left out, so that its absence is no mistake. */
const FILLED = {
  about: {},
  dueAt: '2000-01-01T00:00:00Z',
  id: '-',
  invoice: '-',
  object: 'contact',
  target: '-',
};

/** @throws Problem that names each wrong member of the input */
export function checkInput(planned: NewRequest): void {
  const { input } = planned.plan as { input: Record<string, unknown> };
  const { due_in_days: _due, ...given } = input;
  const schema = ACTION_INPUTS[planned.kind];
  const errors = Value.Errors(schema, { ...FILLED, ...given }).filter(
    // What is filled in for other kinds is not the caller's mistake.
    (error) => !(error.keyword === 'additionalProperties'),
  );
  if (errors.length === 0) return;
  const fields = errors.map((error) => ({
    path: `input${error.instancePath.replaceAll('/', '.')}`,
    message: error.message,
  }));
  throw invalid(
    `The input does not fit ${planned.kind}: ${fields.map((field) => `${field.path} ${field.message}`).join('; ')}.`,
    fields,
  );
}

export function toNewRequest(
  body: Static<typeof ActionRequestBody>,
  actor: string,
  key: string | undefined,
): NewRequest {
  const facing = CUSTOMER_KINDS.includes(body.kind);
  if (facing && !body.customerId)
    throw invalid('A message needs the customer it goes to: their choices and clock decide.', [
      { path: 'customerId', message: 'is missing' },
    ]);
  if (facing && body.class === 'internal')
    throw invalid('A message to a customer cannot be internal.', [
      { path: 'class', message: 'must be transactional or marketing' },
    ]);
  return {
    kind: body.kind,
    channel: CHANNEL_OF[body.kind] ?? 'native',
    recipient: facing ? String(body.input.to ?? '') : (body.customerId ?? 'api'),
    // Marketing is the safe default: transactional must be said.
    class: body.class ?? (facing ? 'marketing' : 'internal'),
    topic: body.topic ?? null,
    plan: { type: 'direct', input: body.input },
    connection_id: body.connectionId ?? null,
    idempotency_key: key ?? newId(),
    created_by: actor,
  };
}
