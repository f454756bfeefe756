import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import { makeApiKey, setUp } from '../access/identity.ts';
import { explainCustomer } from '../actions/explain.ts';
import { countRequests } from '../actions/store.ts';
import { exportAudit, verifyAudit } from '../audit/chain.ts';
import { loadConfig } from '../base/config.ts';
import { Problem } from '../base/errors.ts';
import { connectWithFields } from '../connections/connect.ts';
import { healthOf } from '../connections/health.ts';
import { awaitOAuth, startOAuth } from '../connections/oauth.ts';
import { listConnections } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import type { Connector, OAuth2 } from '../kit/index.ts';
import { countEntities, lookUpCustomer } from '../model/store.ts';
import { installPlaybook, switchSequence } from '../sequences/playbooks.ts';
import { listParked } from '../sync/parked.ts';
import { streamInfos } from '../sync/status.ts';
import { countOccurrences } from '../triggers/store.ts';
import { type CommonOptions, command, print, table, tenantOf, withHub } from './context.ts';

/** Commands to run the hub and see how it stands: serve, connect, status, explain, audit and a few more. */
export function operateCommands(program: Command): void {
  program
    .command('serve')
    .description('Run the hub: API, sync, engine and dispatch in this process (ROLES chooses parts).')
    .action(async () => {
      const { serve } = await import('../main.ts');
      await serve();
    });

  program
    .command('setup')
    .description('Make the business and its owner on a fresh hub, without a browser.')
    .requiredOption('--business <name>')
    .requiredOption('--name <name>', "the owner's name")
    .requiredOption('--email <address>')
    .option('--zone <zone>', 'time zone of the business, such as Europe/Berlin')
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<
          CommonOptions & { business: string; name: string; email: string; zone?: string }
        >();
        const password = process.env.RAPPORT_PASSWORD;
        if (!password || password.length < 10)
          throw new Problem(
            400,
            'no_password',
            'The password of at least 10 characters comes from the environment variable RAPPORT_PASSWORD, so that it stays out of the shell history.',
          );
        await withHub(async (hub) => {
          const made = await setUp(hub.access, { ...options, password });
          const key = await makeApiKey(hub.access, made.tenantId, {
            name: 'command line',
            role: 'admin',
            by: `user:${made.userId}`,
          });
          print(
            options,
            { ...made, apiKey: key.key },
            () =>
              `${options.business} is set up; ${options.email} is its owner.\nAn API key (shown this once): ${key.key}`,
          );
        });
      }),
    );

  program
    .command('connect')
    .description(
      'Connect a platform.\nOAuth platforms print an address to open in a browser and wait; others take their keys with --set.\nExamples: rapport connect hubspot\n          rapport connect twilio --set accountSid=AC... --set keySid=SK... --set keySecret=... --set authToken=...',
    )
    .argument('<connector>')
    .option('--set <name=value...>', 'a setting or credential')
    .option('--feature <name...>', 'features to switch on (default: all)')
    .option('--again <connection>', 'authorise this connection again')
    .action(
      command(async (id: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { set?: string[]; feature?: string[]; again?: string }>();
        const running = await isRunning();
        await withHub(
          async (hub) => {
            const tenantId = await tenantOf(hub, options);
            const connector = connectorOf(hub.deps.registry, id);
            const features = options.feature ?? Object.keys(connector.auth.features);
            const settings = settingsOf(options.set ?? []);
            if (connector.auth.kind !== 'oauth2') {
              const row = await connectWithFields(
                hub.deps,
                tenantId,
                connector,
                { fields: settings, features, connectionId: options.again, actor: 'cli' },
                hub.onConnected,
              );
              return print(
                options,
                { id: row.id, name: row.name },
                () => `${connector.name} is connected as ${row.name}.`,
              );
            }
            const { authorizeUrl, stateHash } = await startOAuth(hub.deps, tenantId, {
              connector: connector as Connector & { auth: OAuth2 },
              features,
              settings,
              connectionId: options.again,
              actor: 'cli',
            });
            process.stderr.write(
              `Open this address in a browser and say yes there:\n\n  ${authorizeUrl}\n\nWaiting (15 minutes at most)...\n`,
            );
            const connectionId = await awaitOAuth(hub.deps, stateHash, AbortSignal.timeout(15 * 60_000));
            print(
              options,
              { id: connectionId },
              () => `${connector.name} is connected. "rapport sync" reads it; a running hub does so by itself.`,
            );
          },
          // The platform sends the browser back to the hub: when none runs, this process listens meanwhile.
          running ? [] : ['api'],
        );
      }),
    );

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

/** Whether a hub answers at the configured address. */
async function isRunning(): Promise<boolean> {
  const { publicUrl } = loadConfig();
  return fetch(`${publicUrl}/health`, { signal: AbortSignal.timeout(2_000) }).then(
    (answer) => answer.ok,
    () => false,
  );
}

function settingsOf(pairs: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new Problem(400, 'bad_setting', `--set takes name=value, not "${pair}".`);
      const value = pair.slice(at + 1);
      return [
        pair.slice(0, at),
        /^\d+$/.test(value) && value.length < 10
          ? Number(value)
          : value === 'true'
            ? true
            : value === 'false'
              ? false
              : value,
      ];
    }),
  );
}

type Explained = Awaited<ReturnType<typeof explainCustomer>>;

function explained(answer: Explained): string {
  const { customer, clock } = answer;
  const lines = [
    `${customer.name ?? customer.id} (${[customer.email, customer.phone].filter(Boolean).join(', ') || 'no address'})`,
    `Their clock: ${clock.localTime} (${clock.zones.slice(0, 3).join(', ')}${clock.zones.length > 3 ? ', ...' : ''}, from ${clock.from})`,
  ];
  const owes = answer.owes as { total?: string; count?: number; oldest_days?: number } | null;
  lines.push(
    owes
      ? `Owes ${owes.total} on ${owes.count} overdue invoice(s), the oldest ${owes.oldest_days} days.`
      : 'Owes nothing that is overdue.',
  );
  for (const enrolment of answer.enrolments) {
    lines.push(
      '',
      `${enrolment.sequence}: ${enrolment.state}${enrolment.endReason ? ` (${enrolment.endReason})` : ` on step ${enrolment.step}${enrolment.waitingFor ? `, waiting for ${enrolment.waitingFor}` : ''}${enrolment.nextAt ? ` until ${enrolment.nextAt}` : ''}`}`,
    );
    for (const step of enrolment.steps as { step_id: string; outcome: string | null; detail: string | null }[])
      lines.push(`  ${step.step_id}: ${step.outcome ?? 'here now'}${step.detail ? ` (${step.detail})` : ''}`);
    if (enrolment.next) {
      lines.push(`  Next, ${enrolment.next.step}: would ${enrolment.next.verdict} now`);
      for (const gate of enrolment.next.gates)
        lines.push(`    ${gate.verdict === 'allow' ? 'yes ' : gate.verdict.padEnd(5)} ${gate.gate}: ${gate.detail}`);
    }
  }
  if (answer.actions.length > 0)
    lines.push(
      '',
      'What happened',
      ...answer.actions.map(
        (action) =>
          `  ${action.at.slice(0, 16)} ${action.kind} by ${action.channel}: ${action.state}${action.reason ? ` (${action.reason}: ${action.detail ?? ''})` : ''}${action.url ? ` ${action.url}` : ''}`,
      ),
    );
  if (answer.occurrences.length > 0)
    lines.push(
      '',
      'What was noticed',
      ...(answer.occurrences as { trigger: string; subject: string; occurredOn: string; outcome: string }[]).map(
        (row) => `  ${row.occurredOn} ${row.trigger} (${row.subject}): ${row.outcome}`,
      ),
    );
  return lines.join('\n');
}
