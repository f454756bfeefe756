import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { explainCustomer } from '../actions/explain.ts';
import { countRequests } from '../actions/store.ts';
import { exportAudit, verifyAudit } from '../audit/chain.ts';
import { messageOf, Problem } from '../base/errors.ts';
import { healthOf } from '../connections/health.ts';
import { listConnections } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import { countEntities, lookUpCustomer } from '../model/store.ts';
import { listFindings } from '../sync/drift/store.ts';
import { countParked, listParked } from '../sync/parked.ts';
import { quotaPlan } from '../sync/planner.ts';
import { streamInfos } from '../sync/status.ts';
import { countOccurrences } from '../triggers/store.ts';
import { type CommonOptions, command, counted, examples, print, tenantOf, withHub } from './context.ts';
import { explained } from './explained.ts';
import { statusText } from './status.ts';

/** Parked items listed at most. */
const PARKED_SHOWN = 200;

/** A reader that has enough closes the pipe, which is not our failure. */
function unlessClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

/** Commands to run the hub and see how it stands: serve, status, explain, audit. */
export function operateCommands(program: Command): void {
  program
    .command('serve')
    .description(
      'Run the hub: API, sync, engine and dispatch in this process (ROLES chooses parts).\nIt stops on SIGTERM or Ctrl-C, after the work in hand.',
    )
    .addHelpText('after', examples('rapport serve', 'PORT=9000 ROLES=api rapport serve'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        const { serve } = await import('../main.ts');
        await serve((ready, text) => print(options, ready, () => text));
      }),
    );

  program
    .command('status')
    .description('How everything stands: connections in words, streams, parked items, actions.')
    .option('--parked', 'list what is parked, with the reasons')
    .addHelpText('after', examples('rapport status', 'rapport status --parked', 'rapport status --json'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { parked?: boolean }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const streams = await streamInfos(hub.deps, tenantId);
          const found = await hub.db.tenant(tenantId, async (tx) => ({
            connections: (await listConnections(tx)).map((row) => ({
              id: row.id,
              connector: row.connector,
              name: row.name,
              state: row.state,
              health: healthOf(connectorOf(hub.deps.registry, row.connector), row).sentence,
            })),
            entities: await countEntities(tx),
            drift: (await listFindings(tx, {})).map(({ stream, kind, field, message }) => ({
              stream,
              kind,
              field,
              message,
            })),
            parkedCount: (await countParked(tx)).reduce((sum, row) => sum + row.n, 0),
            parked: (await listParked(tx, { limit: PARKED_SHOWN })).map((item) => ({
              kind: item.kind,
              times: item.times,
              reason: item.reason,
              id: item.id,
            })),
            occurrences: Object.fromEntries((await countOccurrences(tx)).map((row) => [row.name, row.n])),
            actions: (await countRequests(tx)).map((row) => ({
              state: row.held ? 'held' : row.state,
              reason: row.reason ?? '',
              count: row.n,
            })),
          }));
          const usable = (await hub.db.tenant(tenantId, (tx) => listConnections(tx))).filter(
            (row) => connectorOf(hub.deps.registry, row.connector).limits.length > 0,
          );
          const quota = await Promise.all(usable.map((row) => quotaPlan(hub.deps, tenantId, row)));
          print(options, { ...found, streams, quota }, () =>
            statusText({ ...found, quota }, streams, options.parked ?? false),
          );
        });
      }),
    );

  program
    .command('explain')
    .description(
      'Why a customer got or did not get something, and what comes next and when.\nThe customer is an id, an e-mail address, a phone number, a native id, or a name only one has.',
    )
    .addHelpText(
      'after',
      examples('rapport explain ann@example.com', 'rapport explain +14155551000 --sequence overdue-chase'),
    )
    .argument('<customer>')
    .option('--sequence <key>', 'one sequence only')
    .option('--at <moment>', 'what was known then, such as 2026-03-02T15:00:00Z')
    .action(
      command(async (text: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { sequence?: string; at?: string }>();
        const at = options.at === undefined ? undefined : new Date(options.at);
        if (at && Number.isNaN(at.getTime()))
          throw new Problem(400, 'bad_moment', `"${options.at}" is no moment; 2026-03-02T15:00:00Z is one.`);
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const found = await hub.db.tenant(tenantId, (tx) => lookUpCustomer(tx, text));
          if (found.length === 0)
            throw new Problem(404, 'not_found', `Nobody is known as "${text}".`, {
              fix: 'Try the e-mail address or the id.',
            });
          if (found.length > 1)
            throw new Problem(409, 'several', `Several customers are known as "${text}".`, {
              fix: `Name one by id: ${found.map((row) => row.id).join(', ')}.`,
            });
          const answer = await explainCustomer(hub.deps, tenantId, found[0]!.id, options.sequence, at);
          print(options, answer, () => explained(answer));
        });
      }),
    );

  const audit = program
    .command('audit')
    .description('The audit trail: append-only, chained by hashes per business.')
    .addHelpText('after', examples('rapport audit verify', 'rapport audit export --out audit.jsonl'));
  audit
    .command('verify')
    .description('Walk the chain. Ends with code 1 when an event is missing or was changed.')
    .addHelpText('after', examples('rapport audit verify', 'rapport audit verify --head 3f2a...'))
    .option('--head <hash>', 'a head kept elsewhere: tells also whether the end was cut off')
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { head?: string }>();
        await withHub(async (hub) => {
          const result = await verifyAudit(hub.db, await tenantOf(hub, options), undefined, options.head);
          print(options, result, () =>
            result.ok
              ? `${counted(result.events, 'event')}, all in place. Head: ${result.head ?? 'none'}`
              : `Broken at event ${result.broken?.seq}: ${result.broken?.reason}.`,
          );
          if (!result.ok) process.exitCode = 1;
        });
      }),
    );
  audit
    .command('export')
    .description('Every event in chain order, one JSON document per line.')
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', examples('rapport audit export --out audit.jsonl', 'rapport audit export | gzip > audit.gz'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { out?: string }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          let events = 0;
          async function* lines(): AsyncGenerator<string> {
            for await (const event of exportAudit(hub.db, tenantId)) {
              events += 1;
              yield `${JSON.stringify(event)}\n`;
            }
          }
          const { out: file } = options;
          if (!file) return pipeline(Readable.from(lines()), process.stdout, { end: false }).catch(unlessClosed);
          await pipeline(Readable.from(lines()), createWriteStream(file)).catch((error: unknown) => {
            throw new Problem(400, 'not_written', `${file} cannot be written: ${messageOf(error)}.`);
          });
          print(options, { events, file }, () => `${counted(events, 'event')} written to ${file}.`);
        });
      }),
    );
}
