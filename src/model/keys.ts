import type { Row } from '../base/database.ts';
import type { JoinedKind } from '../kit/index.ts';

/** What two records can have in common that says they are the same. */
export interface IdentityKey {
  /** `email:a@b.c`, `phone:+4912345`, `domain:b.c`, `tax:...`, or `id:system:123`. */
  key: string;
  /** A strong key joins by itself; a weak one only when nothing speaks against it. */
  strong: boolean;
}

const list = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string' && item !== '') : [];

// Addresses of free mail services say nothing about a company.
const FREE_MAIL =
  /^(gmail|googlemail|outlook|hotmail|live|yahoo|icloud|me|aol|gmx|web|t-online|proton|protonmail|mail|orange|free|wanadoo|libero)\./;

/** The identity keys of a mapped contact or company, without repetition, sorted (writers must not meet crosswise). */
export function keysOf(kind: JoinedKind, values: Row): IdentityKey[] {
  const keys = new Map<string, boolean>();
  for (const id of list(values.external_ids)) keys.set(`id:${id}`, true);
  if (kind === 'contact') {
    for (const email of [values.email, ...list(values.emails)])
      if (typeof email === 'string' && email !== '') keys.set(`email:${email}`, true);
    for (const phone of [values.phone, ...list(values.phones)])
      if (typeof phone === 'string' && phone !== '') keys.set(`phone:${phone}`, false);
  } else {
    if (typeof values.tax_id === 'string' && values.tax_id !== '')
      keys.set(`tax:${values.tax_id.replace(/[^A-Za-z0-9]/g, '').toUpperCase()}`, true);
    if (typeof values.domain === 'string' && values.domain !== '' && !FREE_MAIL.test(values.domain))
      keys.set(`domain:${values.domain}`, true);
    // Two systems seldom share an id of a company; the name as written is the weak link between them.
    const name = companyName(values.name);
    if (name !== '') keys.set(`name:${name}`, false);
  }
  return [...keys].map(([key, strong]) => ({ key, strong })).sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** A company's name without case, punctuation and legal form. */
export const companyName = (name: unknown): string =>
  typeof name === 'string'
    ? name
        .normalize('NFKD')
        .replace(/[\u0300-\u036f]/g, '')
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, ' ')
        .replace(/\b(gmbh|ltd|limited|inc|llc|corp|corporation|co|company|ag|sa|sas|srl|bv|plc|kg|ug|oy|ab)\b/g, '')
        .replace(/ +/g, ' ')
        .trim()
    : '';

const plain = (value: unknown): string =>
  typeof value === 'string'
    ? value
        .normalize('NFKD')
        .replace(/[\u0300-\u036f]/g, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}]+/gu, ' ')
        .trim()
    : '';

/**
 * Whether two people's records can be one person as far as their names tell: a missing name contradicts nothing,
 * a shared last word or equal names agree.
 */
export function namesAgree(a: Row, b: Row): boolean {
  const nameA = plain(a.name ?? [a.first_name, a.last_name].filter(Boolean).join(' '));
  const nameB = plain(b.name ?? [b.first_name, b.last_name].filter(Boolean).join(' '));
  if (nameA === '' || nameB === '' || nameA === nameB) return true;
  const lastA = plain(a.last_name) || nameA.split(' ').at(-1);
  const lastB = plain(b.last_name) || nameB.split(' ').at(-1);
  const firstA = plain(a.first_name) || nameA.split(' ')[0];
  const firstB = plain(b.first_name) || nameB.split(' ')[0];
  return lastA === lastB && (firstA === firstB || firstA?.[0] === firstB?.[0]);
}
