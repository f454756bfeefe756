import { Type } from 'typebox';
import type { Row } from '../../base/database.ts';
import type { Change } from '../../model/types.ts';
import { defineEvent } from '../events.ts';
import { candidateOf, hitsOf, momentOf } from '../found.ts';
import { fieldOf, isOneOf, tagsOf, Words } from '../match.ts';
import { afterQuiet } from '../quiet.ts';
import { scoreTurns } from '../scores.ts';

/** A ticket that says so by its category or tags, or by a word of its subject. */
function isComplaint(row: Row, words: readonly string[]): boolean {
  if (isOneOf(row.category, words) || tagsOf(fieldOf(row, 'custom.tags')).some((tag) => isOneOf(tag, words)))
    return true;
  const subject = String(row.subject ?? '').split(/[^\p{L}\p{N}]+/u);
  return subject.some((word) => isOneOf(word, words));
}

/** It is one and, as far as the change tells, was none before. */
const becameComplaint = (change: Change, row: Row, words: readonly string[]): boolean =>
  isComplaint(row, words) && (change.op === 'created' || !isComplaint({ ...row, ...change.before }, words));

export const customerUnhappy = defineEvent({
  name: 'customer.unhappy',
  title: 'Customer unhappy',
  arms: 'Fires when a customer is marked unhappy (a bad answer to a survey, as the score sees it) or a ticket is a complaint by its category, tags or subject. Fires again for the same customer after the quiet period.',
  key: 'customer + change',
  kinds: ['score', 'ticket'],
  settings: Type.Object(
    { complaints: Words, quietDays: Type.Integer({ minimum: 0, maximum: 365 }) },
    {
      additionalProperties: false,
      description:
        'complaints: words that make a ticket one (empty: only the score counts). quietDays: local days without firing again for the same customer.',
    },
  ),
  defaults: {
    complaints: [
      'complaint',
      'complaints',
      'beschwerde',
      'reklamation',
      'plainte',
      'réclamation',
      'queja',
      'reclamación',
    ],
    quietDays: 7,
  },
  fromChanges: async (tx, changes, settings, env) => {
    const marked = await scoreTurns(tx, changes, env, 'unhappy', (before, after) => after === true && before !== true);
    const hits = await hitsOf(
      tx,
      changes,
      'ticket',
      ({ fields, op }) => op === 'created' || fields.some((field) => ['category', 'subject', 'custom'].includes(field)),
    );
    const complaints = hits
      .filter(({ change, row }) => row.customer_id !== null && becameComplaint(change, row, settings.complaints))
      .map((hit) =>
        candidateOf('ticket', hit, momentOf(hit, env), {
          key: `${hit.row.customer_id}:${hit.change.entity_id}`,
          data: { category: hit.row.category, subject: hit.row.subject },
        }),
      );
    return afterQuiet(tx, [...marked, ...complaints], settings.quietDays, env);
  },
});
