import {
  type ActionDefinition,
  type ActionInput,
  type ActionMeta,
  defineAction,
  listAt,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { byMark, firstOf, graph, markOf, oneOf, quoted, step } from './graph.ts';
import { mimeOf } from './mime.ts';

type Mail = ActionInput<'send_email'>;

interface Draft {
  id: string;
  url?: string;
}

const draftOf = (message: unknown): Draft => {
  const url = textAt(message, 'webLink');
  return { id: textAt(message, 'id') ?? '', ...(url ? { url } : {}) };
};

/** Who it is from, where that is not the mailbox itself: a shared mailbox or an alias. */
const senderOf = (ctx: VendorContext): string | undefined => textAt(ctx.settings, 'from');

function jsonOf(ctx: VendorContext, input: Mail, meta: ActionMeta): object {
  const from = senderOf(ctx);
  return {
    subject: input.subject,
    body: input.html ? { contentType: 'html', content: input.html } : { contentType: 'text', content: input.text },
    toRecipients: [{ emailAddress: { address: input.to, ...(input.toName ? { name: input.toName } : {}) } }],
    ...(from ? { from: { emailAddress: { address: from } } } : {}),
    singleValueExtendedProperties: markOf(meta.requestId),
  };
}

/**
 * The draft of a mail as data. A header such as List-Unsubscribe can be set in the MIME form only (dossier, Actions:
 * custom headers); there our mark follows in a second call.
 */
function draftRequest(ctx: VendorContext, input: Mail, meta: ActionMeta): RequestSpec {
  if (!input.unsubscribeUrl) return graph({ method: 'POST', path: '/me/messages', json: jsonOf(ctx, input, meta) });
  const mime = mimeOf({ ...input, from: senderOf(ctx) ?? textAt(ctx.account.extra, 'mail') });
  const data = Buffer.from(mime.toString('base64'));
  return graph({ method: 'POST', path: '/me/messages', bytes: { type: 'text/plain', data } });
}

/** The draft of an answer, in the conversation of the mail it answers; undefined when that is not in this mailbox. */
async function answerDraft(ctx: VendorContext, input: Mail, meta: ActionMeta): Promise<Draft | undefined> {
  if (!input.inReplyTo || input.unsubscribeUrl) return undefined;
  const query = { $filter: `internetMessageId eq ${quoted(input.inReplyTo)}`, $select: 'id', $top: 1 };
  const id = textAt(await firstOf(ctx, '/me/messages', query), 'id');
  if (!id) return undefined;
  const made = await ctx.call(graph({ method: 'POST', path: `/me/messages/${step(id)}/createReply`, json: {} }));
  const draft = draftOf(made.body);
  await ctx.call(graph({ method: 'PATCH', path: `/me/messages/${step(draft.id)}`, json: jsonOf(ctx, input, meta) }));
  return draft;
}

/** Our mails with this mark: the one that was sent, and drafts that tries left behind. */
async function marked(ctx: VendorContext, requestId: string): Promise<unknown[]> {
  const query = { $filter: byMark(requestId), $select: 'id,isDraft,webLink', $top: 10 };
  return listAt((await ctx.call(graph({ method: 'GET', path: '/me/messages', query }))).body, 'value');
}

/** The draft an earlier try left behind, or a new one. Nothing is sent by it. */
async function prepared(ctx: VendorContext, input: Mail, meta: ActionMeta): Promise<Draft> {
  const left = (await marked(ctx, meta.requestId)).find((one) => textAt(one, 'isDraft') === 'true');
  if (left) {
    const draft = draftOf(left);
    // A search may show an old state; what is asked for by its id shows the present one.
    const now = await oneOf(ctx, `/me/messages/${step(draft.id)}`, { $select: 'id,isDraft' });
    if (textAt(now, 'isDraft') === 'true') return draft;
    if (now) throw new VendorError('transient', 'It was sent already; the mailbox shows it in a moment.');
  }
  const answer = await answerDraft(ctx, input, meta);
  if (answer) return answer;
  const draft = draftOf((await ctx.call(draftRequest(ctx, input, meta))).body);
  if (input.unsubscribeUrl) {
    const json = { singleValueExtendedProperties: markOf(meta.requestId) };
    await ctx.call(graph({ method: 'PATCH', path: `/me/messages/${step(draft.id)}`, json }));
  }
  return draft;
}

/** A draft, then one call that sends it: whether it was sent is then seen by its id, which stays (dossier, Actions). */
export const sendEmail: ActionDefinition = defineAction<'send_email'>({
  kind: 'send_email',
  title: 'E-mail from the mailbox, kept in Sent Items',
  feature: 'email',
  follows: ['sent', 'bounced'],
  idempotency: {
    kind: 'marker',
    settleSeconds: 60,
    find: async (ctx, _input, meta) => {
      const sent = (await marked(ctx, meta.requestId)).find((one) => textAt(one, 'isDraft') === 'false');
      return sent ? receiptOf(draftOf(sent)) : undefined;
    },
  },
  before: prepared,
  request: (ctx, input, meta) => {
    const draft = meta.before as Partial<Draft> | undefined;
    // Without a draft it is a preview: that shows the mail, not the empty call that sends it.
    if (!draft?.id) return draftRequest(ctx, input, meta);
    return graph({ method: 'POST', path: `/me/messages/${step(draft.id)}/send`, expect: 'none' });
  },
  receipt: (_reply, _ctx, _input, meta) => receiptOf(meta.before as Draft),
});

const receiptOf = ({ id, url }: Draft): { nativeId: string; state: string; url?: string } => ({
  nativeId: id,
  state: 'sent',
  ...(url ? { url } : {}),
});
