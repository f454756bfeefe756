import type { ActionKind } from '../kit/index.ts';
import type { Channel } from '../settings/schema.ts';
import { CHANNEL_WORDS, orList } from './describe.ts';
import type { Definition, Playbook } from './schema.ts';
import type { Step } from './steps.ts';

/** Something a playbook needs of the business. */
export interface Need {
  kind: 'capability' | 'value' | 'link' | 'chat' | 'staff' | 'sequence' | 'campaign';
  /** Key of what is meant, such as `send_sms` or `values.offer`. */
  name: string;
  /** What is needed and, where it is missing, what to do. */
  words: string;
  met: boolean;
  /** Names of the connections that can, or what was filled in. */
  by: string[];
}

/** What a business has of what playbooks need. */
export interface Has {
  /** Names of the connections that can do it. */
  can(kind: ActionKind): string[];
  /** The same for messages on a channel. */
  reaches(channel: Channel): string[];
  links: Record<string, string>;
  /** Keys of sequences that are switched on. */
  active: ReadonlySet<string>;
  /** Roles of staff. */
  roles: ReadonlySet<string>;
  chatChannel: string;
}

const DEEDS: Partial<Record<ActionKind, string>> = {
  create_task: 'tasks in the CRM',
  add_tag: 'tags in the CRM',
  remove_tag: 'tags in the CRM',
  update_field: 'fields in the CRM',
  create_ticket: 'tickets',
  create_calendar_event: 'dates in a calendar',
  send_invoice_reminder: 'invoices sent again by billing',
  send_chat: 'messages in the chat of the team',
};

function deedsOf(step: Step): ActionKind[] {
  if ('do' in step) return [step.do.kind];
  const told = 'notify' in step ? step.notify : 'escalate' in step ? step.escalate : undefined;
  if (!told) return [];
  return [
    ...(told.task ? (['create_task'] as const) : []),
    ...(told.chat ? (['send_chat'] as const) : []),
    ...('calendar' in told && told.calendar ? (['create_calendar_event'] as const) : []),
  ];
}

/** What comes with a sequence: texts and surveys; a sequence of one's own brings none along. */
type Brought = Pick<Playbook, 'templates' | 'surveys'>;

/** Everything a playbook needs, and whether the business has it. @param definition as it is edited, or as it ships */
export function needsOf(playbook: Brought, definition: Definition, has: Has): Need[] {
  return [
    ...messageNeeds(definition, has),
    ...deedNeeds(playbook, definition, has),
    ...textNeeds(playbook, definition, has),
    ...companyNeeds(definition, has),
  ];
}

/** One channel is enough for each message. */
function messageNeeds({ steps }: Definition, has: Has): Need[] {
  const ways = steps.flatMap((step) => {
    const reach = 'message' in step ? step.message : 'survey' in step ? step.survey : undefined;
    return reach ? [reach.channels] : [];
  });
  const needs = new Map<string, Need>();
  for (const channels of ways) {
    const names = [...channels].sort().map((channel) => CHANNEL_WORDS[channel]);
    const name = [...channels].sort().join('|');
    const by = [...new Set(channels.flatMap((channel) => has.reaches(channel)))];
    const what = `messages by ${orList(names)}`;
    needs.set(name, {
      ...{ kind: 'capability', name, by, met: by.length > 0 },
      words: by.length > 0 ? `Sends ${what}.` : `Sends ${what}: connect a platform that can.`,
    });
  }
  return [...needs.values()];
}

function deedNeeds({ surveys = [] }: Brought, { steps }: Definition, has: Has): Need[] {
  const answered = surveys.flatMap((survey) => survey.answered ?? []);
  const kinds = new Set<ActionKind>([
    ...steps.flatMap(deedsOf),
    ...(answered.some(({ task, bad }) => task || bad?.task) ? (['create_task'] as const) : []),
    ...(answered.some(({ notify, bad }) => [notify, bad?.notify].some((told) => told?.by.includes('chat')))
      ? (['send_chat'] as const)
      : []),
  ]);
  const needs = [...kinds].map((kind): Need => {
    const by = has.can(kind);
    const what = DEEDS[kind] ?? kind.replaceAll('_', ' ');
    return {
      ...{ kind: 'capability', name: kind, by, met: by.length > 0 },
      words: by.length > 0 ? `Makes ${what}.` : `Makes ${what}: without a platform that can, these are left out.`,
    };
  });
  if (steps.some((step) => 'do' in step && step.do.kind === 'send_chat'))
    needs.push({
      ...{ kind: 'chat', name: 'delivery.chatChannel', by: has.chatChannel ? [has.chatChannel] : [] },
      met: has.chatChannel !== '',
      words: "Writes into the team's chat: the setting delivery.chatChannel names the channel.",
    });
  return needs;
}

/** Values of the sequence and links of the settings that texts cannot do without. */
function textNeeds(playbook: Brought, definition: Definition, has: Has): Need[] {
  const texts = Object.values(playbook.templates)
    .flat()
    .map(({ subject = '', body }) => `${subject}\n${body}`)
    .join('\n');
  const values = Object.entries(definition.values ?? {}).map(
    ([name, value]): Need => ({
      ...{ kind: 'value', name: `values.${name}`, by: value ? [value] : [], met: value.trim() !== '' },
      words: `Texts use values.${name}: fill it in with the sequence. Until then they are held.`,
    }),
  );
  const links = Object.entries(has.links).flatMap(([name, url]): Need[] =>
    texts.includes(`{{ ${name}.link }}`)
      ? [
          {
            ...{ kind: 'link', name: `${name}.link`, by: url ? [url] : [], met: url !== '' },
            words: `Texts use ${name}.link: fill it in with the settings, under "Links in texts". Until then they are held.`,
          },
        ]
      : [],
  );
  return [...values, ...links];
}

/** Other sequences, staff and campaigns it works together with. */
function companyNeeds({ steps, triggers }: Definition, has: Has): Need[] {
  const handed = steps.flatMap((step) => ('hand_over' in step ? [step.hand_over.to] : []));
  const roles = steps.flatMap((step) => ('escalate' in step ? step.escalate.to.flatMap(({ role }) => role ?? []) : []));
  return [
    ...handed.map(
      (key): Need => ({
        ...{ kind: 'sequence', name: key, by: has.active.has(key) ? [key] : [], met: has.active.has(key) },
        words: `Hands over to ${key}: install that playbook too, and switch it on.`,
      }),
    ),
    ...roles.map(
      (role): Need => ({
        ...{ kind: 'staff', name: role, by: [], met: has.roles.has(role) },
        words: `Asks somebody with the role "${role}": give it to a member of staff.`,
      }),
    ),
    ...(triggers.some(({ name }) => name === 'promotion.activated')
      ? [
          {
            ...{ kind: 'campaign' as const, name: 'promotion.activated', by: [], met: true },
            words: 'Begins with a campaign: make one for a segment, look at its preview, and start it.',
          },
        ]
      : []),
  ];
}
