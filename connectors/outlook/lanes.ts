/** Requests of one mailbox that may be under way at the same time (dossier, Limits). */
const AT_ONCE = 4;

interface Lane {
  busy: number;
  waiting: (() => void)[];
}

/** Lets so many calls with one key be under way at once and the others wait in turn; of this process only. */
export function createLanes(): <Result>(key: string, work: () => Promise<Result>) => Promise<Result> {
  const lanes = new Map<string, Lane>();
  return async (key, work) => {
    const lane = lanes.get(key) ?? { busy: 0, waiting: [] };
    lanes.set(key, lane);
    // Whoever leaves hands its place over, so the count stays as it is.
    if (lane.busy >= AT_ONCE) await new Promise<void>((go) => lane.waiting.push(go));
    else lane.busy += 1;
    try {
      return await work();
    } finally {
      const next = lane.waiting.shift();
      if (next) next();
      else if (--lane.busy === 0) lanes.delete(key);
    }
  };
}
