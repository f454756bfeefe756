/** Things in the order of their moments; those of the same moment in the order they were put. */
export class Agenda<Item> {
  readonly #heap: { at: number; order: number; item: Item }[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  add(at: Date, item: Item): void {
    const heap = this.#heap;
    let place = heap.push({ at: at.getTime(), order: this.#order++, item }) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!this.#before(place, above)) return;
      [heap[place], heap[above]] = [heap[above]!, heap[place]!];
      place = above;
    }
  }

  /** The next moment there is something at, in milliseconds. */
  next(): number | undefined {
    return this.#heap[0]?.at;
  }

  /** Takes everything of the next moment. */
  take(): Item[] {
    const at = this.next();
    const taken: Item[] = [];
    while (at !== undefined && this.next() === at) taken.push(this.#pop());
    return taken;
  }

  /** What lies before a moment, in no order; it stays where it is. */
  before(at: number): Item[] {
    return this.#heap.flatMap((entry) => (entry.at < at ? [entry.item] : []));
  }

  #before(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a]!, this.#heap[b]!];
    return one.at < other.at || (one.at === other.at && one.order < other.order);
  }

  #pop(): Item {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top.item;
    heap[0] = last;
    for (let place = 0; ; ) {
      const left = place * 2 + 1;
      let least = place;
      for (const below of [left, left + 1]) if (below < heap.length && this.#before(below, least)) least = below;
      if (least === place) return top.item;
      [heap[place], heap[least]] = [heap[least]!, heap[place]!];
      place = least;
    }
  }
}
