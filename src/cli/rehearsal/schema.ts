import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Static, type TOptional, type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import { parse } from 'yaml';
import { invalid } from '../../base/errors.ts';
import { words } from '../../base/schema.ts';

const Moment = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}( ([01]\\d|2[0-3]):[0-5]\\d)?$',
  description: 'A date and a time on the clock of the customer: 2026-03-02 14:00; without a time it is noon',
});
const TimeOfDay = Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d$' });
const Fields = Type.Record(Type.String(), Type.Unknown());

/** One optional member for each name, all of the same form. */
const each = <Name extends string, Form extends TSchema>(names: readonly Name[], form: Form) =>
  Object.fromEntries(names.map((name) => [name, Type.Optional(form)])) as Record<Name, TOptional<Form>>;

/** Kinds of records a fact may tell of; the fields are those of the generic webhook. */
export const RECORDS = [
  'contact',
  'company',
  'deal',
  'ticket',
  'invoice',
  'payment',
  'job',
  'appointment',
  'subscription',
  'activity',
] as const;

const RehearsedCustomer = Type.Object(
  {
    name: Type.Optional(Type.String()),
    first_name: Type.Optional(Type.String()),
    last_name: Type.Optional(Type.String()),
    email: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    /** Null: nobody knows one. */
    phone: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    /** IANA name; all times of the case are on this clock. */
    timezone: Type.Optional(Type.String()),
    locale: Type.Optional(Type.String()),
    country: Type.Optional(Type.String()),
    /** State or region: the law of some sets hours of its own. */
    region: Type.Optional(Type.String()),
    birthday: Type.Optional(Type.String()),
    tags: Type.Optional(Type.Array(Type.String())),
    status: Type.Optional(Type.String()),
    /** Channels on which marketing is agreed to; all of them when absent. */
    consent: Type.Optional(Type.Array(Type.String())),
  },
  { additionalProperties: false },
);

/** Something that happens. Exactly one of these besides `on`. */
const Fact = Type.Object(
  {
    on: Moment,
    ...each(RECORDS, Fields),
    /** The customer writes this. */
    writes: Type.Optional(Type.String()),
    /** The customer unsubscribes from e-mail, sends STOP by text message, or wants no marketing at all any more. */
    opts_out: Type.Optional(words(['email', 'sms', 'all'])),
    /** The customer answers the survey they were last invited to, by question. */
    answers: Type.Optional(Fields),
    /** Somebody pins it. */
    vip: Type.Optional(Type.Boolean()),
    /** Somebody starts the sequence for the customer by hand. */
    enrols: Type.Optional(Type.Boolean()),
    /** A campaign with this name is switched on for a segment the customer is in. */
    campaign: Type.Optional(Type.String()),
    /** The customer promises to pay by this date. */
    promises: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
export type Fact = Static<typeof Fact>;

/** What an expectation can name: the text of a message by its template, everything else by its title. */
export const DEEDS = [
  'email',
  'sms',
  'whatsapp',
  'push',
  'in_app',
  'task',
  'chat',
  'ticket',
  'calendar',
  'note',
  'tag',
  'untag',
  'invoice_reminder',
  /** A message that is held, and will not go out by itself. */
  'held',
] as const;
export type DeedKind = (typeof DEEDS)[number];

const Expected = Type.Object(
  {
    /** Day of the sequence, counted from its start; or the date itself as `on`. */
    day: Type.Optional(Type.Integer({ minimum: 0 })),
    at: Type.Optional(TimeOfDay),
    on: Type.Optional(Moment),
    ...each(DEEDS, Type.String()),
    step: Type.Optional(Type.String()),
    /** Stands in the text, subject and title included. */
    says: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
  },
  { additionalProperties: false },
);
export type Expected = Static<typeof Expected>;

export const Case = Type.Object(
  {
    name: Type.String(),
    customer: Type.Optional(RehearsedCustomer),
    /** Other playbooks that are switched on too. */
    with: Type.Optional(Type.Array(Type.String())),
    /** Values of the sequence, as the owner fills them in. */
    values: Type.Optional(Type.Record(Type.String(), Type.String())),
    settings: Type.Optional(Type.Record(Type.String(), Fields)),
    facts: Type.Array(Fact, { minItems: 1 }),
    /** The date that is day 0; without it nothing may start. */
    starts: Type.Optional(Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' })),
    /** Everything that happens, in order. What is not listed must not happen. */
    expect: Type.Array(Expected),
    /** Why the enrolment ended, in words; absent: it still runs. */
    ends: Type.Optional(Type.String()),
    /** The case goes on until then; what happens later is not looked at. */
    until: Moment,
  },
  { additionalProperties: false },
);
export type Case = Static<typeof Case>;

export const CaseFile = Type.Object(
  {
    /** Key of a playbook that ships with the hub, or the file of one, relative to this one. */
    playbook: Type.String(),
    /** What holds for every case, unless it says otherwise. */
    customer: Type.Optional(RehearsedCustomer),
    values: Type.Optional(Type.Record(Type.String(), Type.String())),
    settings: Type.Optional(Type.Record(Type.String(), Fields)),
    cases: Type.Array(Case, { minItems: 1 }),
  },
  { additionalProperties: false },
);
export type CaseFile = Static<typeof CaseFile>;

/** Reads and checks a file of cases. @throws Problem with the place of every mistake */
export function readCases(file: string): CaseFile {
  const value = parse(readFileSync(file, 'utf8')) as unknown;
  if (!Value.Check(CaseFile, value)) {
    const errors = Value.Errors(CaseFile, value).map(({ instancePath, message }) => ({
      path: instancePath.replace(/^\//, '').replaceAll('/', '.') || path.basename(file),
      message,
    }));
    throw invalid(
      `${path.basename(file)} cannot be read: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
      errors,
    );
  }
  return value;
}
