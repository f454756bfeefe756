import AjvCompiler from '@fastify/ajv-compiler';
import { Described } from './members.ts';
import { type Direction, normalise, type Schema } from './normalise.ts';
import { type Finding, isRecord, shown } from './spec.ts';

type Ajv = Parameters<NonNullable<NonNullable<Parameters<AjvCompiler.BuildCompilerFromPool>[1]>['onCreate']>>[0];
type Validate = ReturnType<Ajv['compile']>;
type ValidationError = NonNullable<Validate['errors']>[number];

/** Formats of vendors that JSON schema has no word for. */
const FORMATS: Record<string, RegExp> = {
  'date-time-rfc-2822': /^(\w{3}, )?\d\d? \w{3} \d{4} \d\d:\d\d:\d\d ([+-]\d{4}|GMT|UTC)$/,
  'phone-number': /^\S+$/,
  'google-datetime': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  'google-duration': /^-?\d+(\.\d+)?s$/,
  base64url: /^[\w-]*={0,2}$/,
};

function createAjv(): Ajv {
  let created: Ajv | undefined;
  // The validator the service itself uses, with nothing changed, filled in or taken away.
  AjvCompiler()(
    {},
    {
      customOptions: {
        allErrors: true,
        verbose: true,
        strict: false,
        validateSchema: false,
        coerceTypes: false,
        useDefaults: false,
        removeAdditional: false,
        unicodeRegExp: false,
        logger: false,
        formats: FORMATS,
      },
      onCreate: (ajv) => {
        created = ajv;
      },
    },
  );
  return created!;
}

export interface SchemasOptions {
  /** Turns a reference into a pointer into the document; the default takes `#/...` as it stands. */
  locate?: (reference: string) => string;
}

/** The schemas of one document: compiled when a value first meets them, and never more of them than are met. */
export class Schemas {
  private readonly document: unknown;
  private readonly locate: (reference: string) => string;
  private readonly ajv = createAjv();
  private readonly names = new Map<string, string>();
  private readonly described = new Map<Schema, Described>();
  private readonly compiled = { request: new Map<Schema, Validate>(), response: new Map<Schema, Validate>() };

  constructor(document: unknown, options: SchemasOptions = {}) {
    this.document = document;
    this.locate = options.locate ?? ((reference) => reference);
  }

  /** What a reference leads to. */
  at(reference: string): any {
    const pointer = this.locate(reference).replace(/^#/, '');
    let found: any = this.document;
    for (const step of pointer.split('/').slice(1)) {
      const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
      found = found?.[name];
    }
    if (found === undefined) throw new Error(`The description refers to ${reference}, which it does not have.`);
    return found;
  }

  /** A part of the document with references followed. */
  resolve = (part: any): any => {
    let found = part;
    for (let steps = 0; isRecord(found) && typeof found.$ref === 'string'; steps++) {
      if (steps > 20) throw new Error(`The reference ${String(found.$ref)} leads back to itself.`);
      found = this.at(found.$ref);
    }
    return found;
  };

  /** What of a value is not as the schema says; members it does not describe are findings too. */
  check(schema: Schema, value: unknown, direction: Direction, at: string): Finding[] {
    const validate = this.compile(schema, direction);
    const wrong = validate(value) ? [] : toFindings(validate.errors ?? [], at);
    const foreign = this.describedBy(schema).foreign(value, direction);
    const places = new Set(wrong.map((finding) => `${finding.at} ${finding.says}`));
    const here = foreign.map((finding) => ({ ...finding, at: `${at}${finding.at}` }));
    return [...wrong, ...here.filter((finding) => !places.has(`${finding.at} ${finding.says}`))];
  }

  private describedBy(schema: Schema): Described {
    const known = this.described.get(schema);
    if (known) return known;
    const made = new Described([schema], this.resolve);
    this.described.set(schema, made);
    return made;
  }

  private compile(schema: Schema, direction: Direction): Validate {
    const known = this.compiled[direction].get(schema);
    if (known) return known;
    const compiled = this.ajv.compile(this.normalised(schema, direction) as object);
    this.compiled[direction].set(schema, compiled);
    return compiled;
  }

  private normalised(schema: Schema, direction: Direction): Schema {
    return normalise(schema, {
      direction,
      resolve: this.resolve,
      known: (reference) => this.register(reference, direction),
    });
  }

  /** Tells the validator of the schema at a reference, once for each direction. */
  private register(reference: string, direction: Direction): string {
    const key = `${direction} ${this.locate(reference)}`;
    const known = this.names.get(key);
    if (known) return known;
    const name = `schema:${this.names.size}`;
    // Named before it is looked into: schemas refer to themselves.
    this.names.set(key, name);
    this.ajv.addSchema({ allOf: [this.normalised(this.at(reference), direction)] }, name);
    return name;
  }
}

const placeOf = (error: ValidationError, at: string): string =>
  at +
  error.instancePath
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');

/** Errors of the validator as findings. Of a choice of forms only the choice is told, not each form that did not fit. */
function toFindings(errors: readonly ValidationError[], at: string): Finding[] {
  const choices = new Map<string, ValidationError>();
  // An outer choice of the same place is told after the inner one.
  for (const error of errors) if (error.keyword === 'anyOf') choices.set(error.instancePath, error);
  const places = [...choices.keys()];
  const isTold = (error: ValidationError): boolean => {
    if (error.keyword === 'if') return false;
    const within = places.filter((place) => error.instancePath === place || error.instancePath.startsWith(`${place}/`));
    return within.length === 0 || (within.length === 1 && choices.get(error.instancePath) === error);
  };
  return errors.filter(isTold).map((error) => toFinding(error, errors, at));
}

function toFinding(error: ValidationError, errors: readonly ValidationError[], at: string): Finding {
  const place = placeOf(error, at);
  const value = shown(error.data);
  const { params } = error;
  switch (error.keyword) {
    case 'required':
      return { at: `${place}.${params.missingProperty}`, says: 'is missing' };
    case 'additionalProperties':
      return { at: `${place}.${params.additionalProperty}`, says: 'is not described' };
    case 'type':
      return { at: place, says: `must be ${[params.type].flat().join(' or ')}`, value };
    case 'enum':
      return { at: place, says: `must be one of ${params.allowedValues.join(', ')}`.slice(0, 160), value };
    case 'anyOf': {
      const inner = errors
        .filter((other) => other !== error && other.instancePath.startsWith(error.instancePath))
        .map((other) => `${other.instancePath.slice(error.instancePath.length)} ${other.message}`.trim())
        .filter((text) => text !== 'must be null' && !text.startsWith('must match a schema'));
      const says = [...new Set(inner)].slice(0, 4).join('; ');
      return { at: place, says: `fits none of the forms described: ${says}`, value };
    }
    default:
      return { at: place, says: error.message ?? error.keyword, value };
  }
}
