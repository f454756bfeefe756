import {
  type ActionDefinition,
  defineAction,
  type Receipt,
  type Reply,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { ofNumber, settingOf } from './account.ts';

/** States in the order they follow each other; posts about them arrive in any. The last one is final. */
const STATES = [
  'held_for_quality_assessment',
  'paused',
  'accepted',
  'sent',
  'delivered',
  'read',
  'played',
  'failed',
] as const;

function receipt(reply: Reply): Receipt {
  const nativeId = textAt(reply.body, 'messages[0].id');
  if (!nativeId)
    throw new VendorError('malformed', 'WhatsApp answered without the id of the message.', { mayHaveActed: true });
  return { nativeId, state: textAt(reply.body, 'messages[0].message_status') ?? 'accepted' };
}

type Component = { type: 'header' | 'body' | 'button'; sub_type?: 'url'; index?: string; parameters: object[] };

/** A line break, a tab or five spaces in a row would have the whole message refused (dossier, Actions). */
const inline = (text: string): string => text.replace(/\s*[\r\n\t]+\s*/g, ' ').replace(/ {4,}/g, '   ');

/**
 * Values for the places of a template: `1`, `2` or names are those of its text, `header.1` that of its header, `button.0`
 * what completes the address of its first button.
 */
function componentsOf(variables: Readonly<Record<string, string>>): Component[] {
  const parts = new Map<string, { name: string; value: string }[]>();
  for (const [key, value] of Object.entries(variables)) {
    const [, part = 'body', name = key] = /^(header|button)\.(.+)$/.exec(key) ?? [];
    const place = part === 'button' ? key : part;
    parts.set(place, [...(parts.get(place) ?? []), { name, value }]);
  }
  return [...parts].map(([place, values]): Component => {
    const inOrder = values.every(({ name }) => /^\d+$/.test(name));
    if (inOrder) values.sort((a, b) => Number(a.name) - Number(b.name));
    const button = place.startsWith('button.');
    const parameters = values.map(({ name, value }) => ({
      type: 'text',
      text: inline(value),
      ...(inOrder || button ? {} : { parameter_name: name }),
    }));
    if (button) return { type: 'button', sub_type: 'url', index: place.slice('button.'.length), parameters };
    return { type: place as 'header' | 'body', parameters };
  });
}

const TEMPLATE = /^([a-z0-9_]{1,512})(?::([a-z]{2,3}(?:_[A-Z]{2})?))?$/;

interface Message {
  text?: string | undefined;
  template?: string | undefined;
  variables?: Record<string, string> | undefined;
}

/** An approved template, or free text for people who wrote within the last 24 hours. */
function contentOf(ctx: VendorContext, { text, template, variables = {} }: Message): object {
  if (template === undefined) {
    if (text) return { type: 'text', text: { body: text, preview_url: /https?:\/\//.test(text) } };
    throw new VendorError('invalid', 'A WhatsApp message needs a text or a template.');
  }
  const [, name, language] = TEMPLATE.exec(template) ?? [];
  if (name === undefined)
    throw new VendorError(
      'invalid',
      `"${template}" is no name of a WhatsApp template: small letters, digits and _, and a language behind a colon, as in visit_reminder:en_US.`,
    );
  const components = componentsOf(variables);
  const code = language ?? settingOf(ctx, 'language') ?? 'en_US';
  return {
    type: 'template',
    template: {
      name,
      language: { code, policy: 'deterministic' },
      ...(components.length > 0 ? { components } : {}),
    },
  };
}

export const actions: readonly ActionDefinition[] = [
  defineAction<'send_whatsapp'>({
    kind: 'send_whatsapp',
    title: 'WhatsApp message',
    idempotency: {
      kind: 'none',
      reason:
        'WhatsApp has neither a key nor a list of messages. Our id travels with the message and comes back with its delivery, which settles it.',
    },
    request: (ctx, input, meta) => ({
      method: 'POST',
      path: ofNumber(ctx, '/messages'),
      json: {
        messaging_product: 'whatsapp',
        recipient_type: 'individual',
        to: input.to,
        ...contentOf(ctx, input),
        biz_opaque_callback_data: meta.requestId,
      },
    }),
    receipt,
    follows: STATES,
  }),
];
