import type { Secrets } from './auth.ts';
import type { AppSecrets } from './context.ts';

/** A post as it arrived: bytes, not a parsed and re-written copy, because signatures are over bytes. */
export interface RawHook {
  method: string;
  /** The public URL the vendor called, query included. */
  url: string;
  headers: Record<string, string>;
  body: Buffer;
}

export type Verdict =
  | { ok: true }
  | { ok: false; reason: 'missing_signature' | 'bad_signature' | 'stale' | 'malformed'; status?: number };

export interface HookAnswer {
  status: number;
  type?: string;
  body?: string;
}

interface EventBase {
  /** The vendor account it is about; absent for a webhook address of one connection. */
  account?: string;
  /** Identifies this event for ever: a second arrival is ignored. */
  key: string;
  at?: Date;
}

/** A later state of something we did: delivered, read, bounced. */
export interface ReceiptNews {
  /** Empty where only our own id is known. */
  nativeId: string;
  /** Our id, where we could write it into what the vendor calls: it finds the action even before its answer came. */
  requestId?: string;
  state: string;
  detail?: string;
  outcome?: 'delivered' | 'failed' | 'opted_out' | 'invalid_recipient';
  /** Opened or clicked by a machine (a scanner of mail, a preview), as the vendor says. */
  machine?: boolean;
  /** Read from a record that shows how things stand, each time it changes: the same state is no news. */
  read?: true;
}

/** What a post tells. Records are hints: they are fetched again, unless the vendor offers no way to. */
export type HookEvent = EventBase &
  (
    | {
        type: 'record';
        stream: string;
        id: string;
        change: 'changed' | 'deleted' | 'merged' | 'restored' | 'privacy_deleted';
        /** Survivor of a merge. */
        into?: string;
        /** The record itself, when it cannot be fetched. */
        record?: unknown;
      }
    | ({ type: 'receipt' } & ReceiptNews)
    | {
        type: 'opt_out' | 'opt_in';
        channel: string;
        address: string;
        evidence: string;
        topic?: string;
        /** Only this is meant, and the platform has told the person so; absent: what a word such as STOP means there. */
        scope?: 'marketing';
      }
    /** A staff member pressed a button of ours. `token` is the value we put into it. */
    | { type: 'acknowledge'; token: string; by: string; nativeId?: string }
    /** The account removed our access. */
    | { type: 'revoked'; reason: string }
    /** Something changed that the post does not name: the stream is read now; absent: all of them. */
    | { type: 'poll'; stream?: string }
    /** What `prepare` set up at the vendor ends or is gone: it runs again now. */
    | { type: 'renew' }
  );

/** What a post can be checked by. */
export interface HookSecrets {
  app: AppSecrets;
  connection: Secrets;
  /** Address of a host of the connector, for vendors that publish the keys they sign with. */
  host?: (name: string) => string;
}

export interface Webhooks {
  /** One address per app with the account in the body, or one address per connection. */
  scope: 'app' | 'connection';
  /**
   * The vendor does not sign: it repeats a secret of the connection (a token, a password). The hub makes one when it is
   * connected; `prepare` hands it over (`ctx.webhookSecret()`), `verify` finds it as `webhookSecret` of the connection.
   */
  secret?: true;
  verify: (hook: RawHook, secrets: HookSecrets, now: Date) => Verdict | Promise<Verdict>;
  /** Answers the vendor's handshake (after verification); undefined: an ordinary post. */
  handshake?: (hook: RawHook) => HookAnswer | undefined;
  /** The answer to an ordinary post; 200 and empty by default. */
  answer?: (hook: RawHook) => HookAnswer;
  /** The body as it is kept, where what authenticates stands in it; default: the bytes as they came. */
  kept?: (hook: RawHook) => Buffer;
  /** Headers (lower case) that `events` reads beside the body; nothing that authenticates. Others are not kept. */
  headers?: readonly string[];
  /** Identifies the post, so that a second delivery of it is ignored; default: hash of the bytes. */
  key?: (hook: RawHook) => string | undefined;
  /**
   * Streams of which every change is announced once the webhooks are set up as the notes say; a condition where that is
   * true of some records only. Changes that polls find instead show that posts do not arrive.
   */
  announces?: Readonly<Record<string, true | ((record: unknown) => boolean)>>;
  /** Connecting enters our address at the vendor: `prepare` does it again. */
  subscribes?: true;
  /** What `prepare` enters there ends: it says when it has to run again, and is tried again soon when it failed. */
  renews?: true;
  /** @param connection settings of the connection, for addresses that belong to one */
  events: (hook: RawHook, connection: { settings: Record<string, unknown> } | undefined) => HookEvent[];
}

/** Form fields of a post as sent, repeated names kept in order. */
export const formOf = (hook: RawHook): URLSearchParams => new URLSearchParams(hook.body.toString('utf8'));

/** The JSON of a post; undefined when it is not JSON. */
export function jsonOf(hook: RawHook): unknown {
  try {
    return JSON.parse(hook.body.toString('utf8'));
  } catch {
    return undefined;
  }
}
