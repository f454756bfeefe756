import type { Account } from './auth.ts';
import type { Reply, RequestSpec } from './request.ts';

/** Values of the environment variables the connector names, such as a webhook signing secret. */
export type AppSecrets = Record<string, string | undefined>;

/** What connector code may know and do while it works for one connection. */
export interface VendorContext {
  account: Account;
  settings: Record<string, unknown>;
  features: readonly string[];
  now: Date;
  /** Paths of a stream's records that the mapping reads: what is worth asking the vendor for. */
  paths(stream: string): readonly string[];
  /** Values of the connector's environment variables. */
  app: AppSecrets;
  /** Address at which the vendor can reach us for this connection. */
  webhookUrl: string | undefined;
  /** What the vendor is to repeat in its posts, where `webhooks.secret` asks for such a thing; else undefined. */
  webhookSecret(): Promise<string | undefined>;
  /** Sends a request through the engine: credentials, limits, refresh and classification included. */
  call<Body = unknown>(spec: RequestSpec): Promise<Reply<Body>>;
}
