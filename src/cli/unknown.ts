import type { Command } from 'commander';
import { type Decided, decideAction } from '../actions/decide.ts';
import { reconcile } from '../actions/reconcile.ts';
import { findRequest, listRequests, type RequestRow } from '../actions/store.ts';
import { notFound, Problem } from '../base/errors.ts';
import { isId } from '../base/ids.ts';
import type { Hub } from '../hub.ts';
import { type CommonOptions, command, counted, examples, moment, print, table, tenantOf, withHub } from './context.ts';

const SHOWN = 200;
const DECISIONS = ['sent', 'again', 'skipped'];

interface UnknownOptions extends CommonOptions {
  ask?: boolean;
  as?: string;
  reason?: string;
}

/** `rapport unknown`: actions of which nobody knows whether the platform did them. */
export function unknownCommand(program: Command): void {
  program
    .command('unknown')
    .description(
      'Actions whose answer got lost and that the platform could not tell about: list them, ask again, or decide.\n--as sent: it went out. --as again: it did not, and is tried again. --as skipped: leave it out.',
    )
    .addHelpText(
      'after',
      examples(
        'rapport unknown',
        'rapport unknown 0199... --ask',
        'rapport unknown 0199... --as sent --reason "it is in the log of the mail server"',
      ),
    )
    .argument('[action]', 'its id; without it all are listed')
    .option('--ask', 'ask the platform again now')
    .option('--as <decision>', DECISIONS.join(', '))
    .option('--reason <text>', 'how you know; it stands in the audit trail')
    .action(
      command(async (id: string | undefined, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<UnknownOptions>();
        if (!id && (options.ask || options.as))
          throw new Problem(400, 'no_action', 'Name the action to ask or decide about.', {
            fix: '"rapport unknown" lists them.',
          });
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          if (id) return one(hub, tenantId, id, options);
          const rows = await hub.db.tenant(tenantId, (tx) => listRequests(tx, { state: 'unknown', limit: SHOWN }));
          print(options, { actions: rows.map(shown) }, () => listText(rows));
        });
      }),
    );
}

async function one(hub: Hub, tenantId: string, id: string, options: UnknownOptions): Promise<void> {
  const row = isId(id) ? await hub.db.tenant(tenantId, (tx) => findRequest(tx, id)) : undefined;
  if (!row) throw notFound('action', id);
  if (options.as !== undefined) {
    if (!DECISIONS.includes(options.as))
      throw new Problem(400, 'bad_decision', `--as is one of ${DECISIONS.join(', ')}, not "${options.as}".`);
    if (!options.reason || options.reason.length < 3)
      throw new Problem(400, 'no_reason', 'Say with --reason how you know it.');
    if (row.state !== 'unknown')
      throw new Problem(409, 'conflict', `This action is ${row.state}; there is nothing to decide.`);
    const decision = { as: options.as as Decided, reason: options.reason, by: 'cli', expected: row.version };
    const decided = await decideAction(hub.deps, tenantId, row.id, decision);
    return print(options, shown(decided), () => `It is ${decided.state} now.`);
  }
  if (!options.ask) return print(options, shown(row), () => listText([row]));
  if (row.state !== 'unknown')
    throw new Problem(409, 'conflict', `This action is ${row.state}, so there is nothing to ask.`);
  const finding = await reconcile(hub.deps, tenantId, row);
  const after = (await hub.db.tenant(tenantId, (tx) => findRequest(tx, row.id)))!;
  const words = {
    sent: 'The platform has it: it was sent.',
    retry: 'The platform has nothing of it; it is tried again.',
  };
  print(options, { finding, ...shown(after) }, () =>
    finding === 'unknown' ? (after.reason_detail ?? '') : words[finding],
  );
}

const shown = (row: RequestRow) => ({
  id: row.id,
  kind: row.kind,
  channel: row.channel,
  state: row.state,
  tries: row.attempts,
  since: (row.committed_at ?? row.created_at).toISOString(),
  detail: row.reason_detail,
  customerId: row.customer_id,
});

function listText(rows: readonly RequestRow[]): string {
  if (rows.length === 0) return 'Nothing is unknown.';
  const lines = rows.map((row) => ({ ...shown(row), 'since (UTC)': moment(shown(row).since) }));
  const head = `${counted(rows.length, 'action')}${rows.length === SHOWN ? ' (the newest)' : ''}`;
  return `${head}\n${table(lines, ['id', 'kind', 'state', 'tries', 'since (UTC)', 'detail'])}`;
}
