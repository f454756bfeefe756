import { addDays, daysBetween, type LocalDate } from '../../base/time.ts';
import { type Case, DEEDS, type DeedKind, type Expected } from './schema.ts';

/** What happened in a rehearsal, on the clock of the customer. */
export interface Deed {
  date: LocalDate;
  time: string;
  kind: DeedKind;
  /** Template of a message, title of everything else. */
  what: string;
  step: string | null;
  /** Everything that was said, subject and title included. */
  text: string;
}

/** How a case went. */
export interface Outcome {
  name: string;
  /** In words, one line each; empty when everything went as expected. */
  problems: string[];
  expected: string[];
  actual: string[];
}

const kindOf = (expected: Expected): DeedKind | undefined => DEEDS.find((kind) => expected[kind] !== undefined);

function dateOf(expected: Expected, starts: LocalDate | undefined): LocalDate | undefined {
  if (expected.on) return expected.on.slice(0, 10);
  return expected.day !== undefined && starts ? addDays(starts, expected.day) : undefined;
}

const timeOf = (expected: Expected): string | undefined => expected.at ?? expected.on?.slice(11) ?? undefined;

/** A line as people read it: `day 46, 2026-04-17 09:00  sms reminder (step second)`. */
function line(
  starts: LocalDate | undefined,
  { date, time, kind, what, step }: Partial<Pick<Deed, 'date' | 'time' | 'step'>> & { kind: string; what: string },
): string {
  const day = date && starts ? `day ${daysBetween(starts, date)}, ` : '';
  const when = kind === 'held' ? '' : `${day}${date ?? ''}${time ? ` ${time}` : ''}  `;
  return `${when}${kind} ${what}${step ? ` (step ${step})` : ''}`;
}

/** Whether a deed is the one expected; says what differs. */
function differs(expected: Expected, deed: Deed, starts: LocalDate | undefined): string | undefined {
  const kind = kindOf(expected);
  if (kind !== deed.kind || expected[kind] !== deed.what) return 'something else happened';
  if (kind !== 'held' && dateOf(expected, starts) !== deed.date) return 'the day is another';
  const time = timeOf(expected);
  if (kind !== 'held' && time && time !== deed.time) return 'the time is another';
  if (expected.step && expected.step !== deed.step) return `it came from step ${deed.step}`;
  const missing = [expected.says ?? []].flat().find((said) => !deed.text.includes(said));
  return missing === undefined ? undefined : `the text does not say "${missing}": ${deed.text}`;
}

/** Compares what happened with what a case expects. */
export function compare(
  wanted: Case,
  actual: readonly Deed[],
  run: { starts: LocalDate | undefined; ends: string | undefined },
): Outcome {
  const problems: string[] = [];
  const { starts } = wanted;
  if (run.starts !== starts)
    problems.push(
      starts
        ? `It starts on ${starts}, but ${run.starts ? `started on ${run.starts}` : 'never started'}.`
        : `Nothing starts, but it started on ${run.starts}.`,
    );
  const open = [...actual];
  for (const expected of wanted.expect) {
    const kind = kindOf(expected);
    const shown = line(starts, {
      ...{ kind: kind ?? '?', what: (kind && expected[kind]) ?? '' },
      ...(dateOf(expected, starts) ? { date: dateOf(expected, starts)! } : {}),
      ...(timeOf(expected) ? { time: timeOf(expected)! } : {}),
      step: expected.step ?? null,
    });
    const at = open.findIndex((deed) => differs(expected, deed, starts) === undefined);
    if (at !== -1) {
      open.splice(at, 1);
      continue;
    }
    const near = open.find((deed) => deed.kind === kind && deed.what === expected[kind]);
    problems.push(
      near
        ? `Expected ${shown}, but ${differs(expected, near, starts)}: ${line(starts, near)}`
        : `Expected, but did not happen: ${shown}`,
    );
    if (near) open.splice(open.indexOf(near), 1);
  }
  for (const deed of open) problems.push(`Happened, but was not expected: ${line(starts, deed)}`);
  if (run.ends !== wanted.ends)
    problems.push(
      `It ${wanted.ends ? `ends: ${wanted.ends}` : 'goes on'}, but it ${run.ends ? `ended: ${run.ends}` : 'still runs, or never began'}.`,
    );
  return {
    name: wanted.name,
    problems,
    expected: wanted.expect.map((expected) => {
      const kind = kindOf(expected);
      return line(starts, {
        ...{ kind: kind ?? '?', what: (kind && expected[kind]) ?? '', step: expected.step ?? null },
        ...(dateOf(expected, starts) ? { date: dateOf(expected, starts)! } : {}),
        ...(timeOf(expected) ? { time: timeOf(expected)! } : {}),
      });
    }),
    actual: actual.map((deed) => line(starts, deed)),
  };
}
