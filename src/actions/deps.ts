import type { AddressHash } from '../consent/optout.ts';
import type { SequencePorts } from '../sequences/ports.ts';
import type { SyncDeps } from '../sync/deps.ts';
import type { ContentDeps } from './content.schema.ts';
import type { Ears } from './ears.ts';

export interface ActionDeps extends SyncDeps {
  content: ContentDeps;
  hash: AddressHash;
  /** The sequences' side of an action's end. */
  ports: SequencePorts;
  /** Who else hears what came of messages; absent: nobody. */
  ears?: Ears;
}
