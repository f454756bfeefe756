import { at, defineStream, type Stream, textAt } from '../../src/kit/index.ts';

/** What people write: told by webhook, and by nothing else. */
export const streams: readonly Stream[] = [
  defineStream({
    name: 'messages',
    title: 'Messages people write',
    entities: ['activity'],
    id: (record) => textAt(record, 'id'),
    changedAt: (record) => textAt(record, 'sent_at'),
    deletes: {
      kind: 'none',
      reason: 'WhatsApp tells nobody of deleted messages, and that one was written stays true.',
    },
  }),
];

/** Seconds since 1970, as text. */
function momentOf(seconds: string | undefined): string | undefined {
  const moment = new Date(Number(seconds) * 1000);
  return seconds === undefined || Number.isNaN(moment.getTime()) ? undefined : moment.toISOString();
}

/** What a person said, whatever they said it with: words, a button, a word under a picture. */
function wordsOf(message: unknown): string | undefined {
  const type = textAt(message, 'type') ?? '';
  return (
    textAt(message, 'text.body') ??
    textAt(message, 'button.text') ??
    textAt(message, 'interactive.button_reply.title') ??
    textAt(message, 'interactive.list_reply.title') ??
    textAt(message, `${type}.caption`) ??
    textAt(message, 'reaction.emoji')
  );
}

/** An inbound message as a record. @param value what stands around it: whom it is to, and who wrote it */
export function messageOf(message: unknown, value: unknown): Record<string, unknown> {
  const from = textAt(message, 'from');
  return {
    id: textAt(message, 'id') ?? '',
    // Digits only; who has a name instead of a number is known by an id of this business alone.
    from: from ? `+${from.replace(/^\+/, '')}` : null,
    user_id: textAt(value, 'contacts[0].user_id') ?? null,
    name: textAt(value, 'contacts[0].profile.name') ?? null,
    to: textAt(value, 'metadata.display_phone_number') ?? null,
    type: textAt(message, 'type') ?? null,
    body: wordsOf(message) ?? null,
    answers: textAt(message, 'context.id') ?? null,
    media: at(message, textAt(message, 'type') ?? '') && textAt(message, `${textAt(message, 'type')}.id`),
    sent_at: momentOf(textAt(message, 'timestamp')) ?? null,
  };
}
