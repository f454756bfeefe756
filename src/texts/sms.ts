// The default alphabet of text messages and its extension, 3GPP TS 23.038 section 6.2.1.
const BASIC = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);
const EXTENDED = new Set('\f^{}\\[~]|€');

/** How a text is sent as text messages, and what it is billed as. */
export interface SmsCount {
  encoding: 'GSM-7' | 'UCS-2';
  /** What the text takes: characters, those of the extension (and of pairs in UCS-2) twice. */
  units: number;
  segments: number;
  /** What one part holds: fewer when there are several, because each says which it is (3GPP TS 23.040, 9.2.3.24.1). */
  perSegment: number;
  /** What still fits into the last part. */
  left: number;
  /** Characters that force UCS-2, with which less than half fits; each once. */
  forcing: string[];
}

/**
 * Counts the parts of a text message. What takes two units is never cut in two, so parts may end one unit early.
 */
export function countSms(text: string): SmsCount {
  const characters = [...text];
  const forcing = [...new Set(characters.filter((one) => !BASIC.has(one) && !EXTENDED.has(one)))];
  const encoding = forcing.length === 0 ? 'GSM-7' : 'UCS-2';
  const size = (one: string): number => (encoding === 'UCS-2' ? one.length : EXTENDED.has(one) ? 2 : 1);
  const units = characters.reduce((sum, one) => sum + size(one), 0);
  const [single, several] = encoding === 'GSM-7' ? [160, 153] : [70, 67];
  if (units <= single) return { encoding, units, segments: 1, perSegment: single, left: single - units, forcing };
  let segments = 1;
  let used = 0;
  for (const one of characters) {
    if (used + size(one) > several) {
      segments += 1;
      used = 0;
    }
    used += size(one);
  }
  return { encoding, units, segments, perSegment: several, left: several - used, forcing };
}
