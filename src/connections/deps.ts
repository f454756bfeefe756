import type { Clock } from '../base/clock.ts';
import type { Config } from '../base/config.ts';
import type { Database } from '../base/database.ts';
import type { Keyring } from '../base/keyring.ts';
import type { Logger } from '../base/log.ts';
import type { Purpose, Transport } from '../kit/index.ts';
import type { Budgets } from './budgets.ts';
import type { Registry } from './vendors.ts';

/** What it takes to work with vendors. */
export interface ConnectionDeps {
  db: Database;
  clock: Clock;
  config: Config;
  keyring: Keyring;
  log: Logger;
  registry: Registry;
  budgets: Budgets;
  http: Transport;
  /** Names this process in leases. */
  processId: string;
  /** Counts a call for the metrics. */
  onCall?: (call: { connector: string; purpose: Purpose; outcome: string; milliseconds: number }) => void;
}
