import { instantOf, type LocalDate, localDate } from '../base/time.ts';
import { beginnings, type DayOf, datesOnEarth } from './calendar.ts';

/** What a condition is compiled for. */
export interface CompileEnv {
  now: Date;
  /** The business's zone (IANA): whose day it is for customers without a zone of their own. */
  zone: string;
  /** The business's currency (ISO 4217): what amounts without one are in. */
  currency: string;
  /** Number of the first parameter that is free; $1 is always the tenant. */
  firstParameter?: number;
  /** What the statement around calls the row of `customer`. */
  alias?: string;
  /** Whether `customer.local_zone` can be asked for; default: it can. */
  localZones?: boolean;
}

/** Whether the column `customer.local_zone` is there; without it everybody's day is the business's. */
const LOCAL_ZONES: boolean = true;

/** A predicate being written: its parameters, and the days of the customer it is about. */
export class Statement {
  readonly values: unknown[] = [];
  readonly customer: string;
  readonly now: Date;
  readonly currency: string;
  readonly #first: number;
  readonly #zone: string;
  readonly #today: LocalDate;
  readonly #local: boolean;
  readonly #known = new Map<string, string>();
  #names = 0;

  constructor(env: CompileEnv) {
    this.customer = env.alias ?? 'c';
    if (!/^[a-z][a-z_]*$/.test(this.customer)) throw new Error(`"${this.customer}" is no name for a table.`);
    this.now = env.now;
    this.currency = env.currency;
    this.#first = env.firstParameter ?? 2;
    this.#zone = env.zone;
    this.#today = localDate(env.now, env.zone);
    this.#local = env.localZones ?? LOCAL_ZONES;
  }

  /** A name for a table that no other part of the statement has. */
  name(): string {
    this.#names += 1;
    return `t${this.#names}`;
  }

  /** A value as a parameter of a Postgres type; the same value is handed over once. */
  param(value: unknown, type: string): string {
    const key = `${type} ${JSON.stringify(value)}`;
    let parameter = this.#known.get(key);
    if (!parameter) {
      this.values.push(value);
      parameter = `$${this.#first + this.values.length - 1}::${type}`;
      this.#known.set(key, parameter);
    }
    return parameter;
  }

  /** Texts in lower case, made once for the whole statement. */
  lowered(texts: readonly string[]): string {
    return `((select array_agg(lower(p)) from unnest(${this.param(texts, 'text[]')}) p)::text[])`;
  }

  /** Something that hangs on the customer's today, for whichever of the dates on earth it is for them. */
  ofToday<Value>(make: (today: LocalDate) => Value, type: string): string {
    const standard = this.param(make(this.#today), type);
    if (!this.#local) return standard;
    const branches = [...datesOnEarth(this.now)].flatMap(([date, zones]) => {
      const other = this.param(make(date), type);
      if (date === this.#today || other === standard) return [];
      return [`when ${this.customer}.local_zone = any(${this.param(zones, 'text[]')}) then ${other}`];
    });
    return branches.length === 0 ? standard : `case ${branches.join(' ')} else ${standard} end`;
  }

  /** A date of the customer's calendar. */
  day(day: DayOf): string {
    return this.ofToday(day, 'date');
  }

  /** The instant a date begins where the customer is. Zones are looked up as data: an unknown one is the business's. */
  beginning(day: DayOf): string {
    const standard = this.param(instantOf(day(this.#today), '00:00', this.#zone).toISOString(), 'timestamptz');
    if (!this.#local) return standard;
    const all = this.param(beginnings(this.now, day), 'jsonb');
    return `coalesce((${all} ->> ${this.customer}.local_zone)::timestamptz, ${standard})`;
  }
}
