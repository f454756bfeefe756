import type { Truth } from '../truth.ts';

const truth: Truth = {
  exceptions: [
    {
      operation: 'GET /2010-04-01/Accounts/{AccountSid}/Messages.json',
      at: 'response.body.*uri',
      says: /format "uri"/,
      why: 'addresses of pages are paths below the host; the description calls them absolute',
      verified: "the vendor's sample messages-page.json",
    },
    {
      operation: 'GET /2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers.json',
      at: 'response.body.incoming_phone_numbers.*.sms_url',
      says: /format "uri"/,
      why: 'an address nobody entered is an empty text',
      verified:
        "the vendor's published example of an incoming phone number (sms_url, sms_fallback_url, status_callback)",
    },
  ],
};
export default truth;
