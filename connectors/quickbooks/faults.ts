import { at, type Reply, textAt } from '../../src/kit/index.ts';

// The service, its gateway and its XML write the same thing three ways; an answer to a query or a list of changes can
// hold a fault in place of its records, with status 200.
const INSIDE = ['', 'QueryResponse.', 'CDCResponse[0].', 'CDCResponse[0].QueryResponse[0].'];
const FAULTS = INSIDE.flatMap((inside) => [`${inside}Fault`, `${inside}fault`]);
const PLACES = FAULTS.flatMap((place) => [`${place}.Error[0]`, `${place}.error[0]`]);
const NAMES = { code: ['code', 'Code'], message: ['Message', 'message'], detail: ['Detail', 'detail'] } as const;

function said(body: unknown, what: keyof typeof NAMES): string | undefined {
  const error = PLACES.map((place) => at(body, place)).find((found) => found !== undefined);
  return NAMES[what].map((name) => textAt(error, name)).find((text) => text !== undefined && text !== '');
}

const inXml = (body: unknown, pattern: RegExp): string | undefined =>
  typeof body === 'string' ? (pattern.exec(body)?.[1] ?? undefined) : undefined;

/** The vendor's error code without its leading zeros (003200 and 3200 are one), also of an answer with status 200. */
export function faultCode(reply: Reply): string | undefined {
  const code =
    said(reply.body, 'code') ??
    inXml(reply.body, /<Error[^>]*\scode="(\d+)"/i) ??
    /errorCode=(\d+)/.exec(said(reply.body, 'message') ?? '')?.[1];
  if (code !== undefined) return code.replace(/^0+(?=\d)/, '');
  return faultType(reply) === undefined ? undefined : 'unnamed';
}

/** `ValidationFault`, `SystemFault`, `AUTHENTICATION` and the like; undefined when the answer is no fault. */
export const faultType = ({ body }: Reply): string | undefined =>
  FAULTS.map((place) => textAt(body, `${place}.type`)).find((type) => type !== undefined) ??
  inXml(body, /<Fault[^>]*\stype="([^"]*)"/i);

/** The vendor's sentences for people, with the number under which its support finds the call. */
export function faultMessage(reply: Reply): string | undefined {
  const { body } = reply;
  const message = said(body, 'message') ?? inXml(body, /<Message>([^<]*)</i);
  const detail = said(body, 'detail') ?? inXml(body, /<Detail>([^<]*)</i);
  const both = [...new Set([message, detail])].filter((text) => text !== undefined).join(': ');
  if (both === '') return undefined;
  const trace = reply.headers.intuit_tid;
  return `QuickBooks says: ${both}${trace ? ` (intuit_tid ${trace})` : ''}`;
}
