import type { Tx } from '../base/database.ts';
import { languageOf, TEXTS } from '../consent/texts/index.ts';
import { setting } from '../settings/store.ts';
import type { MailFoot } from '../texts/mail.ts';

/** Where a recipient ends it, chooses, and reads why it came; one secret for all three. */
export interface Links {
  unsubscribe: string;
  preferences: string;
  why: string;
}

/**
 * What ends an e-mail: who writes and where they are (CAN-SPAM, 15 USC 7704(a)(5)), and where `links` are given (for
 * marketing) why it came, how to choose, and how to end it. What the text says itself is not said again.
 * @returns the text with its foot, and the foot of the page
 */
export async function footFor(
  tx: Tx,
  links: Links | undefined,
  locale: string | null | undefined,
): Promise<(text: string) => { text: string; html: MailFoot }> {
  const { name, postalAddress, country } = await setting(tx, 'business');
  const words = TEXTS[languageOf({ locale, country })];
  const sender = [name, postalAddress.replace(/\s*\n\s*/g, ', ')].filter((part) => part !== '').join(', ');
  const offered = links
    ? [
        { words: words.footerWhy, url: links.why },
        { words: words.footerPreferences, url: links.preferences },
        { words: words.footerUnsubscribe, url: links.unsubscribe },
      ]
    : [];
  return (text) => {
    const missing = offered.filter(({ url }) => !text.includes(url));
    const html = { sender, links: missing };
    if (!links) return { text, html };
    const lines = [
      ...(postalAddress !== '' && text.includes(postalAddress) ? [] : [sender]),
      ...missing.map((link) => `${link.words} ${link.url}`),
    ];
    return { text: lines.length > 0 ? `${text.trimEnd()}\n\n--\n${lines.join('\n')}` : text, html };
  };
}

/** A marketing text with its foot. */
export const withFooter = async (
  tx: Tx,
  text: string,
  links: Links,
  locale: string | null | undefined,
): Promise<string> => (await footFor(tx, links, locale))(text).text;
