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

export interface ContentInput {
  request: RequestRow;
  route: Route;
  contexts: Contexts;
  templates: readonly TemplateRow[];
  now: Date;
}
