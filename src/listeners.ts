import { replayAction } from './actions/again.ts';
import { awayListener } from './actions/away.ts';
import { staffControl } from './actions/control.ts';
import type { ActionDeps } from './actions/deps.ts';
import { keywordListener, takeEvent, unfreezeListener } from './actions/events.ts';
import { optOutDeps } from './actions/optouts.ts';
import { mergeCampaigns, partCampaigns } from './campaigns/merging.ts';
import { consentImport } from './consent/imports.ts';
import { partConsents } from './consent/parting.ts';
import type { ChangeListener } from './model/types.ts';
import { replyListener } from './scoring/engagement.ts';
import { scoreListener } from './scoring/jobs.ts';
import { mergeScores, partScores } from './scoring/merging.ts';
import { mergeMembers, partMembers } from './segments/membership.ts';
import { mergeCompanies, partCompanies } from './sequences/companies.ts';
import { exitListener } from './sequences/exits.ts';
import { waitListener } from './sequences/listening.ts';
import { mergeRuns } from './sequences/merging.ts';
import { partRuns } from './sequences/parting.ts';
import type { SequencePorts } from './sequences/ports.ts';
import { staffFromOwners } from './sequences/staff.ts';
import type { SyncListeners } from './sync/deps.ts';
import type { StartRuns } from './triggers/detect.ts';

/** What ends enrolments, and what they wait for, by changes of scores too. */
export const sequenceListener =
  (ports: SequencePorts): ChangeListener =>
  async (tx, changes, now) => {
    await exitListener(ports)(tx, changes, now);
    await waitListener(ports)(tx, changes, now);
  };

/**
 * What the rooms above sync do in the transaction that stores a fact.
 * @param late read when it is used: the rooms need each other's functions at run time
 * @param start makes enrolments of occurrences
 */
export function listeners(late: () => ActionDeps, ports: SequencePorts, start: StartRuns): SyncListeners {
  return {
    changes: [
      staffFromOwners,
      (tx, changes, now) => consentImport(optOutDeps(late()))(tx, changes, now),
      keywordListener(late),
      sequenceListener(ports),
      unfreezeListener,
      awayListener,
      replyListener,
      scoreListener(late),
      staffControl(() => ({ ...late(), start })),
    ],
    onMerge: async (tx, { kind, survivor, absorbed }) => {
      if (kind === 'company') return mergeCompanies(tx, survivor, absorbed);
      await mergeScores(tx, survivor, absorbed);
      await mergeMembers(tx, survivor, absorbed);
      const moved = await mergeRuns(ports, tx, survivor, absorbed, late().clock.now());
      await mergeCampaigns(tx, survivor, absorbed);
      return moved;
    },
    onUnmerge: async (tx, parted) => {
      if (parted.kind === 'company') return partCompanies(tx, parted);
      const { hash, clock } = late();
      await partConsents(hash, tx, parted, clock.now());
      await partMembers(tx, parted.from, parted.revived, clock.now());
      await partRuns(tx, parted, clock.now());
      await partScores(tx, parted.from, parted.revived);
      await partCampaigns(tx, parted.from, parted.revived);
    },
    event: (tx, connection, event, now) => takeEvent(late(), tx, connection, event, now),
    replay: (tx, { kind, reference }, now) =>
      kind === 'action' ? replayAction(late(), tx, reference, now) : Promise.resolve(false),
  };
}
