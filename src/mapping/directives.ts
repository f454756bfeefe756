import { createRequire } from 'node:module';
import type Jsonata from 'jsonata';
import { at } from '../kit/index.ts';
import { hasYear, toBirthday } from './birthday.ts';
import {
  type Compiler,
  checkOptions,
  type Env,
  EXPRESSION_LIMITS,
  fail,
  hasValue,
  isObject,
  type Make,
  type Read,
  readWords,
} from './compiler.ts';
import { type Condition, conditionCompiler } from './conditions.ts';
import { readPath } from './paths.ts';
import { countryOf } from './phones.ts';
import {
  toBoolean,
  toCountry,
  toDate,
  toDecimal,
  toEmail,
  toEmails,
  toInstant,
  toList,
  toPhone,
  toText,
  ValueError,
} from './values.ts';

/** Most hubs have no expression, and it costs 3 MB. */
const jsonata = (): typeof Jsonata => createRequire(import.meta.url)('jsonata');

/** Turns one directive into a function, once; running it is then a few property reads. */
export function compileDirective(directive: unknown, where: string, compiler: Compiler): Read {
  if (
    directive === null ||
    typeof directive === 'string' ||
    typeof directive === 'number' ||
    typeof directive === 'boolean'
  )
    return () => directive;
  if (!isObject(directive)) return fail(compiler, where, 'must be a literal or an object with one directive');
  const names = Object.keys(directive);
  const name = names[0];
  if (names.length !== 1 || name === undefined) {
    return fail(
      compiler,
      where,
      `must hold exactly one directive, found ${names.length === 0 ? 'none' : names.join(', ')}`,
    );
  }
  const make = DIRECTIVES[name];
  if (!make)
    return fail(compiler, where, `"${name}" is not a directive; there are ${Object.keys(DIRECTIVES).join(', ')}`);
  return make(directive[name], `${where}.${name}`, compiler);
}

/** Compiles a condition; its operands are directives. */
export const compileCondition = conditionCompiler(compileDirective);

/** `{of: directive, ...options}` or the directive itself. */
function operand(
  argument: unknown,
  where: string,
  compiler: Compiler,
): { read: Read; options: Record<string, unknown> } {
  if (isObject(argument) && 'of' in argument) {
    const { of, ...options } = argument;
    return { read: compileDirective(of, `${where}.of`, compiler), options };
  }
  return { read: compileDirective(argument, where, compiler), options: {} };
}

/** A directive that converts one value. */
const convert =
  (known: readonly string[], run: (value: unknown, env: Env, options: Record<string, unknown>) => unknown): Make =>
  (argument, where, compiler) => {
    const { read, options } = operand(argument, where, compiler);
    checkOptions(options, known, where, compiler);
    return (record, env) => run(read(record, env), env, options);
  };

const asFormat = (options: Record<string, unknown>): string | undefined =>
  typeof options.format === 'string' ? options.format : undefined;

const asZone = (options: Record<string, unknown>, env: Env): string =>
  typeof options.zone === 'string' ? options.zone : env.zone;

const DIRECTIVES: Record<string, Make> = {
  path: (argument, where, compiler) =>
    typeof argument === 'string'
      ? readPath(argument, where, compiler)
      : fail(compiler, where, 'must be text such as properties.email'),

  literal: (argument) => () => argument,

  template(argument, where, compiler) {
    if (typeof argument !== 'string') return fail(compiler, where, 'must be text with {paths} in braces');
    const parts = argument
      .split(/\{([^{}]+)\}/)
      .map((part, index) => (index % 2 === 1 ? readPath(part.trim(), where, compiler) : part));
    return (record, env) => {
      let filled = false;
      let text = '';
      for (const part of parts) {
        if (typeof part === 'string') {
          text += part;
          continue;
        }
        const value = part(record, env);
        if (!hasValue(value)) continue;
        filled = true;
        text += String(value);
      }
      if (!filled) return null;
      return (/\s{2}|[^\S ]/.test(text) ? text.replace(/\s+/g, ' ') : text).trim();
    };
  },

  first(argument, where, compiler) {
    if (!Array.isArray(argument)) return fail(compiler, where, 'must be a list of directives');
    const reads = argument.map((item, index) => compileDirective(item, `${where}[${index}]`, compiler));
    return (record, env) => {
      for (const read of reads) {
        const value = read(record, env);
        if (hasValue(value)) return value;
      }
      return null;
    };
  },

  case(argument, where, compiler) {
    if (!Array.isArray(argument)) return fail(compiler, where, 'must be a list of {when, then} and at the end {else}');
    const branches = argument.map((item, index) => {
      const here = `${where}[${index}]`;
      if (isObject(item) && 'else' in item)
        return { test: (() => true) as Condition, read: compileDirective(item.else, `${here}.else`, compiler) };
      if (!isObject(item) || !('when' in item) || !('then' in item))
        return { test: (() => false) as Condition, read: fail(compiler, here, 'must have when and then, or else') };
      return {
        test: compileCondition(item.when, `${here}.when`, compiler),
        read: compileDirective(item.then, `${here}.then`, compiler),
      };
    });
    return (record, env) => branches.find((branch) => branch.test(record, env))?.read(record, env) ?? null;
  },

  enum(argument, where, compiler) {
    if (!isObject(argument) || !isObject(argument.map))
      return fail(compiler, where, 'must have of, map and optionally else');
    const read = compileDirective(argument.of, `${where}.of`, compiler);
    checkOptions({ ...argument, of: undefined }, ['of', 'map', 'else'], where, compiler);
    const { map, otherwise } = readWords(argument, argument.map, compiler);
    return (record, env) => {
      const value = read(record, env);
      const known = map.get(value as string) ?? map.get(String(value ?? '').toLowerCase());
      if (known !== undefined) return known;
      if (otherwise !== undefined) return otherwise;
      if (!hasValue(value)) return null;
      throw new ValueError(
        `"${String(value)}" is not in the list of known words (${[...map.keys()].join(', ')}); add it to the mapping`,
      );
    };
  },

  join(argument, where, compiler) {
    if (!isObject(argument) || !Array.isArray(argument.of))
      return fail(compiler, where, 'must have of (a list) and optionally with');
    const reads = argument.of.map((item, index) => compileDirective(item, `${where}.of[${index}]`, compiler));
    const separator = typeof argument.with === 'string' ? argument.with : ' ';
    return (record, env) => {
      const parts = reads.map((read) => read(record, env)).filter(hasValue);
      return parts.length > 0 ? parts.join(separator) : null;
    };
  },

  each(argument, where, compiler) {
    if (!isObject(argument) || !isObject(argument.as))
      return fail(compiler, where, 'must have of (a list in the record) and as (fields of each item)');
    const read = compileDirective(argument.of, `${where}.of`, compiler);
    // Paths inside the items are not paths of the record.
    const inner: Compiler = { ...compiler, paths: new Set(), inItem: true };
    const members = Object.entries(argument.as).map(
      ([name, item]) => [name, compileDirective(item, `${where}.as.${name}`, inner)] as const,
    );
    const test = argument.when === undefined ? undefined : compileCondition(argument.when, `${where}.when`, inner);
    return (record, env) => {
      const items = read(record, env);
      if (!Array.isArray(items)) return null;
      const kept = test ? items.filter((item) => test(item, env)) : items;
      return kept.map((item) => Object.fromEntries(members.map(([name, member]) => [name, member(item, env)])));
    };
  },

  sum(argument, where, compiler) {
    if (!isObject(argument))
      return fail(compiler, where, 'must have of (a list in the record) and as (the number of each item)');
    const read = compileDirective(argument.of, `${where}.of`, compiler);
    const member = compileDirective(argument.as, `${where}.as`, { ...compiler, paths: new Set(), inItem: true });
    return (record, env) => {
      const items = read(record, env);
      if (!Array.isArray(items)) return null;
      // Ten-thousandths as integers: cents must not be lost in floats.
      const total = items.reduce<bigint>(
        (sum, item) => sum + BigInt(Math.round(Number(toDecimal(member(item, env)) ?? 0) * 10_000)),
        0n,
      );
      return (Number(total) / 10_000).toFixed(2);
    };
  },

  multiply(argument, where, compiler) {
    if (!Array.isArray(argument)) return fail(compiler, where, 'must be a list of numbers');
    const reads = argument.map((item, index) => compileDirective(item, `${where}[${index}]`, compiler));
    return (record, env) =>
      reads.reduce((product, read) => product * Number(toDecimal(read(record, env)) ?? 0), 1).toFixed(4);
  },

  plus_days(argument, where, compiler) {
    if (!isObject(argument) || typeof argument.days !== 'number')
      return fail(compiler, where, 'must have of (a date) and days');
    const read = compileDirective(argument.of, `${where}.of`, compiler);
    const days = argument.days;
    return (record, env) => {
      const date = toDate(read(record, env), env.zone);
      return date === null
        ? null
        : new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
    };
  },

  lookup(argument, where, compiler) {
    if (!isObject(argument) || typeof argument.in !== 'string' || typeof argument.get !== 'string')
      return fail(compiler, where, 'must have in (a stream), key and get');
    const key = compileDirective(argument.key, `${where}.key`, compiler);
    const stream = argument.in;
    const get = argument.get;
    compiler.lookups.add(stream);
    return (record, env) => {
      const id = key(record, env);
      return hasValue(id) ? (at(env.lookup(stream, String(id)), get) ?? null) : null;
    };
  },

  expr(argument, where, compiler) {
    if (typeof argument !== 'string') return fail(compiler, where, 'must be a JSONata expression');
    if (compiler.inItem) return fail(compiler, where, 'reads the whole record; use it around the list instead');
    const parse = jsonata();
    try {
      compiler.expressions.push(parse(argument, EXPRESSION_LIMITS));
    } catch (error) {
      return fail(compiler, where, `is not a JSONata expression: ${(error as { message?: string }).message}`);
    }
    const index = compiler.expressions.length - 1;
    return (_record, env) => env.expressions?.[index] ?? null;
  },

  date(argument, where, compiler) {
    const { read, options } = operand(argument, where, compiler);
    checkOptions(options, ['format', 'zone'], where, compiler);
    const format = asFormat(options);
    if (compiler.target === 'birthday')
      return (record, env) => toBirthday(read(record, env), asZone(options, env), env.today, format);
    if (format !== undefined && !hasYear(format))
      return fail(compiler, `${where}.format`, 'says nothing of the year, which only a birthday can do without');
    return (record, env) => toDate(read(record, env), asZone(options, env), format);
  },
  datetime: convert(['format', 'zone'], (value, env, options) =>
    toInstant(value, asZone(options, env), asFormat(options)),
  ),
  money: convert(['decimal'], (value, _env, options) => toDecimal(value, options.decimal === ',' ? ',' : '.')),
  number: convert(['decimal'], (value, _env, options) => toDecimal(value, options.decimal === ',' ? ',' : '.')),
  phone(argument, where, compiler) {
    const { read, options } = operand(argument, where, compiler);
    checkOptions(options, ['country'], where, compiler);
    // The record's own country reads a number without prefix better than any default.
    const country =
      options.country === undefined
        ? compiler.country
        : compileDirective(options.country, `${where}.country`, compiler);
    return (record, env) => toPhone(read(record, env), countryOf(country, record, env));
  },
  email: convert([], toEmail),
  emails: convert([], toEmails),
  country: convert([], toCountry),
  boolean: convert([], toBoolean),
  text: convert([], toText),
  list: convert(['split', 'get'], (value, _env, options) => toList(value, options)),
  negate: convert([], (value) => {
    const flag = toBoolean(value);
    return flag === null ? null : !flag;
  }),
};
