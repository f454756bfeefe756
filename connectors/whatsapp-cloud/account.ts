import { type Account, listAt, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** Version of the Graph API, and the day Meta ends it (dossier, Base). */
export const VERSION = 'v25.0';
export const SUNSET = '2028-07-29';

export const settingOf = (ctx: Pick<VendorContext, 'settings'>, name: string): string | undefined => {
  const value = ctx.settings[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** A path below the number that sends. */
export const ofNumber = (ctx: Pick<VendorContext, 'settings'>, rest = ''): string =>
  `/${VERSION}/${settingOf(ctx, 'phoneNumberId') ?? ''}${rest}`;

/** A path below the WhatsApp account the number belongs to. */
const ofAccount = (ctx: VendorContext, rest = ''): string =>
  `/${VERSION}/${settingOf(ctx, 'businessAccountId') ?? ''}${rest}`;

/** Numbers of an account shown at once, and pages looked at: an account has a handful. */
const PAGE = 100;
const PAGES = 10;

/**
 * Tells who is connected: the number, which posts are routed by, in the name of its business.
 * @throws VendorError `invalid` when the number is none of the account
 */
export async function whoAmI(ctx: VendorContext): Promise<Account> {
  const wanted = settingOf(ctx, 'phoneNumberId');
  for (let after: string | undefined, page = 0; page < PAGES; page++) {
    const query = { limit: PAGE, after };
    const { body }: { body: unknown } = await ctx.call({
      method: 'GET',
      path: ofAccount(ctx, '/phone_numbers'),
      query,
    });
    const number = listAt(body, 'data').find((one) => textAt(one, 'id') === wanted);
    if (number !== undefined) {
      const [name, shown] = [textAt(number, 'verified_name'), textAt(number, 'display_phone_number')];
      return { id: wanted!, name: `${name ?? 'WhatsApp'} (${shown ?? wanted})` };
    }
    after = textAt(body, 'paging.next') === undefined ? undefined : textAt(body, 'paging.cursors.after');
    if (after === undefined) break;
  }
  throw new VendorError(
    'invalid',
    'This WhatsApp account has no phone number of this id. The id of a number is not the number itself.',
  );
}

/** Has Meta post replies and delivery to us. Meta asks our address at once whether it is ours. */
export async function subscribe(ctx: VendorContext): Promise<void> {
  if (!ctx.webhookUrl || settingOf(ctx, 'inboundWebhook') === 'by_hand') return;
  await ctx.call({
    method: 'POST',
    path: ofAccount(ctx, '/subscribed_apps'),
    json: { override_callback_uri: ctx.webhookUrl, verify_token: await ctx.webhookSecret() },
  });
}
