import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Ledger } from './ledger.ts';
import type { Moment, Order } from './vendors.ts';

const SCRIPT = fileURLToPath(new URL('./vendors.ts', import.meta.url));

export interface Opened {
  /** Registrations and hosts for the hub. */
  env: Record<string, string>;
  /** The address under which vendors and people reach the hub. */
  hub: string;
  twilio: { credentials: Record<string, string>; state: { service: { sid: string } } };
  smtp: { credentials: Record<string, unknown> };
  slackUsers: string[];
}

/** The process of the vendors. */
export interface VendorsProcess {
  start(order: Omit<Extract<Order, { do: 'start' }>, 'do'>): Promise<Opened>;
  act(times: number): Promise<void>;
  trouble(faults: number, hooks: number): Promise<void>;
  expireTokens(): Promise<void>;
  /** What the vendors are at just now. */
  busy(): Promise<string | null>;
  ledger(): Promise<Ledger>;
  /** Kills the processes when the moment comes. Answers false when it did not come in time; then nobody was killed. */
  aim(moment: Moment, pids: number[], delayMs: number, patienceMs: number): Promise<boolean>;
  end(): void;
}

/** Starts it. It ends with this process, and never by a kill. */
export function forkVendors(): VendorsProcess {
  const child = fork(SCRIPT, {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let last = 0;
  let onFired: (() => void) | undefined;
  child.on('message', (message: { id?: number; result?: never; error?: string; fired?: Moment }) => {
    if (message.fired) {
      onFired?.();
      return;
    }
    const asked = waiting.get(message.id!);
    waiting.delete(message.id!);
    if (message.error === undefined) asked?.resolve(message.result as never);
    else asked?.reject(new Error(`At the vendors: ${message.error}`));
  });
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`The process of the vendors ended (${code}).`));
  });
  const tell = <Result>(order: Order): Promise<Result> =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve, reject });
      child.send({ id, order });
    });
  return {
    start: (order) => tell({ do: 'start', ...order }),
    act: (times) => tell({ do: 'act', times }),
    trouble: (faults, hooks) => tell({ do: 'trouble', faults, hooks }),
    expireTokens: () => tell({ do: 'expireTokens' }),
    busy: () => tell({ do: 'busy' }),
    ledger: () => tell({ do: 'ledger' }),
    async aim(moment, pids, delayMs, patienceMs) {
      let timer: NodeJS.Timeout | undefined;
      const fired = new Promise<boolean>((resolve) => {
        onFired = () => resolve(true);
        timer = setTimeout(() => resolve(false), patienceMs);
      });
      await tell({ do: 'aim', moment, pids, delayMs });
      const came = await fired;
      clearTimeout(timer);
      onFired = undefined;
      // Nobody is to be killed later, when the process has another task.
      if (!came) await tell({ do: 'aim', moment, pids: [], delayMs: 0 });
      return came;
    },
    end: () => {
      if (child.connected) child.disconnect();
    },
  };
}
