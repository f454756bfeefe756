import AjvCompiler from '@fastify/ajv-compiler';
import { type Ajv, findingsOf, type Validate } from './findings.ts';
import { Described } from './members.ts';
import { type Direction, normalise, type Schema } from './normalise.ts';
import { type Finding, isRecord } from './spec.ts';

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
        // Most of what is compiled runs a few times: faster to write than to polish.
        code: { optimize: false },
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
    const wrong = validate(value) ? [] : findingsOf(validate.errors ?? [], at, this.ajv);
    const foreign = this.describedBy(schema).foreign(value, direction);
    return [...wrong, ...foreign.map((finding) => ({ ...finding, at: `${at}${finding.at}` }))];
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
