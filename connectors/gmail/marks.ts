/** Header with our id, which stays in the sent mail whatever becomes of its Message-ID. */
export const ID_HEADER = 'X-Rapport-Id';

/** The Message-ID of a request: the same for every try of it, and known again in what answers it. */
export const messageIdOf = (requestId: string, address: string): string =>
  `<rapport.${requestId}@${address.slice(address.lastIndexOf('@') + 1)}>`;

const OURS = /rapport\.([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})@/;

/** The request whose mail a text names: an answer's references, or what a bounce returns. */
export const requestNamedIn = (text: string | undefined): string | undefined => OURS.exec(text ?? '')?.[1];
