import { randomBytes } from 'node:crypto';
import type { Clock } from '../../src/kit/index.ts';

export interface Task {
  id: string;
  title: string;
  notes?: string;
  due?: string;
  status: string;
  updated: string;
  completed?: string;
  deleted?: boolean;
  hidden?: boolean;
  [more: string]: unknown;
}

/** The task list of the simulated account. Only the day of what is due is kept. */
export class TaskList {
  readonly tasks: Task[] = [];
  lateIndexMs = 0;
  /** What tasks were before changes that the index may not have seen. */
  private readonly earlier = new Map<string, Task[]>();

  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  private stamp(at?: Date): string {
    return (at ?? this.clock.now()).toISOString();
  }

  find(id: string): Task | undefined {
    return this.tasks.find((task) => task.id === id);
  }

  insert(fields: Record<string, unknown>, at?: Date): Task {
    const id = randomBytes(12).toString('base64url');
    const due = typeof fields.due === 'string' ? { due: `${fields.due.slice(0, 10)}T00:00:00.000Z` } : {};
    const task: Task = {
      kind: 'tasks#task',
      title: '',
      ...fields,
      ...due,
      id,
      etag: '"1"',
      status: 'needsAction',
      position: String(this.tasks.length).padStart(20, '0'),
      selfLink: `https://www.googleapis.com/tasks/v1/lists/list/tasks/${id}`,
      webViewLink: `https://tasks.google.com/task/${id}`,
      updated: this.stamp(at),
    };
    this.tasks.push(task);
    return task;
  }

  change(id: string, fields: Record<string, unknown>, at?: Date): Task | undefined {
    const task = this.find(id);
    if (!task) return undefined;
    this.earlier.set(id, [...(this.earlier.get(id) ?? []), { ...task }]);
    Object.assign(task, fields, { updated: this.stamp(at) });
    if (fields.status === 'completed') task.completed = task.updated;
    if (fields.status === 'needsAction') delete task.completed;
    return task;
  }

  /** What the list shows: of a task whose last change is not in the index yet, the version before. */
  listed(updatedMin: string | undefined): Task[] {
    const visible = this.clock.now().getTime() - this.lateIndexMs;
    const seen = this.tasks.flatMap((task) => {
      if (this.lateIndexMs === 0 || Date.parse(task.updated) <= visible) return [task];
      const before = this.earlier.get(task.id)?.findLast(({ updated }) => Date.parse(updated) <= visible);
      return before ? [before] : [];
    });
    return updatedMin ? seen.filter(({ updated }) => Date.parse(updated) >= Date.parse(updatedMin)) : seen;
  }
}
