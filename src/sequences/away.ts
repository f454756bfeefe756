import { addDays, isLocalDate, type LocalDate, weekday } from '../base/time.ts';

/** Days after which somebody who is away without saying until when is asked again. */
export const DEFAULT_AWAY_DAYS = 7;

/** Nobody is waited for longer than this, whatever a notice says. */
const MOST_DAYS = 60;

const NOTICE =
  /out of (the )?office|away from|on (vacation|holiday|leave|parental leave)|annual leave|abwesen|nicht im (b(ü|ue)ro|haus)|im urlaub|absent|en vacances|en cong(é|e)s|fuera de la oficina|de vacaciones|afwezig|met vakantie|auto(matic)?[- ]?reply|automatische antwort/i;
const BOUNCE = /undeliver|delivery (status|fail|has failed)|returned mail|mail delivery|unzustellbar|mailer-daemon/i;

/** Words before the day of return, and before the last day away. */
const BACK =
  /(?:back|return(?:ing|s)?|zur(?:ü|ue)ck|wieder(?: da| erreichbar| im b(?:ü|ue)ro)?|de retour|vuelvo|regreso|terug|ab(?= dem| \d))/i;
const UNTIL = /(?:until|through|till?|bis(?: zum| einschlie(?:ß|ss)lich)?|jusqu['’]au|hasta(?: el)?|tot(?: en met)?)/i;
const GAP = String.raw`[\s,:]*(?:(?:on|in the office on|to the office on|am|dem|zum|den|le|el|op|at work on|again on|including|and including|einschlie(?:ß|ss)lich)\s+)*(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+(?:the\s+)?(?=\d|[a-zäé]+\.?\s+\d)|(?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag),?\s+(?:den\s+|dem\s+)?(?=\d))?`;

const MONTHS: readonly RegExp[] = [
  /^(jan|ene)/i,
  /^f(e|é)[bv]/i,
  /^(mar|mär|maer|mrz|maart|mrt)/i,
  /^(apr|avr|abr)/i,
  /^(may|mai|mei)/i,
  /^(jun|juin)/i,
  /^(jul|juil)/i,
  /^(aug|ago|ao(u|û))/i,
  /^sep/i,
  /^o[ck]t/i,
  /^nov/i,
  /^(de[zc]|dic|d(é|e)c)/i,
];
const DAYS = [
  'mon|montag|lundi|lunes|maandag',
  'tue|dienstag|mardi|martes|dinsdag',
  'wed|mittwoch|mercredi|mi(é|e)rcoles|woensdag',
  'thu|donnerstag|jeudi|jueves|donderdag',
  'fri|freitag|vendredi|viernes|vrijdag',
  'sat|samstag|samedi|s(á|a)bado|zaterdag',
  'sun|sonntag|dimanche|domingo|zondag',
];

/** Whether a machine's message says that somebody is away, and is no report about a mail that could not be delivered. */
export const isAwayNotice = (subject: string, body: string): boolean =>
  !BOUNCE.test(subject) && NOTICE.test(`${subject}\n${body}`);

/**
 * The day on which somebody who is away can be asked again, as their notice says.
 * @param today the day of the notice where they are
 * @returns undefined when it names none that lies ahead
 */
export function returnDay(text: string, today: LocalDate): LocalDate | undefined {
  for (const [words, after] of [
    [BACK, 0],
    [UNTIL, 1],
  ] as const) {
    for (const match of text.matchAll(new RegExp(`${words.source}${GAP}`, 'gi'))) {
      const found = dateAt(text.slice(match.index + match[0].length), today);
      if (!found) continue;
      const day = addDays(found, after);
      if (day > today) return day > addDays(today, MOST_DAYS) ? addDays(today, MOST_DAYS) : day;
    }
  }
  return undefined;
}

/** The date a text begins with. */
function dateAt(text: string, today: LocalDate): LocalDate | undefined {
  const iso = /^(\d{4})-(\d{2})-(\d{2})/.exec(text);
  if (iso) return made(iso[1]!, iso[2]!, iso[3]!);
  const dotted = /^(\d{1,2})\.\s?(\d{1,2})\.(?:\s?(\d{4}|\d{2})(?!\d))?/.exec(text);
  if (dotted) return made(dotted[3], dotted[2]!, dotted[1]!, today);
  const slashed = /^(\d{1,2})\/(\d{1,2})(?:\/(\d{4}|\d{2}))?/.exec(text);
  if (slashed) {
    // Which is the month is clear only where the other cannot be one; else the earlier of the two that lie ahead.
    const days = [made(slashed[3], slashed[1]!, slashed[2]!, today), made(slashed[3], slashed[2]!, slashed[1]!, today)];
    return days.filter((day) => day !== undefined && day > today).sort()[0];
  }
  const named = /^(\d{1,2})(?:st|nd|rd|th|\.|er)?\s+(?:of\s+|de\s+)?([a-zäéû]{3,})\.?,?(?:\s+(?:de\s+)?(\d{4}))?/i.exec(
    text,
  );
  if (named && monthOf(named[2]!)) return made(named[3], String(monthOf(named[2]!)), named[1]!, today);
  const american = /^([a-z]{3,})\.?\s+(\d{1,2})(?:st|nd|rd|th)?(?!\d)(?:,?\s+(\d{4}))?/i.exec(text);
  if (american && monthOf(american[1]!)) return made(american[3], String(monthOf(american[1]!)), american[2]!, today);
  const at = DAYS.findIndex((names) => new RegExp(`^(?:next\\s+|n(?:ä|ae)chsten\\s+)?(?:${names})`, 'i').test(text));
  if (at < 0) return undefined;
  const ahead = (at + 1 - weekday(today) + 7) % 7 || 7;
  return addDays(today, ahead);
}

const monthOf = (word: string): number | undefined => {
  const at = MONTHS.findIndex((month) => month.test(word));
  return at < 0 ? undefined : at + 1;
};

/** A date that exists; without a year the next one of that name. */
function made(year: string | undefined, month: string, day: string, today?: LocalDate): LocalDate | undefined {
  const full = (at: number): LocalDate =>
    `${String(at).padStart(4, '0')}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  if (year) {
    const date = full(year.length === 2 ? 2000 + Number(year) : Number(year));
    return isLocalDate(date) ? date : undefined;
  }
  const this_ = Number(today!.slice(0, 4));
  const dates = [full(this_), full(this_ + 1)].filter(isLocalDate);
  return dates.find((date) => date >= today!) ?? dates[0];
}
