import type { Fault } from '../../src/kit/sandbox/index.ts';
import type { Customer, Row, Story } from './story.ts';

/** An action that was planned, and how it is seen at its vendor. */
export interface Planned {
  id: string;
  /** Native objects of the action, or acts of the vendor where there is no object. */
  native(): unknown[];
  /** The vendor acts without our knowing. */
  act(): void;
}

/** A kind of action, the call that does it, and what goes wrong with that. */
export interface Act {
  match: RegExp;
  add(fault: Fault): void;
  plan(): Promise<Planned>;
}

let texts = 0;
export const uniqueText = (): string => `Text ${++texts} of the test`;

const RITA = 'rita@business.example';

/** Kinds of action of several vendors, each recognised in its own way when its fate is not known. */
export const ACTS: Record<string, (story: Story, ann: Customer) => Act> = {
  'a task in HubSpot': (story, ann) => {
    const { state, server } = story.vendors.hubspot;
    return {
      match: /^POST .*\/objects\/.*\/tasks$/,
      add: (fault) => void server.faults.add(fault),
      async plan() {
        const { id } = await story.plan('create_task', { title: uniqueText(), due_in_days: 1 }, { customerId: ann.id });
        return {
          id,
          native: () => state.all('tasks').filter(({ properties }) => properties.rapport_action_id === id),
          act: () => void state.create('tasks', { hs_task_subject: 'x', rapport_action_id: id }),
        };
      },
    };
  },
  'a text message by Twilio': (story, ann) => {
    const { state, server } = story.vendors.twilio;
    return {
      match: /^POST .*\/Messages\.json$/,
      add: (fault) => void server.faults.add(fault),
      async plan() {
        const text = uniqueText();
        const { id } = await story.plan('send_sms', { text }, { customerId: ann.id, class: 'transactional' });
        return {
          id,
          native: () => state.messages.filter(({ body }) => body === text),
          act: () => void state.send({ To: ann.phone, Body: text, MessagingServiceSid: state.service.sid }),
        };
      },
    };
  },
  'a chat message in Slack': (story) => {
    const { state, server } = story.vendors.slack;
    const rita = [...state.users.values()].find(({ profile }) => profile.email === RITA)!.id;
    return {
      match: /^POST \/api\/chat\.postMessage$/,
      add: (fault) => void server.faults.add(fault),
      async plan() {
        const { id } = await story.plan('send_chat', { target: rita, title: 'Look', text: uniqueText() });
        const metadata = { event_type: 'rapport_action', event_payload: { id } };
        return {
          id,
          native: () => state.messages.filter((message) => message.metadata?.event_payload.id === id),
          act: () => void state.post(state.openIm(rita).id, { text: 'x', blocks: [], metadata }),
        };
      },
    };
  },
  'an invoice reminder by QuickBooks': (story, ann) => {
    const { state, server } = story.vendors.quickbooks;
    return {
      match: /^POST .*\/invoice\/\d+\/send$/,
      add: (fault) => void server.faults.add(fault),
      async plan() {
        const before = state.mails.length;
        const { id } = await story.plan('send_invoice_reminder', { invoice: ann.invoices[0] }, { customerId: ann.id });
        // It knows its own requestids: only a call can make it act.
        return { id, native: () => state.mails.slice(before), act: () => {} };
      },
    };
  },
};

/** Every platform is well again. */
export function heal(story: Story): void {
  const { hubspot, quickbooks, twilio, slack, smtp } = story.vendors;
  for (const { faults } of [hubspot.server, quickbooks.server, twilio.server, slack.server, smtp]) faults.clear();
}

/** Decides about an action as a person does. */
export async function decide(story: Story, id: string, as: 'sent' | 'again' | 'skipped'): Promise<Row> {
  const version = await story.version(`/v1/actions/${id}`);
  return story.must('POST', `/v1/actions/${id}/settle`, { as, reason: 'looked at the platform' }, version);
}
