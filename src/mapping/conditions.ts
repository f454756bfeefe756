import { type Compiler, type Env, hasValue, isObject, type Make } from './compiler.ts';

/** A test of a record. */
export type Condition = (record: unknown, env: Env) => boolean;

const lower = (value: unknown): string => String(value ?? '').toLowerCase();

// No regular expressions: a pattern somebody types in can take for ever on a long text.
const TESTS: Record<string, (value: unknown, expected: unknown) => boolean> = {
  exists: (value, expected) => hasValue(value) === Boolean(expected),
  equals: (value, expected) => String(value ?? '') === String(expected ?? ''),
  in: (value, expected) => Array.isArray(expected) && expected.some((item) => String(item) === String(value ?? '')),
  above: (value, expected) => hasValue(value) && Number(value) > Number(expected),
  below: (value, expected) => hasValue(value) && Number(value) < Number(expected),
  contains: (value, expected) => lower(value).includes(lower(expected)),
  starts_with: (value, expected) => lower(value).startsWith(lower(expected)),
  ends_with: (value, expected) => lower(value).endsWith(lower(expected)),
};

/** `{of: directive, equals: x}` and the like, or `{all|any: [...]}`, `{not: ...}`, with what compiles the directives. */
export const conditionCompiler = (
  compileDirective: Make,
): ((condition: unknown, where: string, compiler: Compiler) => Condition) =>
  function compileCondition(condition, where, compiler): Condition {
    const refuse = (message: string): Condition => {
      compiler.errors.push({ path: where, message });
      return () => false;
    };
    if (!isObject(condition)) return refuse(`must be a condition such as {of: {path: status}, equals: open}`);
    if (Array.isArray(condition.all) || Array.isArray(condition.any)) {
      const mode = Array.isArray(condition.all) ? 'all' : 'any';
      const parts = (condition[mode] as unknown[]).map((item, index) =>
        compileCondition(item, `${where}.${mode}[${index}]`, compiler),
      );
      return (record, env) =>
        mode === 'all' ? parts.every((part) => part(record, env)) : parts.some((part) => part(record, env));
    }
    if ('not' in condition) {
      const inner = compileCondition(condition.not, `${where}.not`, compiler);
      return (record, env) => !inner(record, env);
    }
    const { of, path, ...tests } = condition;
    const read =
      path !== undefined
        ? compileDirective({ path }, `${where}.path`, compiler)
        : compileDirective(of, `${where}.of`, compiler);
    const name = Object.keys(tests)[0];
    const test = name === undefined ? undefined : TESTS[name];
    if (!test || Object.keys(tests).length !== 1)
      return refuse(`must hold one test of ${Object.keys(TESTS).join(', ')}`);
    return (record, env) => test(read(record, env), tests[name!]);
  };
