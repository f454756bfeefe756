import pg from 'pg';
import { statementsOf } from '../../../src/base/statements.ts';

/** A statement as it was sent in transactions of tenants. */
export interface Seen {
  text: string;
  /** Which of its parameters were the tenant of the transaction, every time. */
  tenantAt: number[];
  /** Tenants of whom it was sent. */
  times: number;
}

export interface Recording {
  /** What was sent in transactions of tenants, without what opens and closes them. */
  inTenants: Map<string, Seen>;
  /** What was sent outside of them. */
  elsewhere: Set<string>;
  stop(): void;
}

/** Opens, closes and divides transactions, or sets what is only theirs. */
export const CONTROL =
  /^(begin|commit|rollback|end)$|^(savepoint|release|rollback to) \w+$|^set local [\w.]+ = ('[^']*'|\w+)$|^set (local role none|transaction read only)$/i;

type Query = (this: pg.Client, config: unknown, values?: unknown, done?: unknown) => unknown;

/**
 * Watches every connection of this process: each text that is sent, and whether it is sent in a transaction of a tenant.
 * What is sent before `set local app.tenant` is not in one.
 */
export function recordStatements(): Recording {
  const prototype = pg.Client.prototype as unknown as { query: Query };
  const original = prototype.query;
  const tenants = new WeakMap<pg.Client, string>();
  const recording: Recording = {
    inTenants: new Map(),
    elsewhere: new Set(),
    stop: () => {
      prototype.query = original;
    },
  };
  prototype.query = function query(config, values, done) {
    const { text, values: given } =
      typeof config === 'string' ? { text: config, values } : (config as { text?: string; values?: unknown });
    if (text !== undefined) note(recording, tenants, this, text, (Array.isArray(given) ? given : []) as unknown[]);
    return original.call(this, config, values, done);
  };
  return recording;
}

function note(
  recording: Recording,
  tenants: WeakMap<pg.Client, string>,
  client: pg.Client,
  text: string,
  values: readonly unknown[],
): void {
  const statements = statementsOf(text);
  const control = statements.length > 0 && statements.every((statement) => CONTROL.test(statement));
  const opened = /set local app\.tenant = '([0-9a-f-]{36})'/.exec(text)?.[1];
  const tenant = tenants.get(client);
  if (opened) tenants.set(client, opened);
  else if (/^(commit|rollback)$/i.test(text)) tenants.delete(client);
  if (control) return;
  if (tenant === undefined) {
    recording.elsewhere.add(text);
    return;
  }
  const at = values.flatMap((value, index) => (value === tenant ? [index + 1] : []));
  const known = recording.inTenants.get(text);
  recording.inTenants.set(text, {
    text,
    tenantAt: known ? known.tenantAt.filter((index) => at.includes(index)) : at,
    times: (known?.times ?? 0) + 1,
  });
}
