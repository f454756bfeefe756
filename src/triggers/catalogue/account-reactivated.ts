import { accountBecame } from '../account-events.ts';
import { WORDS } from '../accounts.ts';

export const accountReactivated = accountBecame({
  name: 'account.reactivated',
  title: 'Account reactivated',
  arms: 'Fires each time an account that was suspended or closed is active again. Fires again only after it was suspended or closed once more.',
  words: WORDS.active,
  from: [...WORDS.suspended, ...WORDS.closed],
});
