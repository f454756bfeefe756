import type { FastifyReply } from 'fastify';
import type { Clock } from '../../src/kit/index.ts';

/** A refusal in the vendor's form. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;

  constructor(status: number, code: string, message: string, detail: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

export const invalid = (code: string, message: string, detail: string): Refusal =>
  new Refusal(400, code, message, detail);

/** The body of a refusal. */
export const fault = (clock: Clock, type: string, code: string, message: string, detail: string): object => ({
  Fault: { Error: [{ Message: message, Detail: detail, code, element: '' }], type },
  time: clock.now().toISOString(),
});

/** The gateway in front of the service writes its names in lower case. */
export const gatewayFault = {
  fault: {
    error: [
      {
        message: 'message=AuthenticationFailed; errorCode=003200; statusCode=401',
        detail: 'Token expired',
        code: '3200',
        element: null,
      },
    ],
    type: 'AUTHENTICATION',
  },
};

/** The vendor's answer to whoever does not ask for JSON. */
export const asXml = (reply: FastifyReply): FastifyReply =>
  reply
    .type('application/xml')
    .send('<?xml version="1.0" encoding="UTF-8"?><IntuitResponse xmlns="http://schema.intuit.com/finance/v3"/>');
