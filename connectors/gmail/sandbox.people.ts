import type { Deed } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';
import { headerIn } from './sandbox.mail.ts';
import type { Mailbox } from './sandbox.state.ts';

/** Mail of sample people that has nothing to do with us. */
export function fill(mailbox: Mailbox): void {
  for (const { first, email } of samplePeople(4)) mailbox.receive(email, `Hello from ${first}`, 'A private mail.');
}

/** What people can do there. */
export function deedsOf({ mailbox, announce }: { mailbox: Mailbox; announce(): Promise<unknown> }): Deed[] {
  const last = () => mailbox.messages.findLast(({ labelIds }) => labelIds.includes('SENT'));
  const header = (name: string): string => headerIn(last()?.payload.headers ?? [], name) ?? '';
  const offer = () => ({ mail: last()?.id ?? '' });
  return [
    {
      name: 'answer',
      title: 'Somebody answers the last mail',
      fields: () => ({ from: header('To'), text: 'Thank you, that is fine.' }),
      act: async ({ from = '', text = '' }) => {
        mailbox.receive(from, `Re: ${header('Subject')}`, text, header('Message-ID'));
        await announce();
        return `${from} answered.`;
      },
    },
    {
      name: 'bounce',
      title: 'A mail comes back',
      fields: () => ({ ...offer(), status: '5.1.1' }),
      act: async ({ mail = '', status = '' }) => {
        mailbox.bounce(mail, status, 'The email account that you tried to reach does not exist.');
        await announce();
        return `${mail} came back with ${status}.`;
      },
    },
    {
      name: 'forget-history',
      title: 'Forget the history',
      act: async () => {
        mailbox.forgetHistory();
        return 'The next reading is told that its place is too old.';
      },
    },
  ];
}
