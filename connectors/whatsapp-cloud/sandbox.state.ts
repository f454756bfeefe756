import { randomBytes } from 'node:crypto';
import type { Clock } from '../../src/kit/index.ts';

export interface Template {
  id: string;
  name: string;
  language: string;
  status: 'APPROVED' | 'PENDING' | 'REJECTED' | 'PAUSED' | 'DISABLED';
  category: 'MARKETING' | 'UTILITY';
  components: { type: string; text?: string }[];
}

export interface Sent {
  id: string;
  to: string;
  type: string;
  text: string;
  template: Template | undefined;
  /** What came with it and goes back with its states. */
  callback: string;
  status: string;
  at: number;
}

export interface Inbound {
  id: string;
  from: string;
  text: string;
  at: Date;
}

export interface Refusal {
  code: number;
  message: string;
  status?: number;
}

const DAY_MS = 86_400_000;
const PLACE = /\{\{\s*(\w+)\s*\}\}/g;

export const digits = (number: string): string => number.replace(/\D/g, '');

/** What a WhatsApp account keeps: templates, and what went out and came in. */
export class WhatsAppState {
  readonly phoneNumberId = '106540352242922';
  readonly accountId = '419561257915477';
  readonly displayNumber = '15550783881';
  readonly sent: Sent[] = [];
  readonly inbound = new Map<string, Inbound>();
  readonly templates: Template[] = [];
  /** Numbers that have no WhatsApp. */
  readonly absent = new Set<string>();
  /** Numbers that stopped marketing messages. */
  readonly stopped = new Set<string>();
  readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
    this.addTemplate('visit_reminder', 'Your visit {{1}} is tomorrow.');
    this.addTemplate('spring_offer', 'Hi {{first_name}}, the offer ends on {{day}}.', { category: 'MARKETING' });
    this.addTemplate('old_reminder', 'Your visit is soon.', { status: 'PAUSED' });
  }

  addTemplate(name: string, text: string, more: Partial<Template> = {}): Template {
    const components = [{ type: 'BODY', text }];
    const made: Template = {
      id: String(920_070_352_646_140 + this.templates.length),
      name,
      language: 'en_US',
      status: 'APPROVED',
      category: 'UTILITY',
      components,
      ...more,
    };
    this.templates.push(made);
    return made;
  }

  newId = (): string => `wamid.${randomBytes(24).toString('base64')}`;

  receive(from: string, text: string): Inbound {
    const message = { id: this.newId(), from: digits(from), text, at: this.clock.now() };
    this.inbound.set(message.id, message);
    return message;
  }

  /** Whether free text is carried: the person wrote within 24 hours. */
  isWindowOpen(to: string): boolean {
    const since = this.clock.now().getTime() - DAY_MS;
    return [...this.inbound.values()].some(({ from, at }) => from === to && at.getTime() > since);
  }

  /** Why a message is refused at once; undefined when it is taken. */
  refusalOf(asked: Record<string, unknown>): Refusal | undefined {
    const to = digits(String(asked.to ?? ''));
    if (asked.messaging_product !== 'whatsapp' || to === '') return { code: 100, message: 'Invalid parameter' };
    if (asked.type === 'text')
      return (asked.text as { body?: string })?.body
        ? undefined
        : { code: 131008, message: 'Required parameter is missing' };
    const wanted = asked.template as {
      name: string;
      language: { code: string };
      components?: { type: string; parameters: { parameter_name?: string; text: string }[] }[];
    };
    const found = this.templates.find(
      ({ name, language }) => name === wanted?.name && language === wanted.language.code,
    );
    if (!found) return { code: 132001, message: 'Template name does not exist in the translation', status: 404 };
    if (found.status === 'PAUSED') return { code: 132015, message: 'Template is Paused' };
    if (found.status === 'DISABLED') return { code: 132016, message: 'Template is Disabled' };
    if (found.status !== 'APPROVED') return { code: 132001, message: 'Template is not approved', status: 404 };
    if (found.category === 'MARKETING' && this.stopped.has(to))
      return { code: 131050, message: 'User has stopped marketing messages' };
    const given = wanted.components?.find(({ type }) => type === 'body')?.parameters ?? [];
    const places = [...(found.components[0]?.text ?? '').matchAll(PLACE)].map(([, name]) => name!);
    const named = places.some((name) => !/^\d+$/.test(name));
    const fits =
      places.length === given.length &&
      (!named || places.every((name) => given.some((one) => one.parameter_name === name)));
    if (!fits) return { code: 132000, message: 'Number of parameters does not match the expected number of params' };
    return given.some(({ text }) => /[\n\t]| {5,}/.test(text))
      ? { code: 132012, message: 'Parameter format does not match' }
      : undefined;
  }

  // biome-ignore lint/suspicious/noExplicitAny: a stranger's body
  send(asked: Record<string, any>): Sent {
    const template = this.templates.find(
      ({ name, language }) => name === asked.template?.name && language === asked.template.language.code,
    );
    const message: Sent = {
      id: this.newId(),
      to: digits(asked.to),
      type: asked.type,
      text: asked.text?.body ?? template?.components[0]?.text ?? '',
      template,
      callback: asked.biz_opaque_callback_data ?? '',
      status: 'accepted',
      at: this.clock.now().getTime(),
    };
    this.sent.push(message);
    return message;
  }

  /** What becomes of a message on its way: a refusal, or undefined when it arrives. */
  fateOf({ to, type }: Sent): Refusal | undefined {
    if (this.absent.has(to)) return { code: 131026, message: 'Message undeliverable' };
    if (type === 'text' && !this.isWindowOpen(to)) return { code: 131047, message: 'Re-engagement message' };
    return undefined;
  }

  report(): Record<string, number> {
    const count = (...states: string[]): number => this.sent.filter(({ status }) => states.includes(status)).length;
    return {
      messages_in: this.inbound.size,
      messages_out: this.sent.length,
      delivered: count('delivered', 'read'),
      failed: count('failed'),
      templates: this.templates.length,
      stopped_marketing: this.stopped.size,
    };
  }
}
