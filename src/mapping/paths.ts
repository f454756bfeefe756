import { splitPath } from '../kit/index.ts';
import { type Compiler, fail, isObject, type Read } from './compiler.ts';

const isInherited = (key: string): boolean => key in Array.prototype || key in Object.prototype;

/** A path into the record, or one of the words for what is known of the account, as a function. */
export function readPath(path: string, where: string, compiler: Compiler): Read {
  if (path === '@account') return (_record, env) => env.account;
  if (path === '@connector') return (_record, env) => env.connector;
  if (path === '@currency') return (_record, env) => env.currency ?? null;
  const keys = splitPath(path);
  if (keys.length === 0) return fail(compiler, where, 'is an empty path');
  compiler.paths.add(path);
  if (keys.length === 1) {
    const key = keys[0]!;
    return (record) => (isObject(record) && Object.hasOwn(record, key) ? (record[key] ?? null) : null);
  }
  const [group, member] = keys as [string, string];
  // A record is plain JSON: where no object has such a member by birth, looking it up is as safe as asking first.
  if (keys.length === 2 && !isInherited(group) && !isInherited(member)) {
    return (record) => {
      if (record === null || typeof record !== 'object') return null;
      const here = (record as Record<string, unknown>)[group];
      return here === null || typeof here !== 'object' ? null : ((here as Record<string, unknown>)[member] ?? null);
    };
  }
  return (record) => {
    let here: unknown = record;
    for (const key of keys) {
      if (here === null || typeof here !== 'object' || !Object.hasOwn(here, key)) return null;
      here = (here as Record<string, unknown>)[key];
    }
    return here ?? null;
  };
}
