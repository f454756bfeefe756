import type { Tx } from './database.ts';
import type { Logger } from './log.ts';
import type { JobData, Queue, QueueDefinition } from './queue.ts';

/** A job that fails so often is given up. */
const MAX_TRIES = 3;

/**
 * A queue of this process alone, for a hub whose time is moved by hand: jobs wait until `idle` is called and then run one
 * after the other in the order they were put. Nothing survives the process, so it is for rehearsals only.
 */
export function memoryQueue(definitions: readonly QueueDefinition[], log: Logger): Queue {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  // By queue and payload: the same job put twice before it ran is one, as the other queue makes it.
  const waiting = new Map<string, { name: string; data: JobData; tries: number }>();
  const { signal } = new AbortController();
  const put = (name: string, data: JobData, tries = 0): void => {
    if (!byName.has(name)) throw new Error(`There is no queue "${name}".`);
    const key = `${name} ${JSON.stringify(data)}`;
    if (!waiting.has(key)) waiting.set(key, { name, data, tries });
  };
  return {
    async send(sql, name, data) {
      // What is put in a transaction exists when it commits.
      const { afterCommit } = sql as Partial<Pick<Tx, 'afterCommit'>>;
      if (afterCommit) afterCommit.call(sql, async () => put(name, data));
      else put(name, data);
    },
    wake: async (name, data) => put(name, data),
    work: async () => {},
    pending: async () => {
      const counts: Record<string, number> = {};
      for (const { name } of waiting.values()) counts[name] = (counts[name] ?? 0) + 1;
      return counts;
    },
    async idle() {
      for (let [first] = waiting; first; [first] = waiting) {
        const [key, { name, data, tries }] = first;
        waiting.delete(key);
        try {
          await byName.get(name)!.handle(data, signal);
        } catch (error) {
          log.error({ err: error, queue: name, job: data }, 'a job failed');
          if (tries + 1 < MAX_TRIES) put(name, data, tries + 1);
        }
      }
    },
    depth: async () => [],
    stop: async () => {},
  };
}
