import type { Connector, Sandbox, Trial } from '../../src/kit/index.ts';
import type { TestHub } from '../support/hub.ts';

/** A business that connected the vendor of a case. */
export interface Connected {
  tenantId: string;
  api: TestHub['api'];
  connection: Record<string, any>;
}

/** A hub with one connected platform: where a case happens. Every case has a tenant, connection and vendor of its own. */
export interface World extends Connected {
  connector: Connector;
  vendor: Sandbox & { trial: Trial };
  trial: Trial;
  hub: TestHub;
  /** The vendor's own clock: that of the hub, this many milliseconds behind it. */
  vendorTime: { behindMs: number };
  /** Connects the same vendor account for another tenant. */
  connectAgain(): Promise<Connected>;
}

/** One thing every connector that can do it at all must do right. */
export interface Case {
  /** Column of the matrix, such as `hooks` or `deletes`. */
  capability: string;
  /** The promise in words; the test's name is `<connector>: <name>`. */
  name: string;
  /** True, or why this connector has no such thing: it stands in the matrix. */
  applies: (connector: Connector, trial: Trial) => true | string;
  /** The vendor refuses what exceeds its limits, as it does in earnest. */
  limits?: true;
  run: (world: World) => Promise<void>;
}

declare module 'vitest' {
  interface TaskMeta {
    /** What a test of the suite is about; its state is the test's own. */
    conformance?: { connector: string; capability: string; notApplicable?: string };
  }
}
