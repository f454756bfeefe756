import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';

const names = { fields: { score: 'y' }, tags: {} };
const told = { names, score: 1, band: 'at_risk', vip: false, unhappy: false, revision: 2 };

/** Attacks on what platforms are told of scores. */
export const WRITEBACK = [
  ...attacksOn('actions/writeback.ts', { planWriteBack: (_victim, { deps }) => [deps, NOW] }),
  ...attacksOn('actions/writeback.sql.ts', {
    outdatedRecords: ({ ids }) => [[ids.stream], names, [ids.customer], 10],
    keepTold: ({ named }) => {
      const { stream_id, remote_id } = named('score_written');
      return [[{ ...told, stream_id, remote_id }], NOW];
    },
    supersede: ({ ids, named }) => {
      const { idempotency_key: key } = named('action_request');
      return [[{ customerId: ids.customer, key: String(key ?? '') }], NOW];
    },
  }),
];
