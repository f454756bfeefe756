import { type Static, type TObject, Type } from 'typebox';
import type { VendorContext } from './context.ts';
import type { Reply, RequestSpec } from './request.ts';

/** Everything that can be done natively. The list is closed; what a platform can do of it is its connector's to say. */
export const ACTION_KINDS = [
  'create_task',
  'add_note',
  'add_tag',
  'remove_tag',
  'update_field',
  'create_calendar_event',
  'create_ticket',
  'enrol_in_automation',
  'send_invoice_reminder',
  'create_booking_link',
  'send_email',
  'send_sms',
  'send_whatsapp',
  'send_chat',
  'send_push',
  'send_in_app',
  'place_call',
  'post_webhook',
  'record_opt_out',
] as const;
export type ActionKind = (typeof ACTION_KINDS)[number];

const text = (description: string, maxLength: number): ReturnType<typeof Type.String> =>
  Type.String({ description, maxLength });

/** Native ids of the records an action is about, on the platform it happens on. */
const About = Type.Object(
  {
    contact: Type.Optional(Type.String()),
    company: Type.Optional(Type.String()),
    deal: Type.Optional(Type.String()),
    ticket: Type.Optional(Type.String()),
    invoice: Type.Optional(Type.String()),
  },
  { additionalProperties: false, description: 'Native ids of the records it belongs to' },
);
const Instant = Type.String({ format: 'date-time' });

/** The platform-independent input of each kind; a connector may add optional members of its own. */
export const ACTION_INPUTS = {
  create_task: Type.Object({
    title: text('What to do', 500),
    body: Type.Optional(text('Details', 20_000)),
    dueAt: Instant,
    priority: Type.Optional(Type.Union([Type.Literal('low'), Type.Literal('normal'), Type.Literal('high')])),
    assignee: Type.Optional(text('Native id of the responsible person', 200)),
    about: About,
  }),
  add_note: Type.Object({ body: text('The note', 60_000), about: About }),
  add_tag: Type.Object({ tag: text('Tag or list', 200), about: About }),
  remove_tag: Type.Object({ tag: text('Tag or list', 200), about: About }),
  update_field: Type.Object({
    object: Type.String({ description: 'Kind of record, such as contact' }),
    id: text('Native id of the record', 200),
    fields: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])),
  }),
  create_calendar_event: Type.Object({
    title: text('Title', 500),
    body: Type.Optional(text('Details', 20_000)),
    startsAt: Instant,
    endsAt: Instant,
    location: Type.Optional(text('Where', 500)),
    assignee: Type.Optional(text('Native id of the responsible person', 200)),
    attendees: Type.Optional(Type.Array(Type.String({ format: 'email' }))),
    about: About,
  }),
  create_ticket: Type.Object({
    title: text('Subject', 500),
    body: Type.Optional(text('Details', 20_000)),
    priority: Type.Optional(
      Type.Union([Type.Literal('low'), Type.Literal('normal'), Type.Literal('high'), Type.Literal('urgent')]),
    ),
    pipeline: Type.Optional(Type.String()),
    stage: Type.Optional(Type.String()),
    assignee: Type.Optional(Type.String()),
    about: About,
  }),
  enrol_in_automation: Type.Object({ automation: text('Native id of the sequence or workflow', 200), about: About }),
  send_invoice_reminder: Type.Object({
    invoice: text('Native id of the invoice', 200),
    to: Type.Optional(Type.String({ format: 'email' })),
  }),
  create_booking_link: Type.Object({ about: About }),
  send_email: Type.Object({
    to: Type.String({ format: 'email' }),
    toName: Type.Optional(text('Name of the recipient', 200)),
    subject: text('Subject', 500),
    text: text('Plain text', 200_000),
    html: Type.Optional(text('HTML', 500_000)),
    /** One-click address (RFC 8058); set for marketing. */
    unsubscribeUrl: Type.Optional(Type.String({ format: 'uri' })),
    inReplyTo: Type.Optional(Type.String()),
  }),
  send_sms: Type.Object({ to: Type.String({ pattern: '^\\+[1-9]\\d{5,14}$' }), text: text('Message', 1600) }),
  send_whatsapp: Type.Object({
    to: Type.String({ pattern: '^\\+[1-9]\\d{5,14}$' }),
    /** Free text is only allowed within 24 hours of the customer's last message. */
    text: Type.Optional(text('Free text', 4096)),
    template: Type.Optional(Type.String()),
    variables: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
  send_chat: Type.Object({
    /** Native id of a channel or person. */
    target: text('Channel or person', 200),
    title: text('First line', 500),
    text: text('Message', 3000),
    facts: Type.Optional(Type.Array(Type.Object({ label: Type.String(), value: Type.String() }), { maxItems: 10 })),
    buttons: Type.Optional(
      Type.Array(
        Type.Object({ label: Type.String(), token: Type.Optional(Type.String()), url: Type.Optional(Type.String()) }),
        {
          maxItems: 5,
        },
      ),
    ),
    /** Native id of an earlier message to replace instead of posting a new one. */
    replaces: Type.Optional(Type.String()),
  }),
  send_push: Type.Object({ to: Type.String(), title: Type.String(), text: Type.String() }),
  send_in_app: Type.Object({ to: Type.String(), text: Type.String() }),
  place_call: Type.Object({ to: Type.String(), text: Type.String() }),
  post_webhook: Type.Object({ type: text('Event type', 200), data: Type.Unknown() }),
  record_opt_out: Type.Object({
    channel: Type.Union([Type.Literal('email'), Type.Literal('sms'), Type.Literal('whatsapp')]),
    address: text('Address or number of the person', 320),
    contact: Type.Optional(text('Native id of the person', 200)),
  }),
} as const satisfies Record<ActionKind, TObject>;

export type ActionInput<Kind extends ActionKind = ActionKind> = Static<(typeof ACTION_INPUTS)[Kind]>;

/** What the vendor made of it. */
export interface Receipt {
  nativeId: string;
  /** Where a person can look at it. */
  url?: string;
  state?: string;
}

export interface ActionMeta {
  /** The request's id: the same for every try of it. */
  requestId: string;
  /** When the first try began. */
  firstTriedAt: Date;
  /** Result of `before`. */
  before?: unknown;
}

/** How an earlier try of the same request is recognised, so that a lost answer never makes a second object. */
export type Idempotency<Input> =
  /** The vendor takes our id and returns the first result: trying again is safe. */
  | { kind: 'vendor_key'; note: string }
  /** Doing it twice is the same as doing it once. */
  | { kind: 'natural'; note: string }
  /**
   * Our id is written into the object and can be searched for. `settleSeconds`: how long the vendor's index may lag. Of
   * some inputs an action may be unable to tell: a lost answer about them waits for a person.
   */
  | {
      kind: 'marker';
      settleSeconds: number;
      find: (ctx: VendorContext, input: Input, meta: ActionMeta) => Promise<Receipt | 'cannot_tell' | undefined>;
    }
  | { kind: 'none'; reason: string };

/** Fields of one record that a write changes, by their names at the vendor. */
export interface FieldWrites {
  stream: string;
  id: string;
  fields?: Record<string, unknown>;
  adds?: Record<string, string>;
  removes?: Record<string, string>;
}

export interface ActionDefinition<Kind extends ActionKind = ActionKind, Extra = unknown> {
  kind: Kind;
  title: string;
  feature?: string;
  /** Members this platform adds to the kind's input. */
  extra?: TObject;
  idempotency: Idempotency<ActionInput<Kind> & Extra>;
  /** Calls needed first (read the version to update). Their result is in `meta.before`. */
  before?: (ctx: VendorContext, input: ActionInput<Kind> & Extra, meta: ActionMeta) => Promise<unknown>;
  /** The one write. Also what a preview shows. */
  request: (ctx: VendorContext, input: ActionInput<Kind> & Extra, meta: ActionMeta) => RequestSpec;
  receipt: (reply: Reply, ctx: VendorContext, input: ActionInput<Kind> & Extra, meta: ActionMeta) => Receipt;
  /** Seconds before each further try of something the platform definitely did not do; absent: a few within a day. */
  retries?: readonly number[];
  /** States of the native thing that are followed, in the order it goes through them: a late report never sets it back. */
  follows?: readonly string[];
  /**
   * The fields a write changes, for the echo ledger: record kind, native id, field and value. `adds` and `removes` are
   * for fields that hold several values (tags), of which the write puts in or takes out one.
   */
  writes?: (input: ActionInput<Kind> & Extra) => FieldWrites[];
}

/** Gives an action definition its precise type and hands it on as one of any kind. */
export function defineAction<Kind extends ActionKind, Extra = unknown>(
  action: ActionDefinition<Kind, Extra>,
): ActionDefinition {
  return action as unknown as ActionDefinition;
}
