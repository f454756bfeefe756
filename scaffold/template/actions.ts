import { type ActionDefinition, defineAction, textAt, VendorError } from '../../src/kit/index.ts';

// REPLACE: an action for each thing the vendor can do; the kinds and their input are in src/kit/actions.ts.
const addNote = defineAction<'add_note'>({
  kind: 'add_note',
  title: 'Note on a person',
  // REPLACE: how an earlier try of the same request is recognised, so that a lost answer never makes a second one.
  idempotency: { kind: 'vendor_key', note: 'Acme answers a repeated Idempotency-Key with the first note.' },
  request: (_ctx, input, meta) => {
    if (!input.about.contact) throw new VendorError('invalid', 'A note at Acme belongs to a person; nobody is named.');
    return {
      method: 'POST',
      path: `/v1/people/${encodeURIComponent(input.about.contact)}/notes`,
      headers: { 'idempotency-key': meta.requestId },
      json: { text: input.body },
    };
  },
  receipt: (reply) => {
    const nativeId = textAt(reply.body, 'id');
    if (!nativeId) throw new VendorError('malformed', 'Acme answered without an id.', { mayHaveActed: true });
    const url = textAt(reply.body, 'url');
    return { nativeId, ...(url ? { url } : {}), state: 'created' };
  },
});

export const actions: readonly ActionDefinition[] = [addNote];
