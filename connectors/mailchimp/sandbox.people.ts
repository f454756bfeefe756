import type { Clock, Deed } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';
import type { Audience, Member } from './sandbox.audience.ts';
import type { MailchimpState } from './sandbox.state.ts';

const DAY_MS = 86_400_000;

interface Account {
  state: MailchimpState;
  tell(audience: Audience, type: string, member: Member, more?: Record<string, string>, source?: string): Promise<void>;
}

/** A small audience, and a campaign some of them opened. */
export function fill(state: MailchimpState, clock: Clock): void {
  const { audience } = state;
  audience.addField('PLAN', 'Service plan', 'dropdown', ['Gold', 'Silver', 'None']);
  audience.addField('LASTCONT', 'Last contacted', 'date');
  const members = samplePeople().map(({ first, last, email, phone }, at) =>
    audience.add(email, {
      FNAME: first,
      LNAME: last,
      PHONE: phone,
      PLAN: at % 3 === 0 ? 'Gold' : 'None',
      BIRTHDAY: '05/06',
    }),
  );
  audience.tag(members[0]!, 'Maintenance Due', true);
  audience.change(members[3]!, { status: 'unsubscribed', unsubscribe_reason: 'NORMAL: too often' });
  const sent = new Date(clock.now().getTime() - 2 * DAY_MS);
  const campaign = state.send('Spring check', members, sent);
  for (const [at, member] of members.entries()) {
    const when = new Date(sent.getTime() + (at + 1) * 600_000);
    if (at % 2 === 0) state.act(campaign, member, { action: 'open' }, when);
    if (at % 4 === 0) state.act(campaign, member, { action: 'click', url: 'https://business.example/spring' }, when);
  }
}

/** The member a form names. @throws Error when there is none */
function named({ audience }: MailchimpState, email = ''): Member {
  const found = audience.find(email);
  if (!found) throw new Error(`Nobody in the audience has the address ${email}.`);
  return found;
}

/** What people do at Mailchimp: members by its forms and mails, staff in the account. */
export const deedsOf = ({ state, tell }: Account): Deed[] => {
  const { audience } = state;
  const someone = () => ({ email: [...audience.members.values()][0]?.email_address ?? '' });
  return [
    {
      name: 'sign-up',
      title: 'Sign up by a form',
      fields: () => ({ email: 'nora@noble.example', FNAME: 'Nora', LNAME: 'Noble' }),
      act: async ({ email = '', ...fields }) => {
        const member = audience.add(email, fields);
        await tell(audience, 'subscribe', member);
        return `${email} is subscribed.`;
      },
    },
    {
      name: 'unsubscribe',
      title: 'Unsubscribe by the link in a mail',
      fields: someone,
      act: async ({ email }) => {
        const member = audience.change(named(state, email), { status: 'unsubscribed' });
        await tell(audience, 'unsubscribe', member, { 'data[action]': 'unsub', 'data[reason]': 'manual' });
        return `${email} is unsubscribed.`;
      },
    },
    {
      name: 'bounce',
      title: 'Clean an address that bounces',
      fields: someone,
      act: async ({ email }) => {
        const member = audience.change(named(state, email), { status: 'cleaned' });
        await tell(audience, 'cleaned', member, { 'data[reason]': 'hard' }, 'admin');
        return `${email} was cleaned.`;
      },
    },
    {
      name: 'change-field',
      title: 'Change a field',
      fields: () => ({ ...someone(), tag: 'LNAME', value: 'Newname' }),
      act: async ({ email, tag = '', value = '' }) => {
        const member = named(state, email);
        audience.change(member, { merge_fields: { ...member.merge_fields, [tag]: value } });
        await tell(audience, 'profile', member, {}, 'admin');
        return `${tag} of ${email} is now ${value}.`;
      },
    },
    {
      name: 'change-address',
      title: 'Change an address',
      fields: () => ({ ...someone(), to: 'new@address.example' }),
      act: async ({ email = '', to = '' }) => {
        const member = audience.readdress(named(state, email), to);
        const both = { 'data[old_email]': email, 'data[new_email]': to, 'data[new_id]': member.unique_email_id };
        await tell(audience, 'upemail', member, both);
        return `${email} is ${to} now.`;
      },
    },
    {
      name: 'archive',
      title: 'Archive a member',
      fields: someone,
      act: async ({ email }) => {
        const member = audience.change(named(state, email), { status: 'archived' });
        await tell(audience, 'unsubscribe', member, { 'data[action]': 'delete', 'data[reason]': 'manual' }, 'admin');
        return `${email} was archived.`;
      },
    },
    {
      name: 'click',
      title: 'Click a link in a campaign',
      fields: () => ({ ...someone(), url: 'https://business.example/offer' }),
      act: async ({ email, url = '' }) => {
        const member = named(state, email);
        const campaign = state.campaigns.at(-1) ?? state.send('Offer', [...audience.members.values()]);
        state.act(campaign, member, { action: 'click', url });
        return `${email} clicked ${url}.`;
      },
    },
  ];
};
