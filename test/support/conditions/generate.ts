import { builtInFields, type ConditionField, MAIN_DATE, type Scope } from '../../../src/conditions/fields.ts';
import { TESTS } from '../../../src/conditions/tests.ts';
import { ACTS, RELATED } from '../../../src/conditions/types.ts';
import { CODES, CUSTOM_NAMES, dateNear, NUMBERS, pick, type Random, SEGMENTS, SOURCES, TEXTS } from './business.ts';

const DIRECT: readonly Scope[] = ['customer', 'company', 'owner', 'score'];

/** Conditions made up from a seed: every form, field, test and unit comes up. */
export class Generator {
  readonly #random: Random;
  readonly #now: Date;

  constructor(random: Random, now: Date) {
    this.#random = random;
    this.#now = now;
  }

  #pick<T>(list: readonly T[]): T {
    return pick(this.#random, list);
  }

  #chance(of: number): boolean {
    return this.#random() < of;
  }

  condition(depth = 4): any {
    if (depth > 1 && this.#chance(0.35)) return this.#nested(() => this.condition(depth - 1));
    return this.#leaf(depth);
  }

  #nested(inner: () => any): any {
    const form = this.#pick(['all', 'any', 'not']);
    if (form === 'not') return { not: inner() };
    return { [form]: Array.from({ length: 2 + Math.floor(this.#random() * 2) }, inner) };
  }

  #leaf(depth: number): any {
    const random = this.#random();
    if (random < 0.35) return this.#field(DIRECT);
    if (random < 0.4) return { segment: this.#pick(SEGMENTS) };
    if (random < 0.47)
      return {
        consent: this.#pick(['email', 'sms', 'call']),
        ...(this.#chance(0.4) ? { topic: this.#pick(['news', 'offers']) } : {}),
        is: this.#pick(['granted', 'denied', 'none']),
      };
    if (random < 0.55)
      return {
        days_since: ACTS.filter(() => this.#chance(0.6))
          .concat(['job'])
          .slice(0, 1),
        ...this.#since(),
      };
    return this.#related(depth);
  }

  #since(): any {
    const test = this.#pick(['is', 'is_not', 'above', 'below', 'at_least', 'at_most', 'between', 'empty']);
    const days = this.#pick([0, 1, 7, 30, 90, 180, 365]);
    if (test === 'empty') return { empty: this.#chance(0.5) };
    return { [test]: test === 'between' ? { from: days, to: days + 30 } : days };
  }

  #related(depth: number): any {
    const kind = this.#pick(RELATED);
    const where = this.#chance(0.6) ? { where: this.#where(kind, Math.min(depth, 2)) } : {};
    const form = this.#pick(['exists', 'count', 'sum', 'average', 'latest', 'earliest']);
    if (form === 'exists') return { exists: kind, ...where };
    if (form === 'count') return { count: kind, ...where, ...this.#counted() };
    const custom = this.#chance(0.2);
    if (form === 'latest' || form === 'earliest') {
      const { field, ...tested } = this.#field([kind]);
      return { [form]: field, ...where, ...tested };
    }
    const numbers = builtInFields().filter((one) => one.scope === kind && ['number', 'money'].includes(one.type));
    if (numbers.length === 0 || custom)
      return { [form]: `${kind}.custom.${this.#pick(CUSTOM_NAMES)}`, ...where, ...this.#number(form === 'average') };
    const field = this.#pick(numbers);
    const tested = this.#number(form === 'average');
    const currency = field.type === 'money' && !('empty' in tested) && this.#chance(0.3) ? { currency: 'EUR' } : {};
    return { [form]: field.name, ...where, ...currency, ...tested };
  }

  #where(kind: Scope, depth: number): any {
    if (depth > 1 && this.#chance(0.5)) return this.#nested(() => this.#where(kind, depth - 1));
    // What people ask most: a state, and when.
    if (this.#chance(0.3)) {
      const main = builtInFields().find((field) => field.name === `${kind}.${MAIN_DATE[kind as 'job']}`)!;
      const state = builtInFields().find((field) => field.name === `${kind}.status` && field.values);
      const when = { field: main.name, ...this.#test(main) };
      return state && this.#chance(0.6) ? { all: [{ field: state.name, is: this.#pick(state.values!) }, when] } : when;
    }
    return this.#field([kind]);
  }

  #counted(): any {
    const test = this.#pick(['is', 'is_not', 'above', 'below', 'at_least', 'at_most', 'between']);
    return { [test]: test === 'between' ? { from: 1, to: 2 } : this.#pick([0, 1, 2, 3]) };
  }

  #number(missing: boolean): any {
    const test = this.#pick(Object.keys(TESTS.number).filter((name) => missing || name !== 'empty'));
    return { [test]: this.#operand(test, TESTS.number[test as 'is']!) };
  }

  #field(scopes: readonly Scope[]): any {
    if (this.#chance(0.2)) {
      const scope = this.#pick(scopes.filter((one) => one !== 'owner' && one !== 'score').concat([]));
      if (scope) {
        const kept = scope === 'customer' || scope === 'company';
        const source = kept && this.#chance(0.3) ? { source: this.#pick(SOURCES) } : {};
        return { field: `${scope}.custom.${this.#pick(CUSTOM_NAMES)}`, ...source, ...this.#customTest() };
      }
    }
    const field = this.#pick(builtInFields().filter((one) => scopes.includes(one.scope)));
    const tested = this.#test(field);
    const currency = field.type === 'money' && !('empty' in tested) && this.#chance(0.3) ? { currency: 'EUR' } : {};
    return { field: field.name, ...currency, ...tested };
  }

  #customTest(): any {
    const type = this.#pick(['text', 'number', 'boolean', 'date', 'list'] as const);
    const test = this.#pick(Object.keys(TESTS[type]));
    return { [test]: this.#operand(test, TESTS[type][test as 'is']!) };
  }

  #test(field: ConditionField): any {
    const table = TESTS[field.type as 'text'];
    const test = this.#pick(Object.keys(table).filter((name) => !(field.measure && name === 'empty')));
    return { [test]: this.#operand(test, table[test as 'is']!, field) };
  }

  #operand(test: string, kind: string, field?: ConditionField): any {
    const words = field?.values ?? (field?.type === 'postal_code' ? CODES : [...TEXTS, 'vip', 'x', 'e']);
    switch (kind) {
      case 'text':
        return this.#pick(words);
      case 'texts':
        return [...new Set([this.#pick(words), this.#pick(words)])];
      case 'number':
        return this.#pick(NUMBERS);
      case 'numbers':
        return { from: this.#pick([-5, 0, 1]), to: this.#pick([2, 7, 100]) };
      case 'date':
        return dateNear(this.#random, this.#now);
      case 'dates':
        return { from: this.#pick(['2024-02-29', '2026-01-31']), to: this.#pick(['2026-02-28', '2026-03-31']) };
      case 'postal_codes':
        return { from: '10115', to: this.#pick(['10115', '14 198', '20000']) };
      case 'period':
        return this.#pick([
          { days: 0 },
          { days: 7 },
          { days: 30 },
          { weeks: 2 },
          { months: 1 },
          { months: 6 },
          { years: 1 },
        ]);
      case 'near':
        return { days: this.#pick(test === 'anniversary_in' ? [0, 1, 7, 30, 365] : [0, 7, 30, 365]) };
      case 'true':
        return true;
      default:
        return this.#chance(0.5);
    }
  }
}
