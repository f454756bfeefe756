import { createRequire } from 'node:module';
import AjvCompiler from '@fastify/ajv-compiler';
import addFormats from 'ajv-formats';

type Check = ((data: unknown) => unknown) & { errors?: unknown };
type Make<Made> = (route: { httpPart?: string }) => Made;
type Serialize = (document: unknown) => string;

/** Queries and parameters come as text and are converted; bodies must be right, and unknown members are mistakes. */
const LENIENT = {
  coerceTypes: 'array',
  useDefaults: true,
  removeAdditional: false,
  allErrors: false,
  strict: false,
} as const;
const STRICT = {
  coerceTypes: false,
  useDefaults: true,
  removeAdditional: false,
  allErrors: true,
  strict: false,
} as const;

/** The serializers Fastify makes itself, from where it has them. */
function serializersOfFastify(): (schemas: unknown, options: unknown) => Make<Serialize> {
  const here = createRequire(import.meta.url);
  const { SerializerSelector } = createRequire(here.resolve('fastify'))('@fastify/fast-json-stringify-compiler');
  return SerializerSelector();
}

function checkAtFirstUse(make: () => Check): Check {
  let made: Check | undefined;
  const check: Check = (data) => {
    made ??= make();
    const result = made(data);
    check.errors = made.errors;
    return result;
  };
  return check;
}

function serializeAtFirstUse(make: () => Serialize): Serialize {
  let made: Serialize | undefined;
  return (document) => {
    made ??= make();
    return made(document);
  };
}

/**
 * What makes functions of the schemas of the routes: to check what comes in and to write what goes out. Each is made
 * when its route is used for the first time, because most are not in a day: all at once they cost 20 MB and half of the
 * time of a start.
 * @param atStart make all of them at once, so that a schema that cannot be compiled is told by the start
 */
export function compilers(atStart: boolean): {
  buildValidator: (schemas: unknown) => Make<Check>;
  buildSerializer: (schemas: unknown, options: unknown) => Make<Serialize>;
} {
  const compile = AjvCompiler();
  const serializers = serializersOfFastify();
  return {
    buildValidator: (schemas) => {
      const plugins = [addFormats.default] as never;
      const body = compile(schemas as never, { customOptions: STRICT, plugins });
      const rest = compile(schemas as never, { customOptions: LENIENT, plugins });
      const make: Make<Check> = (route) =>
        (route.httpPart === 'body' ? body : rest)(route as never) as unknown as Check;
      return atStart ? make : (route) => checkAtFirstUse(() => make(route));
    },
    buildSerializer: (schemas, options) => {
      const make = serializers(schemas, options);
      return atStart ? make : (route) => serializeAtFirstUse(() => make(route));
    },
  };
}
