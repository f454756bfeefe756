import { createHmac } from 'node:crypto';
import type { TwilioMessage, TwilioState } from './sandbox.state.ts';

/** The vendor's signature of a form post. */
export function signatureOf(token: string, url: string, parameters: Record<string, string>): string {
  const data = Object.keys(parameters)
    .sort()
    .reduce((text, name) => `${text}${name}${parameters[name]}`, url);
  return createHmac('sha1', token).update(data).digest('base64');
}

/** What the vendor posts about a message from a person. */
export const inboundParameters = (state: TwilioState, message: TwilioMessage): Record<string, string> => ({
  ToCountry: 'US',
  SmsMessageSid: message.sid,
  NumMedia: message.num_media,
  FromZip: '',
  SmsSid: message.sid,
  FromState: '',
  SmsStatus: 'received',
  FromCity: '',
  Body: message.body,
  FromCountry: 'US',
  To: message.to,
  MessagingServiceSid: state.service.sid,
  NumSegments: message.num_segments,
  MessageSid: message.sid,
  AccountSid: state.accountSid,
  From: message.from ?? '',
  ApiVersion: '2010-04-01',
  ...(message.from?.startsWith('whatsapp:')
    ? { ProfileName: 'Ann', WaId: message.from.replace('whatsapp:+', '') }
    : {}),
});

/** What the vendor posts about a state of a message the account sent. */
export const statusParameters = (message: TwilioMessage, status: string, code?: number): Record<string, string> => ({
  SmsSid: message.sid,
  SmsStatus: status,
  MessageStatus: status,
  To: message.to,
  From: message.from ?? '',
  MessageSid: message.sid,
  AccountSid: message.account_sid,
  ApiVersion: '2010-04-01',
  ...(message.messaging_service_sid ? { MessagingServiceSid: message.messaging_service_sid } : {}),
  ...(code === undefined ? {} : { ErrorCode: String(code) }),
  ...(status === 'read' ? { EventType: 'READ', ChannelPrefix: 'whatsapp' } : {}),
});
