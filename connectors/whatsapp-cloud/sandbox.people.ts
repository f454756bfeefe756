import type { Deed } from '../../src/kit/index.ts';
import type { WhatsAppState } from './sandbox.state.ts';

interface Account {
  state: WhatsAppState;
  reply(from: string, text: string): Promise<unknown>;
  deliver(id: string): Promise<void>;
  read(id: string): Promise<void>;
  prefer(from: string, value: 'stop' | 'resume'): Promise<void>;
}

const NUMBER = '+16145550100';

/** What the people at the other end do. */
export const deedsOf = (account: Account): Deed[] => {
  const last = () => ({ message: account.state.sent.at(-1)?.id ?? '' });
  return [
    {
      name: 'write',
      title: 'Somebody writes',
      fields: () => ({ from: NUMBER, text: 'Tomorrow suits me.' }),
      act: async ({ from = NUMBER, text = '' }) => {
        await account.reply(from, text);
        return `${from} wrote "${text}".`;
      },
    },
    {
      name: 'deliver',
      title: 'A message arrives',
      fields: last,
      act: async ({ message = '' }) => {
        await account.deliver(message);
        return `Message ${message} is ${account.state.sent.find(({ id }) => id === message)?.status}.`;
      },
    },
    {
      name: 'read',
      title: 'A message is read',
      fields: last,
      act: async ({ message = '' }) => {
        await account.read(message);
        return `Message ${message} was read.`;
      },
    },
    {
      name: 'stop-marketing',
      title: 'Somebody stops marketing messages',
      fields: () => ({ from: NUMBER }),
      act: async ({ from = NUMBER }) => {
        await account.prefer(from, 'stop');
        return `${from} gets no marketing messages any more.`;
      },
    },
  ];
};
