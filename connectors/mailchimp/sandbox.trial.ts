import { type Clock, listAt, type SignedPost, type Trial, type TrialEvent } from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import type { Member, Webhook } from './sandbox.audience.ts';
import { formOf } from './sandbox.posts.ts';
import type { MailchimpState } from './sandbox.state.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

interface Account {
  state: MailchimpState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  hookUrl?: string | undefined;
  sign(webhook: Webhook, form: Record<string, string>, at: Date): SignedPost;
}

/** Mailchimp's side of the cases every connector is tried with. */
export function trialOf(account: Account, clock: Clock): Trial {
  const { state, server, oauth } = account;
  const { audience } = state;
  const late = (): boolean => state.lateIndexMs > 0;
  /** Also those who are gone: a post can be about them. */
  const made = new Map<string, Member>();
  return {
    streams: {
      members: {
        create: (count, at) =>
          Array.from({ length: count }, () => {
            const n = made.size + 1;
            const member = audience.add(
              `member${n}@people.example`,
              { FNAME: 'Ann', LNAME: `Number ${n}` },
              'subscribed',
              at,
            );
            made.set(member.id, member);
            return member.id;
          }),
        change: (id, mark, at) => {
          const member = audience.members.get(id)!;
          audience.change(member, { merge_fields: { ...member.merge_fields, LNAME: mark } }, at, late());
        },
        remove: (id) => void audience.change(audience.members.get(id)!, { status: 'archived' }),
        addField: (name) => {
          const tag = name.slice(0, 10).toUpperCase();
          audience.addField(tag, name);
          return tag;
        },
        ids: () => [...audience.members.values()].filter(({ status }) => status !== 'archived').map(({ id }) => id),
        announced: true,
        listed: /^GET \/3\.0\/lists\/[^/]+\/members$/,
        field: 'merge_fields.LNAME',
        records: (body) => listAt(body, 'members'),
      },
    },
    hook: hooksOf(account, made),
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
    actions: actionsOf(state, clock),
    refusals: refusalsOf(),
    grants: grantsOf(oauth, false),
  };
}

/** Nothing tells events apart at Mailchimp but what happened to whom and when. */
function hooksOf(account: Account, made: ReadonlyMap<string, Member>): (event: TrialEvent, at: Date) => SignedPost {
  const fired = new Map<string, Date>();
  return ({ id, change, event }, at) => {
    const { audience } = account.state;
    // Before anybody connected there is no webhook; what a post looks like can be asked all the same.
    const entered = audience.webhooks.find(({ url }) => url.startsWith(account.hookUrl ?? ''));
    const webhook = entered ?? { id: '', url: '', events: {}, sources: {}, list_id: audience.id, secret: 'none' };
    const when = fired.get(event) ?? new Date(at.getTime() + fired.size * 1000);
    fired.set(event, when);
    const member = audience.members.get(id) ?? made.get(id)!;
    const gone: Record<string, string> =
      change === 'deleted' ? { 'data[action]': 'delete', 'data[reason]': 'manual' } : {};
    return account.sign(webhook, formOf(change === 'deleted' ? 'unsubscribe' : 'profile', member, when, gone), at);
  };
}
