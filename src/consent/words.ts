import type { Language } from '../settings/schema.ts';

/** What people write to stop, resume or ask, in one language. */
interface Words {
  /** ISO 639-1. */
  language: string;
  stop: readonly string[];
  start: readonly string[];
  help: readonly string[];
}

/**
 * "Stop, quit, end, revoke, opt out, cancel, unsubscribe" are the means the FCC names at least (47 CFR 64.1200(a)(10),
 * in force since 2025-04-11); STOPALL, OPTOUT, UNSTOP and INFO are what carriers understand; the other languages are the
 * usual words. Accents may be left out, as on many phones.
 */
export const WORDS: readonly Words[] = [
  {
    language: 'en',
    stop: ['stop', 'stopall', 'stop all', 'quit', 'end', 'revoke', 'optout', 'opt out', 'opt-out', 'cancel'].concat([
      'unsubscribe',
      'remove me',
      'remove',
      'stop texting me',
      'stop messages',
      'no more messages',
    ]),
    start: ['start', 'unstop', 'resume', 'subscribe', 'opt in', 'optin'],
    help: ['help', 'info'],
  },
  {
    language: 'de',
    stop: ['stopp', 'abmelden', 'abbestellen', 'ende', 'beenden', 'austragen', 'keine nachrichten mehr', 'kündigen'],
    start: ['weiter', 'anmelden', 'starten', 'fortsetzen'],
    help: ['hilfe'],
  },
  {
    language: 'fr',
    stop: ['arrêt', 'arrêter', 'arrêtez', 'désabonner', 'désabonnement', 'désinscrire', 'désinscription', 'fin'].concat(
      ['stop sms', 'résilier'],
    ),
    start: ['reprendre', 'recommencer', 'démarrer', 's abonner', 'abonner'],
    help: ['aide'],
  },
  {
    language: 'es',
    stop: ['parar', 'baja', 'darme de baja', 'cancelar', 'alto', 'detener', 'cancelar suscripción', 'no más mensajes'],
    start: ['reanudar', 'alta', 'empezar', 'comenzar', 'iniciar'],
    help: ['ayuda'],
  },
  {
    language: 'it',
    stop: ['fermare', 'ferma', 'annulla', 'annullare', 'disiscrivi', 'disiscrivimi', 'cancellami', 'basta', 'fine'],
    start: ['riprendi', 'riprendere', 'inizia', 'iscrivi', 'iscrivimi'],
    help: ['aiuto'],
  },
  {
    language: 'pt',
    stop: ['parar', 'pare', 'sair', 'cancelar', 'remover', 'descadastrar', 'cancelar inscrição', 'fim'],
    start: ['iniciar', 'começar', 'retomar', 'voltar', 'continuar'],
    help: ['ajuda'],
  },
  {
    language: 'nl',
    stop: ['afmelden', 'uitschrijven', 'stoppen', 'einde', 'opzeggen'],
    start: ['aanmelden', 'hervatten', 'inschrijven', 'beginnen'],
    help: ['hulp'],
  },
  {
    language: 'pl',
    stop: ['koniec', 'wypisz', 'wypisz mnie', 'rezygnuję', 'rezygnacja', 'anuluj', 'zatrzymaj'],
    start: ['wznów', 'zapisz', 'zapisz mnie', 'zacznij'],
    help: ['pomoc'],
  },
  {
    language: 'tr',
    stop: ['dur', 'durdur', 'iptal', 'çık', 'abonelikten çık', 'ret', 'bırak'],
    start: ['başla', 'başlat', 'devam', 'kayıt'],
    help: ['yardım'],
  },
  {
    language: 'ar',
    stop: [
      'توقف',
      'إيقاف',
      'ايقاف',
      'قف',
      'الغاء',
      'إلغاء',
      'إلغاء الاشتراك',
      'الغاء الاشتراك',
      'waqef',
      'tawaqof',
      'ilgha',
    ],
    start: ['ابدأ', 'ابدا', 'بدء', 'استئناف', 'اشتراك', 'ibda', 'ishtirak'],
    help: ['مساعدة', 'مساعده', 'musaada'],
  },
  {
    language: 'hi',
    stop: ['रोकें', 'रोको', 'बंद करें', 'बंद करो', 'बंद', 'रद्द करें', 'roko', 'rokein', 'band karo', 'band karen', 'radd karen'],
    start: ['शुरू', 'शुरू करें', 'चालू करें', 'shuru', 'shuru karen', 'chalu karo'],
    help: ['मदद', 'सहायता', 'madad', 'sahayata'],
  },
];

export type Keyword = 'stop' | 'start' | 'help';

/** Without accents: marks that stand above and below Latin letters go, those that are letters' own signs stay. */
const bare = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .replaceAll('ı', 'i')
    .replaceAll('ł', 'l')
    .normalize('NFC');

const plain = (text: string): string =>
  bare(text.trim().toLowerCase())
    .replace(/[.,!?¡¿"'„“”«»’。！]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^(please|pls|bitte|por favor|s il vous plait|svp|per favore|alstublieft|prosze|lutfen) /, '')
    .replace(/ (please|pls|thanks|thank you|danke|merci|gracias|bitte|por favor|svp|grazie|obrigado)$/, '')
    .trim();

const KNOWN: ReadonlyMap<string, { meaning: Keyword; languages: readonly string[] }> = (() => {
  const known = new Map<string, { meaning: Keyword; languages: string[] }>();
  for (const words of WORDS)
    for (const meaning of ['stop', 'start', 'help'] as const)
      for (const word of words[meaning]) {
        const entry = known.get(plain(word)) ?? { meaning, languages: [] };
        // A word that means two things in two languages ends messages: that is the meaning that must not be missed.
        const clear = entry.meaning === meaning || entry.meaning === 'stop' ? entry.meaning : meaning;
        known.set(plain(word), { meaning: clear, languages: [...new Set([...entry.languages, words.language])] });
      }
  return known;
})();

/**
 * What a reply asks for, when it is nothing but such a word, and in which languages it is one. A sentence that contains
 * one is for people to read.
 */
export const wordIn = (text: string): { meaning: Keyword; languages: readonly string[] } | undefined =>
  KNOWN.get(plain(text));

export const keywordOf = (text: string): Keyword | undefined => wordIn(text)?.meaning;

/** The language to answer a word in: the one it was written in where only one has it, else the person's. */
export function answerLanguage(text: string, person: Language): Language {
  const languages = wordIn(text)?.languages ?? [];
  const [only] = languages;
  // English words are understood and used everywhere.
  return languages.length === 1 && (only === 'de' || only === 'fr' || only === 'es') ? only : person;
}
