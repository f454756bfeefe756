import type { Deed } from '../../src/kit/index.ts';

/** What whoever runs the mail server does. */
export const deedsOf = (server: { changePassword(password: string): void; dropConnections(): void }): Deed[] => [
  {
    name: 'change-password',
    title: 'Change the password',
    fields: () => ({ password: 'another-password' }),
    act: async ({ password = '' }) => {
      server.changePassword(password);
      return `The password is now ${password}.`;
    },
  },
  {
    name: 'drop-connections',
    title: 'Close every open connection',
    act: async () => {
      server.dropConnections();
      return 'Every open connection was closed.';
    },
  },
];
