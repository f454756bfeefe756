import type { Tx } from '../base/database.ts';
import { languageOf, TEXTS } from '../consent/texts/index.ts';
import { setting } from '../settings/store.ts';

/**
 * A marketing text with what belongs at its foot: who writes and where they are (CAN-SPAM, 15 USC 7704(a)(5)), why it
 * came, how to choose, and how to end it. What the text says itself is not said again.
 */
export async function withFooter(
  tx: Tx,
  text: string,
  links: { unsubscribe: string; preferences: string; why: string },
  locale: string | null | undefined,
): Promise<string> {
  const { name, postalAddress, country } = await setting(tx, 'business');
  const texts = TEXTS[languageOf({ locale, country })];
  const sender = [name, postalAddress.replace(/\s*\n\s*/g, ', ')].filter((part) => part !== '').join(', ');
  const lines = [
    ...(postalAddress !== '' && text.includes(postalAddress) ? [] : [sender]),
    ...(
      [
        [texts.footerWhy, links.why],
        [texts.footerPreferences, links.preferences],
        [texts.footerUnsubscribe, links.unsubscribe],
      ] as const
    )
      .filter(([, url]) => !text.includes(url))
      .map(([words, url]) => `${words} ${url}`),
  ];
  return lines.length > 0 ? `${text.trimEnd()}\n\n--\n${lines.join('\n')}` : text;
}
