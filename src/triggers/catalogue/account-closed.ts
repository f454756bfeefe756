import { accountBecame } from '../account-events.ts';
import { WORDS } from '../accounts.ts';

export const accountClosed = accountBecame({
  name: 'account.closed',
  title: 'Account closed',
  arms: 'Fires each time a customer’s account is closed, cancelled or ended. Fires again only after it was open in between.',
  words: WORDS.closed,
});
