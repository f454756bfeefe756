import type { ActionInput } from '../../src/kit/index.ts';

type Message = Pick<ActionInput<'send_chat'>, 'title' | 'text' | 'facts' | 'buttons'>;

/** What the action ids of our acknowledge buttons begin with. */
export const ACKNOWLEDGE = 'rapport_ack';

// Block Kit's limits.
const SECTION = 3000;
const FIELD = 2000;
const LABEL = 75;
const FALLBACK = 4000;

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Text of customers as text: `<!channel>` in a note must not call everybody. */
const escapeText = (text: string): string => text.replace(/[&<>]/g, (sign) => ENTITIES[sign]!);

/** Text as `write` writes it, in parts of at most `limit` characters, never cut inside a character or an entity. */
function partsOf(text: string, limit: number, write: (sign: string) => string): string[] {
  const parts = [''];
  for (const sign of text) {
    const written = write(sign);
    if (parts.at(-1)!.length + written.length > limit) parts.push('');
    parts[parts.length - 1] += written;
  }
  return parts;
}

/** Escaped text of at most `limit` characters, with a sign where something was left out. */
function clipped(text: string, limit: number, write = escapeText): string {
  const [whole, ...more] = partsOf(text, limit, write);
  return more.length === 0 ? whole! : `${partsOf(text, limit - 1, write)[0]}…`;
}

// Labels are plain text, where nothing is a mention or a link.
const asIs = (sign: string): string => sign;

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

const section = (text: string): object => ({ type: 'section', text: { type: 'mrkdwn', text } });

function button(item: NonNullable<Message['buttons']>[number], index: number): object[] {
  const text = { type: 'plain_text', text: clipped(oneLine(item.label), LABEL, asIs) };
  if (item.url !== undefined) return [{ type: 'button', text, action_id: `rapport_link_${index}`, url: item.url }];
  // One that carries nothing would do nothing when pressed.
  if (item.token === undefined) return [];
  return [{ type: 'button', text, action_id: `${ACKNOWLEDGE}_${index}`, value: item.token, style: 'primary' }];
}

/** A message in Slack's blocks, with the plain text that notifications and screen readers use. */
export function blocksOf({ title, text, facts = [], buttons = [] }: Message): { text: string; blocks: object[] } {
  // The asterisks of the bold title need a line of their own to end in.
  const heading = `*${clipped(oneLine(title), SECTION - 2)}*`;
  const parts = text.trim() === '' ? [] : partsOf(text, SECTION, escapeText);
  const together = parts.length === 1 && heading.length + 1 + parts[0]!.length <= SECTION;
  const elements = buttons.flatMap(button);
  return {
    text: clipped(`${oneLine(title)}\n${text}`.trim(), FALLBACK),
    blocks: [
      ...(together ? [section(`${heading}\n${parts[0]}`)] : [heading, ...parts].map(section)),
      ...(facts.length > 0
        ? [
            {
              type: 'section',
              fields: facts.map(({ label, value }) => ({
                type: 'mrkdwn',
                text: clipped(`${oneLine(label)}:\n${value}`, FIELD),
              })),
            },
          ]
        : []),
      ...(elements.length > 0 ? [{ type: 'actions', elements }] : []),
    ],
  };
}
