import type { Clock } from '../base/clock.ts';
import type { ActionDefinition, ActionKind } from './actions.ts';
import type { Account, Auth, Secrets } from './auth.ts';
import type { AppSecrets, VendorContext } from './context.ts';
import type { ErrorTable } from './errors.ts';
import type { FileReader } from './files.ts';
import type { Budget } from './limits.ts';
import type { Reply, RequestSpec } from './request.ts';
import type { Faults } from './sandbox/faults.ts';
import type { Stream } from './streams.ts';
import type { Trial } from './trial.ts';
import type { Webhooks } from './webhooks.ts';

/** Sends one prepared request. The default is the kit's HTTP client; a vendor's SDK may stand here instead. */
export type Transport = (request: PreparedRequest) => Promise<Reply>;

export interface PreparedRequest extends RequestSpec {
  /** Address of the host, without path. */
  origin: string;
  /** Credentials included. */
  headers: Record<string, string>;
  /** What the credentials are made of, for SDKs that sign themselves. */
  secrets: Secrets;
  settings: Record<string, unknown>;
  signal: AbortSignal;
  /** User-given address: must not lead into a private network, except to the hosts in `allowedHosts`. */
  guarded: boolean;
  allowedHosts: readonly string[];
}

export type Category = 'crm' | 'billing' | 'messaging' | 'chat' | 'email' | 'files' | 'other';

/**
 * One platform, whole. A missing key means "cannot": catalogue, console and the README's matrix are derived from it.
 */
export interface Connector {
  id: string;
  name: string;
  category: Category;
  /** The vendor's API version in use, and the day the vendor ends it. */
  api?: { version: string; sunset?: string };
  /** Addresses by name; each can be pointed elsewhere by configuration. */
  hosts: Record<string, string>;
  /**
   * Where a host is for one connection, when the vendor told (its region, instance or company): a name in `hosts`, or an
   * address. Undefined: as `hosts` says. Settings may have come with a redirect that anybody can forge, so nothing may
   * be answered but addresses the vendor owns. An address given by configuration wins.
   */
  hostOf?: (
    host: string,
    known: { settings: Readonly<Record<string, unknown>>; secrets: Readonly<Secrets> },
  ) => string | undefined;
  auth: Auth;
  /** Further environment variables it needs, such as a webhook signing secret. */
  appSecrets?: readonly string[];
  /** Environment variables it can do without: something is slower or left out then. */
  optionalSecrets?: readonly string[];
  /** Tells who is connected; also the health check. */
  account: (ctx: VendorContext, callback: Record<string, string>) => Promise<Account>;
  /**
   * Makes what the connector needs at the vendor (a custom field, a subscription). Runs at connect and must bear being run
   * again. What it answers is kept among the secrets of the connection, such as what the vendor signs its posts with; or
   * it says when it has to run again, because what it made ends.
   */
  prepare?: (ctx: VendorContext) => Promise<void> | Promise<Secrets> | Promise<Prepared | undefined>;
  /** Takes back what `prepare` set up, when somebody disconnects. */
  release?: (ctx: VendorContext) => Promise<void>;
  limits: readonly Budget[];
  errors: ErrorTable;
  transport?: () => Promise<Transport>;
  streams: readonly Stream[];
  webhooks?: Webhooks;
  actions: readonly ActionDefinition[];
  /** How the platform is told that somebody wants no messages; a channel that is missing it cannot hold. */
  optOut?: Partial<Record<OptOutChannel, OptOutHolding>>;
  /** Words the platform answers by itself unless somebody switched that off: the hub does not answer a second time. */
  answers?: Partial<Record<'sms' | 'whatsapp', readonly ('stop' | 'help')[]>>;
  files?: FileReader;
  /** Loads the simulation of the vendor. */
  sandbox: () => Promise<SandboxModule>;
  /** What a person should know before connecting. */
  notes?: readonly string[];
}

/** What `prepare` made that does not last. */
export interface Prepared {
  again: Date;
  secrets?: Secrets;
}

export type OptOutChannel = 'email' | 'sms' | 'whatsapp';

/** An objection, as platforms are told of it. */
export interface OptOutChoice {
  channel: OptOutChannel;
  address: string;
  /** Native id of the person, when the platform has them. */
  contact?: string;
  /** Absent: everything on the channel. */
  topic?: string;
  at: Date;
}

/** The action that tells a platform of an objection. */
export interface OptOutHolding {
  kind: ActionKind;
  /** @returns the action's input; undefined when this objection cannot be held (a topic it has no counterpart of) */
  input: (choice: OptOutChoice, settings: Record<string, unknown>) => Record<string, unknown> | undefined;
}

export interface SandboxModule {
  start: (options: SandboxOptions) => Promise<Sandbox>;
}

export interface SandboxOptions {
  clock: Clock;
  /** Environment variables with our registration at the vendor, as the hub has them. */
  app: AppSecrets;
  /** Where the simulation posts its webhooks; absent: nowhere. */
  hookUrl?: string;
  port?: number;
  /** The same seed and the same requests meet the same faults. */
  seed?: number;
  /** Calls it keeps for whoever wants to look; 0 keeps none, for load. */
  journal?: number;
  /** Whether it refuses what exceeds the vendor's limits; default: as the vendor does. */
  limits?: boolean;
}

/** A running simulation. What is missing the vendor does not have: nothing answers for files, not every list is late. */
export interface Sandbox {
  /** Hosts of the connector to point here. */
  hosts: Record<string, string>;
  /** What happened at the vendor, in words and counts, for people and for the demo's summary. */
  report(): Record<string, number>;
  /** Misbehaviour on demand. */
  faults?: Faults;
  /** Milliseconds for which lists and searches do not show a change yet. May be set at any time. */
  lateIndexMs?: number;
  /** Where its webhooks go; undefined: nowhere. May be set at any time: some addresses are known after connecting only. */
  hookUrl?: string | undefined;
  /** What a person enters at the hub to connect: all of it, or what the hub must know to send them to the vendor's page. */
  credentials?: Record<string, string | number>;
  /** Fills it with a small sample, for looking around. */
  fill?(): void;
  /** What people can do at the vendor by hand. Webhooks follow as they do there. */
  deeds?: readonly Deed[];
  /** The vendor's side of the cases every connector is tried with. */
  trial?: Trial;
  stop(): Promise<void>;
}

/** Something a person does at the vendor: a form on the simulation's page. */
export interface Deed {
  /** Its address: lower-case letters and hyphens. */
  name: string;
  title: string;
  /** What is asked for, with what the form offers. */
  fields?: () => Record<string, string>;
  /** @returns what happened, in words */
  act: (fields: Record<string, string>) => Promise<string>;
}

/** Gives a connector definition its type; states nothing by itself. */
export const defineConnector = <T extends Connector>(connector: T): T => connector;
export const defineStream = (stream: Stream): Stream => stream;
export const defineWebhooks = (webhooks: Webhooks): Webhooks => webhooks;
