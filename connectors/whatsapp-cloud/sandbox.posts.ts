import { hmacSha256, type SignedPost } from '../../src/kit/index.ts';
import type { Inbound, Refusal, Sent, WhatsAppState } from './sandbox.state.ts';

const seconds = (at: Date): string => String(Math.floor(at.getTime() / 1000));

const around = (state: WhatsAppState) => ({
  messaging_product: 'whatsapp',
  metadata: { display_phone_number: state.displayNumber, phone_number_id: state.phoneNumberId },
});

/** A message somebody wrote, as it is told. */
export const messageValue = (state: WhatsAppState, { id, from, text, at }: Inbound, more: object = {}) => ({
  ...around(state),
  contacts: [{ profile: { name: `Person ${from.slice(-4)}` }, wa_id: from }],
  messages: [{ from, id, timestamp: seconds(at), type: 'text', text: { body: text }, ...more }],
});

/** A state of a message that was sent. */
export const statusValue = (state: WhatsAppState, { id, to, callback }: Sent, status: string, error?: Refusal) => ({
  ...around(state),
  statuses: [
    {
      ...{ id, status, timestamp: seconds(state.clock.now()), recipient_id: to },
      ...(callback ? { biz_opaque_callback_data: callback } : {}),
      ...(error
        ? {
            errors: [
              {
                code: error.code,
                title: error.message,
                message: error.message,
                error_data: { details: error.message },
              },
            ],
          }
        : {}),
    },
  ],
});

/** Somebody used WhatsApp's own switch for marketing messages. */
export const preferenceValue = (state: WhatsAppState, from: string, value: 'stop' | 'resume') => ({
  ...around(state),
  user_preferences: [
    {
      ...{ wa_id: from, category: 'marketing_messages', value, timestamp: seconds(state.clock.now()) },
      detail: `User requested to ${value} marketing messages`,
    },
  ],
});

/** A post as Meta signs it: over the bytes, without a time. */
export function signed(
  state: WhatsAppState,
  url: string,
  secret: string,
  values: readonly object[],
  field = 'messages',
): SignedPost {
  const changes = values.map((value) => ({ field, value }));
  const body = JSON.stringify({ object: 'whatsapp_business_account', entry: [{ id: state.accountId, changes }] });
  const signature = hmacSha256(secret, body).toString('hex');
  return { url, body, headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` } };
}
