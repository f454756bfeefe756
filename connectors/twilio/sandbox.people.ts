import type { Deed } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';
import type { TwilioMessage, TwilioState } from './sandbox.state.ts';

interface Account {
  state: TwilioState;
  reply(from: string, text: string): Promise<{ status: number } | undefined>;
  deliver(sid: string): Promise<void>;
  fail(sid: string, code: number): Promise<void>;
}

/** A few messages people wrote. */
export function fill(state: TwilioState): void {
  for (const { phone, first } of samplePeople(5))
    state.receive(phone, state.number.phone_number, `Hello, this is ${first}. Are you open on Friday?`);
}

const lastSent = (state: TwilioState): string =>
  state.messages.find(({ direction }) => direction === 'outbound-api')?.sid ?? '';

function sent(state: TwilioState, sid: string | undefined): TwilioMessage {
  const message = state.find(sid ?? '');
  if (!message) throw new Error(`There is no message "${sid}"; the hub has sent none yet, or not this one.`);
  return message;
}

/** What customers and carriers do. */
export const deedsOf = (sandbox: Account): Deed[] => {
  const { state } = sandbox;
  return [
    {
      name: 'write',
      title: 'Somebody writes',
      fields: () => ({ from: samplePeople(1)[0]!.phone, text: 'STOP' }),
      act: async ({ from = '', text = '' }) => {
        const delivery = await sandbox.reply(from, text);
        return delivery
          ? `${from} wrote "${text}"; the hub answered ${delivery.status}.`
          : `${from} wrote "${text}"; no address for replies is set.`;
      },
    },
    {
      name: 'deliver',
      title: 'The carrier delivers a message',
      fields: () => ({ message: lastSent(state) }),
      act: async ({ message }) => {
        const { sid } = sent(state, message);
        await sandbox.deliver(sid);
        return `${sid} is ${sent(state, sid).status} now.`;
      },
    },
    {
      name: 'fail',
      title: 'The carrier does not deliver a message',
      fields: () => ({ message: lastSent(state), code: '30005' }),
      act: async ({ message, code }) => {
        const { sid } = sent(state, message);
        if (!/^\d{5}$/.test(code ?? '')) throw new Error(`"${code}" is no code of Twilio's.`);
        await sandbox.fail(sid, Number(code));
        return `${sid} is ${sent(state, sid).status} now.`;
      },
    },
  ];
};
