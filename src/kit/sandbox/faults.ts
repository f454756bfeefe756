/** Ways in which a simulated vendor misbehaves on demand. */
export type Fault = {
  /** Requests it hits, as `METHOD /path`; absent: all. */
  match?: RegExp;
  /** How often it strikes; absent: until removed. */
  times?: number;
  /** Share of matching requests it hits, 0 to 1; absent: all. */
  chance?: number;
  /** How a person wrote it, where a person did. */
  text?: string;
} & (
  | { kind: 'status'; status: number; body?: unknown; headers?: Record<string, string> }
  /** The connection breaks before anything happens. */
  | { kind: 'cut' }
  /** The vendor acts, and the answer is lost. */
  | { kind: 'cut_after' }
  /** Nothing is answered for so long that the caller gives up. */
  | { kind: 'silent' }
  | { kind: 'slow'; milliseconds: number }
  | { kind: 'malformed' }
  /** The answer breaks off in the middle. */
  | { kind: 'truncated' }
  /** The answer is changed: a field renamed, retyped, lost. */
  | { kind: 'rewrite'; rewrite: (body: unknown) => unknown }
);

/** A fault that can still strike. */
interface FaultInForce {
  readonly fault: Fault;
  readonly struck: number;
  remove(): void;
}

export interface Faults {
  add(fault: Fault): () => void;
  clear(): void;
  /** The fault that strikes a request, counted as one strike. */
  strike(request: string): Fault | undefined;
  /** Those that can still strike, oldest first. */
  inForce(): readonly FaultInForce[];
  /** Begins the sequence of chances anew: the same seed and the same requests meet the same faults. */
  seed(seed: number): void;
}

/** A repeatable sequence of numbers in [0, 1): the same faults strike in every run. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function createFaults(seed = 1): Faults {
  const active: { fault: Fault; left: number; struck: number; remove: () => void }[] = [];
  let random = seededRandom(seed);
  return {
    add(fault) {
      const remove = (): void => {
        const at = active.indexOf(entry);
        if (at >= 0) active.splice(at, 1);
      };
      const entry = { fault, left: fault.times ?? Number.POSITIVE_INFINITY, struck: 0, remove };
      active.push(entry);
      return remove;
    },
    clear: () => void active.splice(0),
    strike(request) {
      const entry = active.find(
        ({ fault, left }) =>
          left > 0 && (fault.match?.test(request) ?? true) && (fault.chance === undefined || random() < fault.chance),
      );
      if (!entry) return undefined;
      entry.left -= 1;
      entry.struck += 1;
      return entry.fault;
    },
    inForce: () => active.filter(({ left }) => left > 0),
    seed: (next) => {
      random = seededRandom(next);
    },
  };
}
