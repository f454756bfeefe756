import type { Tx } from '../base/database.ts';
import type { TemplateRow } from '../sequences/store.ts';
import type { Contexts } from './context.ts';
import type { Route } from './routing.ts';
import type { RequestRow } from './store.ts';

export interface ContentDeps {
  publicUrl: string;
  /** Key of the links we hand out. */
  linkKey: Buffer;
  /** Nothing goes out: links are made and not kept. */
  imagined?: boolean;
  /** What rooms beside this one add to the values of a text: the link of a survey, the name of a campaign. */
  moreFor?: (tx: Tx, request: RequestRow, now: Date) => Promise<Record<string, unknown>>;
}

/** Where a link of a message leads to, found by the hash of what stands in it. */
export interface LinkRow {
  token_hash: string;
  purpose: 'unsubscribe';
  subject: { customerId: string | null; channel: string; topic: string; address: string };
  created_at: Date;
}

export interface ContentInput {
  request: RequestRow;
  route: Route;
  contexts: Contexts;
  templates: readonly TemplateRow[];
  now: Date;
  /** Takes up the links that stand in the text; whoever asked keeps them. */
  links: LinkRow[];
}
