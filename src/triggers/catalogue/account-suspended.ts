import { accountBecame } from '../account-events.ts';
import { WORDS } from '../accounts.ts';

export const accountSuspended = accountBecame({
  name: 'account.suspended',
  title: 'Account suspended',
  arms: 'Fires each time a customer’s account is suspended, by its own status or by a field such as "Account Status". Fires again only after it stood otherwise in between.',
  words: WORDS.suspended,
});
