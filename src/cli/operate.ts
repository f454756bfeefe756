import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import { explainCustomer } from '../actions/explain.ts';
import { countRequests } from '../actions/store.ts';
import { exportAudit, verifyAudit } from '../audit/chain.ts';
import { Problem } from '../base/errors.ts';
import { healthOf } from '../connections/health.ts';
import { listConnections } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import { countEntities, lookUpCustomer } from '../model/store.ts';
import { installPlaybook, switchSequence } from '../sequences/playbooks.ts';
import { listParked } from '../sync/parked.ts';
import { streamInfos } from '../sync/status.ts';
import { countOccurrences } from '../triggers/store.ts';
import { type CommonOptions, command, print, table, tenantOf, withHub } from './context.ts';
import { explained } from './explained.ts';

/** Commands to run the hub and see how it stands: serve, status, explain, playbook, audit. */
export function operateCommands(program: Command): void {
  program
    .command('serve')
    .description('Run the hub: API, sync, engine and dispatch in this process (ROLES chooses parts).')
    .action(async () => {
      const { serve } = await import('../main.ts');
      await serve();
    });

  program
    .command('status')
    .description('How everything stands: connections in words, streams, parked items, actions.')
    .option('--parked', 'list what is parked, with the reasons')
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
            parked: (await listParked(tx, { limit: 200 })).map((item) => ({
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
          print(options, { ...found, streams }, () =>
            [
              `Connections\n${table(found.connections, ['name', 'state', 'health'])}`,
              `Streams\n${table(streams as never, ['connector', 'stream', 'state', 'records', 'parked', 'freshAsOf', 'error'])}`,
              `Entities: ${
                Object.entries(found.entities)
                  .filter(([, count]) => count > 0)
                  .map(([name, count]) => `${count} ${name}`)
                  .join(', ') || 'none yet'
              }`,
              `Actions\n${table(found.actions, ['state', 'reason', 'count'])}`,
              options.parked
                ? `Parked\n${table(found.parked, ['kind', 'times', 'reason'])}`
                : `Parked: ${found.parked.length}${found.parked.length === 200 ? ' or more' : ''} (--parked shows the reasons)`,
            ].join('\n\n'),
          );
        });
      }),
    );

  program
    .command('explain')
    .description(
      'Why a customer got or did not get something, and what comes next and when.\nThe customer is an id, an e-mail address, a phone number, a native id, or a name only one has.',
    )
    .argument('<customer>')
    .option('--sequence <key>', 'one sequence only')
    .action(
      command(async (text: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { sequence?: string }>();
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
          const answer = await explainCustomer(hub.deps, tenantId, found[0]!.id, options.sequence);
          print(options, answer, () => explained(answer));
        });
      }),
    );

  program
    .command('playbook')
    .description('Install a playbook; --on switches it on (it counts from now, nothing in the past starts anything).')
    .argument('<key>', 'such as overdue-chase')
    .option('--on', 'switch it on')
    .action(
      command(async (key: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { on?: boolean }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const now = hub.clock.now();
          const sequence = await hub.db.tenant(tenantId, async (tx) => {
            const row = await installPlaybook(tx, key, 'cli', now);
            if (options.on) await switchSequence(tx, row, true, 'cli', row.version, now);
            return row;
          });
          print(
            options,
            { id: sequence.id, key: sequence.key, on: options.on ?? false },
            () => `${sequence.title} is installed${options.on ? ' and switched on' : ', switched off'}.`,
          );
        });
      }),
    );

  const audit = program.command('audit').description('The audit trail: append-only, chained by hashes per business.');
  audit
    .command('verify')
    .description('Walk the chain. Ends with code 1 when an event is missing or was changed.')
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        await withHub(async (hub) => {
          const result = await verifyAudit(hub.db, await tenantOf(hub, options));
          print(options, result, () =>
            result.ok
              ? `${result.events} events, all in place. Head: ${result.head ?? 'none'}`
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
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { out?: string }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const out = options.out ? createWriteStream(options.out) : process.stdout;
          let events = 0;
          for await (const event of exportAudit(hub.db, tenantId)) {
            events += 1;
            if (!out.write(`${JSON.stringify(event)}\n`))
              await new Promise<void>((resolve) => out.once('drain', () => resolve()));
          }
          if (options.out) {
            out.end();
            await finished(out);
            print(options, { events, file: options.out }, () => `${events} events written to ${options.out}.`);
          }
        });
      }),
    );
}
