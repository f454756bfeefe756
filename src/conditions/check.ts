import type { FieldError } from '../base/errors.ts';
import { isId } from '../base/ids.ts';
import { CHANNELS } from '../settings/schema.ts';
import { type Catalogue, fieldNames, fieldOf, MODEL_ONLY } from './catalogue.ts';
import { type ConditionField, isDirect, isRelated } from './fields.ts';
import { suggestion } from './near.ts';
import { asObject, type Budget, textProblem } from './operands.ts';
import { COUNT_TESTS, SINCE_TESTS } from './tests.ts';
import { ACTS, type Condition, FORMS, type Form, has, LIMITS, RELATED, type Related } from './types.ts';
import { testsOf, type ValueRules } from './values.check.ts';

export interface CheckedCondition {
  /** Every mistake with its place, such as `all[1].where.in_last`, and what would be right there. */
  problems: FieldError[];
  /** The condition in its one canonical form; undefined while there are problems. */
  condition: Condition | undefined;
}

/**
 * Looks at something somebody wrote as a condition. Never throws, whatever it is.
 * @param catalogue what this business has; without it custom fields and segments are taken as they come
 */
export function checkCondition(value: unknown, catalogue?: Catalogue): CheckedCondition {
  const checker = new Checker(catalogue);
  const condition = checker.condition(value, '', 1);
  const { problems } = checker;
  return { problems, condition: problems.length === 0 ? condition : undefined };
}

/** Whose fields can be named at a place: the customer's, or those of one kind of related object. */
type Subject = 'customer' | Related;

const MOST_PROBLEMS = 50;

class Checker {
  readonly problems: FieldError[] = [];
  readonly #catalogue: Catalogue;
  readonly #known: boolean;
  readonly #budget: Budget = { items: 0 };
  #nodes = 0;

  constructor(catalogue: Catalogue | undefined) {
    this.#catalogue = catalogue ?? MODEL_ONLY;
    this.#known = catalogue !== undefined;
  }

  #refuse(path: string, message: string): undefined {
    if (this.problems.length < MOST_PROBLEMS)
      this.problems.push({ path: path.replace(/^\./, '') || 'condition', message });
    return undefined;
  }

  condition(value: unknown, path: string, depth: number, subject: Subject = 'customer'): Condition | undefined {
    this.#nodes += 1;
    if (this.#nodes === LIMITS.nodes + 1)
      return this.#refuse(path, `is one too many: a condition has ${LIMITS.nodes} parts at most`);
    if (this.#nodes > LIMITS.nodes) return undefined;
    if (depth > LIMITS.depth)
      return this.#refuse(path, `nests too deep: conditions stand in each other ${LIMITS.depth} times at most`);
    const given = asObject(value);
    if (!given) return this.#refuse(path, 'must be a condition such as {"field": "customer.city", "is": "Berlin"}');
    const form = FORMS.find((name) => has(given, name));
    if (!form) return this.#noForm(given, path);
    if (subject !== 'customer' && !['all', 'any', 'not', 'field'].includes(form))
      return this.#refuse(
        `${path}.${form}`,
        `cannot stand here: within "where" only fields of the ${subject} can be tested`,
      );
    return this.#ofForm(form, given, path, depth, subject);
  }

  #noForm(given: Record<string, unknown>, path: string): undefined {
    const [first] = Object.keys(given);
    if (first === undefined) return this.#refuse(path, `is empty: it needs one of ${FORMS.join(', ')}`);
    return this.#refuse(
      path,
      `does not say what is tested: it needs one of ${FORMS.join(', ')}${suggestion(first, FORMS)}`,
    );
  }

  #ofForm(
    form: Form,
    given: Record<string, unknown>,
    path: string,
    depth: number,
    subject: Subject,
  ): Condition | undefined {
    switch (form) {
      case 'all':
      case 'any':
        return this.#list(form, given, path, depth, subject);
      case 'not': {
        this.#only(given, path, ['not']);
        const inner = this.condition(given.not, `${path}.not`, depth + 1, subject);
        return inner && { not: inner };
      }
      case 'field':
        return this.#field(given, path, subject);
      case 'consent':
        return this.#consent(given, path);
      case 'segment':
        return this.#segment(given, path);
      case 'days_since':
        return this.#since(given, path);
      case 'exists':
      case 'count':
        return this.#objects(form, given, path, depth);
      default:
        return this.#ofObjects(form, given, path, depth);
    }
  }

  /** Members that have no meaning here are mistakes: somebody meant something by them. */
  #only(given: Record<string, unknown>, path: string, known: readonly string[]): void {
    for (const name of Object.keys(given))
      if (!known.includes(name))
        this.#refuse(`${path}.${name.slice(0, 60)}`, `has no meaning beside "${known[0]}"${suggestion(name, known)}`);
  }

  #list(
    form: 'all' | 'any',
    given: Record<string, unknown>,
    path: string,
    depth: number,
    subject: Subject,
  ): Condition | undefined {
    this.#only(given, path, [form]);
    const parts = given[form];
    const where = `${path}.${form}`;
    if (!Array.isArray(parts)) return this.#refuse(where, 'must be a list of conditions');
    if (parts.length === 0) return this.#refuse(where, 'is an empty list: it needs at least one condition');
    const good: (Condition | undefined)[] = [];
    for (let at = 0; at < parts.length && this.#nodes <= LIMITS.nodes; at++)
      good.push(this.condition(parts[at], `${where}[${at}]`, depth + 1, subject));
    if (good.includes(undefined) || good.length < parts.length) return undefined;
    // One part alone needs no list.
    if (good.length === 1) return good[0];
    return form === 'all' ? { all: good as Condition[] } : { any: good as Condition[] };
  }

  #where(
    given: Record<string, unknown>,
    path: string,
    depth: number,
    kind: Related,
  ): { where?: Condition } | undefined {
    if (!has(given, 'where')) return {};
    const where = this.condition(given.where, `${path}.where`, depth + 1, kind);
    return where && { where };
  }

  #rules(path: string): ValueRules {
    return {
      catalogue: this.#catalogue,
      budget: this.#budget,
      refuse: (message, below = '') => void this.#refuse(`${path}${below}`, message),
    };
  }

  #named(
    name: unknown,
    path: string,
    fits: (field: ConditionField) => boolean,
    of: string,
  ): ConditionField | undefined {
    const problem = textProblem(name);
    if (problem !== undefined) return this.#refuse(path, problem);
    const text = name as string;
    const field = this.#known
      ? fieldOf(this.#catalogue, text)
      : fieldOf({ custom: { has: () => true } as never }, text);
    if (field && fits(field)) return field;
    const names = fieldNames(this.#catalogue, (scope) => fits({ scope, type: 'number' } as ConditionField));
    if (field) return this.#refuse(path, `"${text}" is no field ${of}${suggestion(text, names)}`);
    return this.#refuse(path, `there is no field "${text.slice(0, 100)}" ${of}${suggestion(text, names)}`);
  }

  #field(given: Record<string, unknown>, path: string, subject: Subject): Condition | undefined {
    const [fits, of] =
      subject === 'customer'
        ? [
            isDirect,
            'of the customer; fields of related objects stand in exists, count, sum, average, latest or earliest',
          ]
        : [(field: ConditionField) => field.scope === subject, `of the ${subject}`];
    const field = this.#named(given.field, `${path}.field`, fits, of as string);
    if (!field) return undefined;
    const tested = testsOf(this.#rules(path), field, given, ['field']);
    return tested && { field: field.name, ...tested };
  }

  #objects(
    form: 'exists' | 'count',
    given: Record<string, unknown>,
    path: string,
    depth: number,
  ): Condition | undefined {
    const kind = given[form];
    if (!RELATED.includes(kind as Related))
      return this.#refuse(
        `${path}.${form}`,
        `must be one of ${RELATED.join(', ')}${typeof kind === 'string' ? suggestion(kind, RELATED) : ''}`,
      );
    const of = kind as Related;
    const where = this.#where(given, path, depth, of);
    if (form === 'exists') {
      this.#only(given, path, ['exists', 'where']);
      return where && { exists: of, ...where };
    }
    const whole = { least: 0, most: 1_000_000 };
    const tested = testsOf(this.#rules(path), { table: COUNT_TESTS, whole }, given, ['count', 'where']);
    return where && tested && { count: of, ...where, ...tested };
  }

  #ofObjects(
    form: Exclude<Form, 'all'>,
    given: Record<string, unknown>,
    path: string,
    depth: number,
  ): Condition | undefined {
    const added = form === 'sum' || form === 'average';
    const fits = (field: ConditionField): boolean =>
      isRelated(field.scope) && (!added || ['number', 'money', 'custom'].includes(field.type));
    const of = added ? 'of a related object that can be added up' : 'of a related object';
    const field = this.#named(given[form], `${path}.${form}`, fits, of);
    if (!field) {
      // What is wrong further in is told at once, as far as it can be known.
      return undefined;
    }
    const where = this.#where(given, path, depth, field.scope as Related);
    const rules = this.#rules(path);
    const tested = added
      ? testsOf(rules, { table: form === 'sum' ? COUNT_TESTS : SINCE_TESTS, money: field.type === 'money' }, given, [
          form,
          'where',
        ])
      : testsOf(rules, field, given, [form, 'where']);
    return where && tested && ({ [form]: field.name, ...where, ...tested } as unknown as Condition);
  }

  #consent(given: Record<string, unknown>, path: string): Condition | undefined {
    this.#only(given, path, ['consent', 'topic', 'is']);
    const { consent, topic, is } = given;
    const before = this.problems.length;
    if (!CHANNELS.includes(consent as never))
      this.#refuse(
        `${path}.consent`,
        `must be one of the channels ${CHANNELS.join(', ')}${typeof consent === 'string' ? suggestion(consent, CHANNELS) : ''}`,
      );
    const problem = topic === undefined ? undefined : textProblem(topic);
    if (problem !== undefined) this.#refuse(`${path}.topic`, problem);
    if (is !== 'granted' && is !== 'denied' && is !== 'none')
      this.#refuse(`${path}.is`, 'must be granted, denied or none');
    if (this.problems.length > before) return undefined;
    return {
      consent: consent as string,
      ...(topic === undefined || topic === '*' ? {} : { topic: topic as string }),
      is: is as 'none',
    };
  }

  #segment(given: Record<string, unknown>, path: string): Condition | undefined {
    this.#only(given, path, ['segment']);
    const { segment } = given;
    if (typeof segment !== 'string' || !isId(segment))
      return this.#refuse(`${path}.segment`, 'must be the id of a segment');
    const { segments } = this.#catalogue;
    if (segments && !segments.has(segment)) return this.#refuse(`${path}.segment`, `there is no segment ${segment}`);
    return { segment };
  }

  #since(given: Record<string, unknown>, path: string): Condition | undefined {
    const acts = given.days_since;
    const where = `${path}.days_since`;
    const rules = this.#rules(path);
    const tested = testsOf(rules, { table: SINCE_TESTS, whole: { least: 0, most: 36_500 } }, given, ['days_since']);
    if (!Array.isArray(acts) || acts.length === 0 || acts.length > ACTS.length)
      return this.#refuse(where, `must be a list of one or more of ${ACTS.join(', ')}`);
    const unknown = acts.findIndex((act) => !ACTS.includes(act as never));
    if (unknown >= 0) return this.#refuse(`${where}[${unknown}]`, `must be one of ${ACTS.join(', ')}`);
    return tested && { days_since: ACTS.filter((act) => acts.includes(act)), ...tested };
  }
}
