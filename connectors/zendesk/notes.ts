import type { TObject } from 'typebox';
import {
  type ActionDefinition,
  type ActionMeta,
  defineAction,
  listAt,
  type Receipt,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { pageOf } from './account.ts';
import { pathOf, readTarget, type Target, targetOf, wrapperOf } from './targets.ts';

/** The name under which our id stands among what an audit of a ticket keeps about it. */
const MARK = 'rapport';

/** A receipt for a comment is the audit it came with; the notes of a person or organization are one text. */
const receiptOf = (ctx: VendorContext, { kind, id }: Target, audit: string | undefined): Receipt => ({
  nativeId: audit ?? id,
  url: pageOf(ctx, kind, id),
  state: 'noted',
});

/** Looks among the latest changes of the ticket for the one that carries our id. */
async function findComment(ctx: VendorContext, target: Target, meta: ActionMeta): Promise<Receipt | undefined> {
  const { body } = await ctx.call({
    method: 'GET',
    path: `${pathOf(target)}/audits`,
    query: { sort_order: 'desc' },
  });
  const found = listAt(body, 'audits').find((audit) => textAt(audit, `metadata.custom.${MARK}`) === meta.requestId);
  return found === undefined ? undefined : receiptOf(ctx, target, textAt(found, 'id'));
}

const dated = (body: string, meta: ActionMeta): string =>
  `${meta.firstTriedAt.toISOString().slice(0, 10)}: ${body.trim()}`;

/** What stands there, with ours under it; what is there already is not written again. */
function withNote(present: string, note: string): string {
  if (present.includes(note)) return present;
  return present.trimEnd() === '' ? note : `${present.trimEnd()}\n${note}`;
}

/** A comment on a ticket, for staff unless it is said to be public; else a line in the notes of a user or organization. */
export const noteOn = (extra: TObject): ActionDefinition =>
  defineAction<'add_note', { public?: boolean }>({
    kind: 'add_note',
    title: 'Comment on a ticket, or note on a user or organization',
    feature: 'write',
    extra,
    idempotency: {
      kind: 'marker',
      settleSeconds: 30,
      find: async (ctx, input, meta) => {
        const target = targetOf(input.about, 'A note');
        if (target.kind === 'tickets') return findComment(ctx, target, meta);
        const notes = textAt(await readTarget(ctx, target), 'notes') ?? '';
        return notes.includes(dated(input.body, meta)) ? receiptOf(ctx, target, undefined) : undefined;
      },
    },
    before: async (ctx, input) => {
      const target = targetOf(input.about, 'A note');
      return target.kind === 'tickets' ? {} : { notes: textAt(await readTarget(ctx, target), 'notes') ?? '' };
    },
    request: (_ctx, input, meta) => {
      const target = targetOf(input.about, 'A note');
      const { notes = '' } = (meta.before ?? {}) as { notes?: string };
      const written =
        target.kind === 'tickets'
          ? { comment: { body: input.body, public: input.public ?? false }, metadata: { [MARK]: meta.requestId } }
          : { notes: withNote(notes, dated(input.body, meta)) };
      return { method: 'PUT', path: pathOf(target), json: { [wrapperOf(target)]: written } };
    },
    receipt: (reply, ctx, input) => {
      const target = targetOf(input.about, 'A note');
      const audit = textAt(reply.body, 'audit.id');
      if (target.kind === 'tickets' && audit === undefined)
        throw new VendorError('malformed', 'Zendesk answered without the id of the comment.', { mayHaveActed: true });
      return receiptOf(ctx, target, audit);
    },
  });
