import type { Field } from '../kit/index.ts';
import type { Compiler } from './compiler.ts';

/** Literal results of an enum are checked against the field's closed list when the mapping is saved. */
export function checkWords(directive: unknown, field: Field, where: string, compiler: Compiler): void {
  if (!field.values || directive === null || typeof directive !== 'object') return;
  const words = (directive as { enum?: { map?: Record<string, unknown>; else?: unknown } }).enum;
  if (!words?.map) return;
  for (const [key, word] of [
    ...Object.entries(words.map),
    ...(words.else === undefined ? [] : [['else', words.else] as const]),
  ]) {
    if (word !== null && !field.values.includes(String(word))) {
      compiler.errors.push({
        path: `${where}.enum.${key === 'else' ? 'else' : `map.${key}`}`,
        message: `"${String(word)}" is not one of ${field.values.join(', ')}`,
      });
    }
  }
}

/** ` (did you mean x?)` for a misspelt name. */
export function nearest(name: string, known: readonly string[]): string {
  const squeeze = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const match =
    known.find((candidate) => squeeze(candidate) === squeeze(name)) ??
    known.find((candidate) => squeeze(candidate).includes(squeeze(name)));
  return match ? `; did you mean ${match}?` : `; there are ${known.join(', ')}`;
}
