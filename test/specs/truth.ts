import type { Call, Finding, Spec } from './spec.ts';

/** A vendor's post to the hub. */
export interface Post {
  url: string;
  body: string;
}

/** A deviation from the description that is known and right. */
export interface SpecException {
  /** The operation as the description has it (`POST /crm/objects/{objectType}`); `*` in it stands for any text. */
  operation: string;
  /**
   * Where: `operation` (the description lacks it), or the place of a finding such as `request.body.inputs.*.id`.
   * `*` stands for any text of one step, `**` for any number of steps, `(one|other)` for a choice.
   */
  at: string;
  /** How the finding reads, where only one of several at this place is meant. */
  says?: RegExp;
  /** The part of the connector's tests that meets it, where they are in several files. */
  shownBy?: string;
  why: string;
  /** Where it was verified that the vendor does it so. */
  verified: string;
}

/** What is known about a vendor's description beside what it says. */
export interface Truth {
  /** The files to read as descriptions of calls, first ones first; absent: all of the folder. */
  files?: readonly string[];
  exceptions: readonly SpecException[];
  /** Descriptions that are put together by hand from several files, beside the ones that are read as they are. */
  specs?: () => Spec[];
  /**
   * Brings a call into the form the description knows it in, such as another method with the same meaning.
   * @param isDescribed whether a call is one of the description's
   */
  read?: (call: Call, isDescribed: (call: Call) => boolean) => Call;
  /** Compares a post of the vendor; undefined where it is not described. */
  post?: (post: Post) => Finding[] | undefined;
}

// Brackets and bars are left: `(one|other)` is a choice in a pattern too.
const escaped = (text: string): string => text.replace(/[.+?^${}[\]\\]/g, '\\$&');
const patterns = new Map<string, RegExp>();

function matches(glob: string, text: string, step: string): boolean {
  const key = `${step} ${glob}`;
  let pattern = patterns.get(key);
  if (!pattern) {
    const parts = glob.split(/(\*\*|\*)/).map((part) => (part === '**' ? '.*' : part === '*' ? step : escaped(part)));
    pattern = new RegExp(`^${parts.join('')}$`);
    patterns.set(key, pattern);
  }
  return pattern.test(text);
}

/** Positions of the exceptions that allow a finding. */
export function exceptionsFor(exceptions: readonly SpecException[], operation: string, finding: Finding): number[] {
  return exceptions.flatMap((exception, index) =>
    matches(exception.operation, operation, '.*') &&
    matches(exception.at, finding.at, '[^.]*') &&
    (exception.says?.test(finding.says) ?? true)
      ? [index]
      : [],
  );
}
