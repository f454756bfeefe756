import type { ChangeKind } from '../model/types.ts';
import { type NamedField, namedField } from './fields.ts';
import { orderOf } from './related.ts';
import { signsOf } from './since.ts';
import { RELATIVE } from './tests.ts';
import { type Condition, formOf, type Related, type TestName } from './types.ts';

/** What can change the answer of a condition. */
export interface Dependencies {
  /** Fields of each kind of change: columns of the model, `custom`, `customer_id` and `deleted_at`. */
  fields: Partial<Record<ChangeKind, readonly string[]>>;
  /** Whether consents count; they are no kind of change. */
  consent: boolean;
  /** Ids of the segments it asks for. */
  segments: readonly string[];
  /** Whether the answer can change because time passes, without anything else happening. */
  timeRelative: boolean;
}

/** A condition that stands for a made-up field of the customer. */
export const MEASURES: Record<'balance_due' | 'overdue_balance', Condition> = {
  balance_due: { field: 'invoice.status', one_of: ['open', 'partial', 'disputed'] },
  overdue_balance: {
    all: [
      { field: 'invoice.status', one_of: ['open', 'partial', 'disputed'] },
      { field: 'invoice.due_on', more_than_ago: { days: 0 } },
    ],
  },
};

class Collector {
  readonly fields = new Map<ChangeKind, Set<string>>();
  readonly segments = new Set<string>();
  consent = false;
  timeRelative = false;

  add(kind: ChangeKind, ...names: string[]): void {
    const known = this.fields.get(kind) ?? new Set();
    for (const name of names) known.add(name);
    this.fields.set(kind, known);
  }

  rows(kind: Related): void {
    this.add(kind, 'customer_id', 'deleted_at', ...(kind === 'invoice' ? ['duplicate_of'] : []));
  }

  field(field: NamedField): void {
    const column = field.custom === undefined ? field.column : 'custom';
    const money = field.type === 'money' ? ['currency'] : [];
    switch (field.scope) {
      case 'customer':
        if (field.measure === 'spend') {
          this.rows('payment');
          this.add('payment', 'amount', 'currency', 'kind', 'status');
        } else if (field.measure) {
          this.rows('invoice');
          this.add('invoice', 'balance', 'currency');
          this.visit(MEASURES[field.measure]);
        } else this.add('contact', column);
        return;
      case 'company':
        this.add('contact', 'company_id');
        this.add('company', column, 'deleted_at');
        return;
      case 'owner':
        this.add('contact', 'owner_id');
        this.add('owner', column, 'deleted_at');
        return;
      case 'score':
        this.add('score', field.column);
        return;
      default:
        this.add(field.scope, column, ...money);
    }
  }

  visit(condition: Condition): void {
    if (Object.keys(condition).some((key) => RELATIVE.includes(key as TestName))) this.timeRelative = true;
    if ('all' in condition || 'any' in condition) {
      for (const part of 'all' in condition ? condition.all : condition.any) this.visit(part);
    } else if ('not' in condition) this.visit(condition.not);
    else if ('consent' in condition) {
      this.consent = true;
      // An agreement expires; a refusal does not.
      if (condition.is !== 'denied') this.timeRelative = true;
    } else if ('segment' in condition) {
      this.segments.add(condition.segment);
      this.add('segment');
    } else if ('days_since' in condition) {
      this.timeRelative = true;
      for (const { kind, fields } of condition.days_since.flatMap(signsOf)) {
        this.rows(kind);
        this.add(kind, ...fields);
      }
    } else if ('field' in condition) this.field(namedField(condition.field)!);
    else this.related(condition);
  }

  private related(condition: Condition): void {
    const of = (condition as unknown as Record<string, string>)[formOf(condition)]!;
    const field = namedField(of);
    this.rows((field?.scope ?? of) as Related);
    if (field) this.field(field);
    if (field && ('latest' in condition || 'earliest' in condition)) this.add(field.scope as Related, orderOf(field));
    const { where } = condition as { where?: Condition };
    if (where) this.visit(where);
  }
}

/** What a checked condition hangs on. */
export function dependenciesOf(condition: Condition): Dependencies {
  const found = new Collector();
  found.visit(condition);
  return {
    fields: Object.fromEntries([...found.fields].map(([kind, names]) => [kind, [...names].sort()])),
    consent: found.consent,
    segments: [...found.segments],
    timeRelative: found.timeRelative,
  };
}
