/** One thing read, where it started, its size, and where the next one starts; without `next` it is the last. */
export interface Step<Item, Position> {
  item: Item;
  from: Position;
  size: number;
  next: Position | undefined;
}

/**
 * Reads one after the other and gives them out in groups: while a group is worked on, the next ones are read, so a slow
 * source is taken piece by piece and a slow consumer gets more at once.
 * @param read reads what starts at a position
 * @param most size of a group, which also bounds what is read ahead; a single item may be larger
 * @param count how many to read at most
 * @throws what `read` threw, after everything read before it was given out
 */
export async function* readAhead<Item, Position>(
  read: (from: Position) => Promise<Step<Item, Position>>,
  start: Position,
  most: number,
  count = Number.POSITIVE_INFINITY,
): AsyncGenerator<Step<Item, Position>[]> {
  const waiting: Step<Item, Position>[] = [];
  let failure: { error: unknown } | undefined;
  let ended = false;
  let stopped = false;
  let wake = (): void => {};
  const news = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  let room = (): void => {};
  const waitingSize = (): number => waiting.reduce((sum, step) => sum + step.size, 0);

  const reading = (async () => {
    let from: Position | undefined = start;
    for (let n = 0; n < count && from !== undefined && !stopped; n++) {
      if (waitingSize() >= most) await new Promise<void>((resolve) => (room = resolve));
      if (stopped) return;
      const step: Step<Item, Position> = await read(from);
      waiting.push(step);
      from = step.next;
      wake();
    }
  })()
    .catch((error: unknown) => {
      failure = { error };
    })
    .finally(() => {
      ended = true;
      wake();
    });

  try {
    for (;;) {
      if (waiting.length === 0 && !ended) await news();
      if (waiting.length === 0) break;
      const group: Step<Item, Position>[] = [];
      let size = 0;
      while (waiting[0] && (group.length === 0 || size + waiting[0].size <= most)) {
        size += waiting[0].size;
        group.push(waiting.shift()!);
      }
      room();
      yield group;
    }
    if (failure) throw failure.error;
  } finally {
    stopped = true;
    room();
    await reading;
  }
}

/**
 * Takes groups in their order: while one is stored, the next is prepared. Only one is stored at a time, and none after
 * one that failed.
 * @throws what preparing or storing threw, when nothing is being stored any more
 */
export async function storeInTurn<Group, Prepared>(
  groups: AsyncIterable<Group>,
  prepare: (group: Group) => Promise<Prepared>,
  store: (group: Group, prepared: Prepared) => Promise<void>,
): Promise<void> {
  let storing: Promise<void> | undefined;
  try {
    for await (const group of groups) {
      const prepared = await prepare(group);
      await storing;
      storing = store(group, prepared);
      // Whether it failed is asked when the next one is ready.
      storing.catch(() => {});
    }
  } finally {
    await storing;
  }
}
