import type { Tx } from '../base/database.ts';
import type { Queue } from '../base/queue.ts';
import type { ConnectionDeps } from '../connections/deps.ts';
import type { ConnectionRow } from '../connections/store.ts';
import type { HookEvent } from '../kit/index.ts';
import type { ApplyContext, ChangeListener } from '../model/types.ts';

/** What other rooms want to hear inside the transaction that stores a fact or an event. */
export interface SyncListeners {
  /** React to changes in their own transaction. */
  changes: ChangeListener[];
  onMerge: NonNullable<ApplyContext['onMerge']>;
  onUnmerge: NonNullable<ApplyContext['onUnmerge']>;
  /** Takes up again what another room parked. @returns whether it could */
  replay?: (tx: Tx, item: { kind: string; reference: string }, now: Date) => Promise<boolean>;
  /** Events of a vendor that are no records: receipts, opt-outs, acknowledgements. */
  event: (tx: Tx, connection: ConnectionRow, event: HookEvent, now: Date) => Promise<void>;
}

export interface SyncDeps extends ConnectionDeps {
  queue: Queue;
  listeners: SyncListeners;
}
