import type { Deed } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';
import type { SendGridState } from './sandbox.state.ts';

interface Account {
  state: SendGridState;
  tell(events: object[]): Promise<void>;
}

/** A few people who want no mail, and an address that is gone. */
export function fill(state: SendGridState): void {
  const [first, second] = samplePeople(2);
  state.suppress('unsubscribes', first!.email);
  state.suppress('bounces', second!.email, { reason: '550 5.1.1 The account does not exist', status: '5.1.1' });
}

/** What becomes of mails, and what people press in them. */
export const deedsOf = ({ state, tell }: Account): Deed[] => {
  const fields = () => ({ mail: state.mails.at(-1)?.id ?? '' });
  const sent = (id: string | undefined) => {
    const mail = state.mails.find((one) => one.id === id);
    if (!mail) throw new Error(`There is no mail "${id}"; the hub has sent none yet, or not this one.`);
    return mail;
  };
  const deed = (name: string, title: string, events: readonly [string, object?][]): Deed => ({
    ...{ name, title, fields },
    act: async ({ mail }) => {
      const known = sent(mail);
      await tell(events.map(([what, more]) => state.event(what, known, more)));
      return `${title}: ${known.subject}, to ${known.to}.`;
    },
  });
  return [
    deed('deliver', 'A mail arrives', [['processed'], ['delivered', { response: '250 OK' }]]),
    deed('open', 'Somebody opens a mail', [['open', { useragent: 'Mozilla/5.0', sg_machine_open: false }]]),
    deed('bounce', 'A mail comes back', [
      ['bounce', { type: 'bounce', status: '5.1.1', reason: '550 5.1.1 The account does not exist' }],
    ]),
    deed('report-spam', 'Somebody calls a mail spam', [['spamreport']]),
    {
      ...deed('unsubscribe', 'Somebody unsubscribes', []),
      act: async ({ mail }) => {
        const known = sent(mail);
        state.suppress('unsubscribes', known.to);
        await tell([state.event('unsubscribe', known)]);
        return `${known.to} is unsubscribed.`;
      },
    },
  ];
};
