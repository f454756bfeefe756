import { defineAction, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { dataPath, literal, select } from './api.ts';
import { describe } from './describe.ts';

const FIELD = 'HasOptedOutOfEmail';

/** Records of one write at most (dossier, "Limits"). */
const MOST = 200;

/** Everybody with an address: one person may be several contacts and a lead. */
async function peopleWith(ctx: VendorContext, address: string): Promise<string[]> {
  const found: string[] = [];
  for (const object of ['Contact', 'Lead']) {
    const { fields } = await describe(ctx, object);
    if (!fields.has(FIELD) || !fields.has('Email')) continue;
    const rows = await select(ctx, `SELECT Id FROM ${object} WHERE Email = ${literal(address)} LIMIT ${MOST}`);
    found.push(...rows.flatMap((row) => textAt(row, 'Id') ?? []));
  }
  return found;
}

const objectOf = (id: string): string => (id.startsWith('00Q') ? 'Lead' : 'Contact');

/** Somebody wants no e-mail any more: Salesforce is told on each of their records, in one write. */
export const optOutAction = defineAction<'record_opt_out'>({
  kind: 'record_opt_out',
  title: 'Email opt out at Salesforce',
  feature: 'write',
  idempotency: { kind: 'natural', note: 'Somebody has opted out or not.' },
  before: async (ctx, input): Promise<string[]> => {
    const ids = new Set([...(input.contact ? [input.contact] : []), ...(await peopleWith(ctx, input.address))]);
    if (ids.size === 0)
      throw new VendorError(
        'not_found',
        'Nobody in Salesforce whose opt-out the connected user may set has this address.',
      );
    return [...ids].slice(0, MOST);
  },
  request: (_ctx, input, meta) => {
    // In a preview nobody was looked up.
    const ids: string[] = Array.isArray(meta.before) ? meta.before : input.contact ? [input.contact] : [];
    const records = ids.map((id) => ({ attributes: { type: objectOf(id) }, id, [FIELD]: true }));
    return { method: 'PATCH', path: dataPath('/composite/sobjects'), json: { allOrNone: false, records } };
  },
  receipt: (_reply, _ctx, input) => ({ nativeId: `${FIELD}:${input.address}`, state: 'unsubscribed' }),
  writes: (input) =>
    input.contact
      ? [
          {
            stream: objectOf(input.contact) === 'Lead' ? 'leads' : 'contacts',
            id: input.contact,
            fields: { [FIELD]: true },
          },
        ]
      : [],
});
