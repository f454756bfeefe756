import type { Field } from '../kit/index.ts';
import { toBirthday } from './birthday.ts';
import type { Env } from './compiler.ts';
import { toBoolean, toDate, toDecimal, toInstant, toList, toText, ValueError } from './values.ts';

export type Coerce = (value: unknown, env: Env) => unknown;

/** Brings a value into the type of its column. */
export function coercion(field: Field): Coerce {
  const convert = bounded(conversion(field), field.longest);
  return (value, env) => {
    if (value === null || value === undefined || value === '') return null;
    if (value instanceof ValueError) throw value;
    return convert(value, env);
  };
}

/** What a database could not find again by its index is refused before it stops the records beside it. */
function bounded(convert: Coerce, longest: number | undefined): Coerce {
  if (longest === undefined) return convert;
  return (value, env) => {
    const converted = convert(value, env);
    const long =
      typeof converted === 'string' ? converted : (converted as string[] | null)?.find((item) => item.length > longest);
    if (long !== undefined && long.length > longest)
      throw new ValueError(`has ${long.length} characters; at most ${longest} can be kept`);
    return converted;
  };
}

function conversion(field: Field): Coerce {
  switch (field.type) {
    case 'text': {
      if (!field.values) return toText;
      const words = new Set<unknown>(field.values);
      return (value) => {
        const text = toText(value);
        if (text !== null && !words.has(text))
          throw new ValueError(`"${text}" is not one of ${[...words].join(', ')}; translate it with enum`);
        return text;
      };
    }
    case 'date':
      return (value, env) => toDate(value, env.zone);
    case 'birthday':
      return (value, env) => toBirthday(value, env.zone, env.today);
    case 'timestamptz':
      return (value, env) => toInstant(value, env.zone);
    case 'numeric':
      return (value) => toDecimal(value);
    case 'integer':
      return (value) => {
        const number = Number(toDecimal(value));
        if (!Number.isSafeInteger(number))
          throw new ValueError(`expected a whole number, got ${JSON.stringify(value)}`);
        return number;
      };
    case 'boolean':
      return toBoolean;
    case 'text[]':
      return (value) => toList(value);
    case 'jsonb':
      return (value) => value;
  }
}
