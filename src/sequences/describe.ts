import type { Channel } from '../settings/schema.ts';
import type { Definition } from './schema.ts';
import type { Duration, Happening, Step } from './steps.ts';

export const CHANNEL_WORDS: Record<Channel, string> = {
  email: 'e-mail',
  sms: 'text message',
  whatsapp: 'WhatsApp',
  chat: 'chat',
  push: 'push message',
  in_app: 'message in the app',
  call: 'phone call',
};

/** `a, b or c`. */
export const orList = (items: readonly string[]): string =>
  items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} or ${items.at(-1)}`;

const DEED_WORDS: Record<Extract<Step, { do: unknown }>['do']['kind'], string> = {
  create_task: 'Task in the CRM',
  add_note: 'Note in the CRM',
  add_tag: 'Tag in the CRM',
  remove_tag: 'Takes a tag off in the CRM',
  update_field: 'Field in the CRM',
  create_ticket: 'Ticket',
  create_calendar_event: 'Date in the calendar',
  enrol_in_automation: 'Enrolment in an automation of the platform',
  send_invoice_reminder: 'The invoice itself, sent by billing',
  post_webhook: 'Event to another system',
  send_chat: "Message in the team's chat",
};

/** A stretch of time in words. */
function duration({ days = 0, hours = 0, minutes = 0 }: Duration): string {
  const parts = [
    [days, 'day'],
    [hours, 'hour'],
    [minutes, 'minute'],
  ] as const;
  return (
    parts.flatMap(([n, word]) => (n > 0 ? [`${n} ${word}${n === 1 ? '' : 's'}`] : [])).join(' ') || 'no time at all'
  );
}

const HAPPENING_WORDS: Record<Happening['what'], string> = {
  answer: 'the customer answers',
  booking: 'the customer books',
  payment: 'a payment arrives',
  survey: 'the survey is answered',
  task_done: 'the task is done',
  tag_added: 'a tag is set',
  tag_removed: 'a tag is taken off',
  condition: 'a condition comes to hold',
};

/** What a step does, in a sentence of few words. */
export function stepWords(step: Step): string {
  const titled = (what: string): string => (step.title ? `${what}: ${step.title}` : what);
  if ('message' in step) return titled(`By ${orList(step.message.channels.map((channel) => CHANNEL_WORDS[channel]))}`);
  if ('survey' in step)
    return titled(`Survey by ${orList(step.survey.channels.map((channel) => CHANNEL_WORDS[channel]))}`);
  if ('do' in step) return titled(DEED_WORDS[step.do.kind]);
  if ('notify' in step) return titled('Tells staff');
  if ('escalate' in step)
    return titled(
      `Hands over to people until somebody has it: ${step.escalate.to.map(({ who, role }) => role ?? who).join(', then ')}`,
    );
  if ('await_answer' in step) return `Waits ${duration({ days: step.await_answer.days })} for an answer`;
  if ('wait' in step) {
    if ('until' in step.wait) return `Waits until it is between ${step.wait.until.open} and ${step.wait.until.close}`;
    return 'until_date' in step.wait
      ? `Waits until ${step.wait.until_date.field}`
      : titled(`Waits ${duration(step.wait)}`);
  }
  if ('wait_for' in step)
    return `Waits until ${HAPPENING_WORDS[step.wait_for.event.what]}, at most ${duration(step.wait_for.timeout)}`;
  if ('branch' in step) return titled('Goes on in different ways');
  if ('split' in step) return titled(`Goes ${step.split.length} ways, by share`);
  if ('holdout' in step) return `Leaves out ${step.holdout.percent} % of the customers, to compare with`;
  if ('goal' in step) return titled(`As soon as ${HAPPENING_WORDS[step.goal.event.what]}`);
  if ('restart' in step) return 'Begins anew';
  if ('hand_over' in step) return `Hands over to ${step.hand_over.to}`;
  return `Ends${step.end.reason ? `: ${step.end.reason}` : ''}`;
}

/** The steps of a sequence in words, each with the day and time it is for. */
export const stepsInWords = (
  definition: Pick<Definition, 'steps'>,
): { id: string; day: number | null; at: string | null; does: string }[] =>
  definition.steps.map((step) => ({
    ...{ id: step.id, day: step.day ?? null, at: step.at ?? null },
    does: stepWords(step),
  }));
