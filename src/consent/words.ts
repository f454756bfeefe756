/**
 * What people write to stop or resume messages. "Stop, quit, end, revoke, opt out, cancel, unsubscribe" are the means
 * the FCC names at least (47 CFR 64.1200(a)(10), in force since 2025-04-11); the other languages are the usual words.
 */
const STOP = new Set([
  'stop',
  'stopall',
  'stop all',
  'quit',
  'end',
  'revoke',
  'optout',
  'opt out',
  'opt-out',
  'cancel',
  'unsubscribe',
  'remove me',
  'stopp',
  'abmelden',
  'abbestellen',
  'ende',
  'arret',
  'arrêt',
  'desabonner',
  'désabonner',
  'desinscrire',
  'désinscrire',
  'parar',
  'baja',
  'cancelar',
  'alto',
  'detener',
  'fermare',
  'annulla',
  'afmelden',
]);
const START = new Set(['start', 'unstop', 'resume', 'weiter', 'anmelden', 'reprendre', 'reanudar', 'alta']);
const HELP = new Set(['help', 'info', 'hilfe', 'aide', 'ayuda']);

const plain = (text: string): string =>
  text
    .trim()
    .toLowerCase()
    .replace(/[.!?"'„“”«»]+/g, '')
    .replace(/\s+/g, ' ')
    .replace(/^(please|pls|bitte|por favor|s il vous plait) /, '')
    .replace(/ (please|pls|thanks|thank you|danke|merci|gracias)$/, '')
    .trim();

/** What a reply asks for, when it is nothing but such a word. A sentence that contains one is for people to read. */
export function keywordOf(text: string): 'stop' | 'start' | 'help' | undefined {
  const word = plain(text);
  if (STOP.has(word)) return 'stop';
  if (START.has(word)) return 'start';
  return HELP.has(word) ? 'help' : undefined;
}
