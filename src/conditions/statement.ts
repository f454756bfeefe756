import { addDays, allZones, instantOf, type LocalDate, type LocalToday, localToday } from '../base/time.ts';
import { beginnings, type DayOf } from './calendar.ts';

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
  /** The zones customers of the business live in, from `zonesInUse`; without it all there are, which costs more. */
  zones?: readonly string[];
}

/** A predicate being written: its parameters, and the days of the customer it is about. */
export class Statement {
  readonly values: unknown[] = [];
  readonly customer: string;
  readonly now: Date;
  readonly currency: string;
  readonly #first: number;
  readonly #zone: string;
  readonly #today: LocalToday;
  readonly #zones: readonly string[] | undefined;
  readonly #known = new Map<string, string>();
  #names = 0;

  constructor(env: CompileEnv) {
    this.customer = env.alias ?? 'c';
    if (!/^[a-z][a-z_]*$/.test(this.customer)) throw new Error(`"${this.customer}" is no name for a table.`);
    this.now = env.now;
    this.currency = env.currency;
    this.#first = env.firstParameter ?? 2;
    this.#zone = env.zone;
    this.#today = localToday(env.now, env.zone);
    this.#zones = env.zones;
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
    const { today, ahead, behind, farAhead, farBehind } = this.#today;
    const standard = this.param(make(today), type);
    const branches = (
      [
        [1, ahead],
        [-1, behind],
        [2, farAhead],
        [-2, farBehind],
      ] as const
    ).flatMap(([days, zones]) => {
      const used = this.#zones ? zones.filter((zone) => this.#zones!.includes(zone)) : zones;
      if (used.length === 0) return [];
      const other = this.param(make(addDays(today, days)), type);
      if (other === standard) return [];
      return [`when ${this.customer}.local_zone = any(${this.param(used, 'text[]')}) then ${other}`];
    });
    return branches.length === 0 ? standard : `case ${branches.join(' ')} else ${standard} end`;
  }

  /** A date of the customer's calendar. */
  day(day: DayOf): string {
    return this.ofToday(day, 'date');
  }

  /** The instant a date begins where the customer is. Zones are looked up as data: an unknown one is the business's. */
  beginning(day: DayOf): string {
    const standard = this.param(instantOf(day(this.#today.today), '00:00', this.#zone).toISOString(), 'timestamptz');
    if (this.#zones?.length === 0) return standard;
    const all = this.param(beginnings(this.now, day, this.#zones ?? allZones()), 'jsonb');
    return `coalesce((${all} ->> ${this.customer}.local_zone)::timestamptz, ${standard})`;
  }
}
