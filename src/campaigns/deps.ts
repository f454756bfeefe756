import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import type { AddressHash } from '../consent/optout.ts';
import type { SequencePorts } from '../sequences/ports.ts';
import type { StartRuns } from '../triggers/detect.ts';

export interface CampaignDeps {
  db: Database;
  clock: Clock;
  hash: AddressHash;
  ports: SequencePorts;
  /** How occurrences become enrolments. */
  start: StartRuns;
}
