import type { Deed } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';

/** A post of the hub that the receiver took. */
export interface ReceivedPost {
  id: string;
  type: string;
  timestamp: string;
  data: unknown;
  /** Times it arrived. */
  times: number;
}

interface OtherSystem {
  received: ReadonlyMap<string, ReceivedPost>;
  send(type: string, data: unknown): Promise<{ status: number; body: string }>;
  tellResult(post: ReceivedPost, status: 'done' | 'failed'): Promise<{ status: number }>;
}

/** What the other system tells the hub. */
export const deedsOf = (sandbox: OtherSystem): Deed[] => [
  {
    name: 'send',
    title: 'Post an event',
    fields: () => {
      const { first, last, email, phone } = samplePeople(1)[0]!;
      const contact = { id: 'c-1', first_name: first, last_name: last, email, phone };
      return { type: 'contact.upserted', data: JSON.stringify(contact) };
    },
    act: async ({ type = '', data = '' }) => {
      const { status, body } = await sandbox.send(type, JSON.parse(data));
      return status === 0 ? `Nobody took it: ${body}` : `The hub answered ${status}.`;
    },
  },
  {
    name: 'tell-result',
    title: 'Tell what became of the last post of the hub',
    fields: () => ({ post: [...sandbox.received.keys()].at(-1) ?? '', status: 'done' }),
    act: async ({ post = '', status }) => {
      const known = sandbox.received.get(post);
      if (!known) throw new Error(`No post "${post}" of the hub was taken.`);
      const delivery = await sandbox.tellResult(known, status === 'failed' ? 'failed' : 'done');
      return `The hub answered ${delivery.status}.`;
    },
  },
];
