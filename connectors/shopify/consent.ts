import type { RequestSpec } from '../../src/kit/index.ts';
import { ask } from './documents.ts';

export type Channel = 'email' | 'sms' | 'whatsapp';

/** Where a customer shows each consent. */
export const STATE_FIELDS: Record<Channel, string> = {
  email: 'defaultEmailAddress.marketingState',
  sms: 'defaultPhoneNumber.smsMarketingConsent.state',
  whatsapp: 'defaultPhoneNumber.whatsAppMarketingConsent.state',
};

/** The request that takes a consent back (dossier, Actions: three channels, three shapes). */
export function consentRequest(channel: Channel, customerId: string, now: Date): RequestSpec {
  const at = now.toISOString();
  const state = { marketingState: 'UNSUBSCRIBED', consentUpdatedAt: at };
  if (channel === 'email')
    return ask(
      'mutation OptOutEmail($input: CustomerEmailMarketingConsentUpdateInput!) { customerEmailMarketingConsentUpdate(input: $input) { userErrors { code field message } } }',
      { input: { customerId, emailMarketingConsent: state } },
      false,
    );
  if (channel === 'sms')
    return ask(
      'mutation OptOutSms($input: CustomerSmsMarketingConsentUpdateInput!) { customerSmsMarketingConsentUpdate(input: $input) { userErrors { code field message } } }',
      { input: { customerId, smsMarketingConsent: state } },
      false,
    );
  return ask(
    'mutation OptOutWhatsApp($input: CustomerInput!) { customerUpdate(input: $input) { userErrors { field message } } }',
    { input: { id: customerId, whatsAppMarketingConsent: { state: 'UNSUBSCRIBED', updatedAt: at } } },
    false,
  );
}
