import type { Command } from 'commander';
import { Value } from 'typebox/value';
import { makeApiKey, setUp } from '../access/identity.ts';
import { loadConfig } from '../base/config.ts';
import { Problem } from '../base/errors.ts';
import { connectWithFields } from '../connections/connect.ts';
import { awaitOAuth, startOAuth } from '../connections/oauth.ts';
import { connectorOf, usualFeatures } from '../connections/vendors.ts';
import type { Connector, OAuth2 } from '../kit/index.ts';
import { connectorNames } from '../registry.ts';
import { type CommonOptions, command, examples, print, tenantOf, withHub } from './context.ts';

/** Commands that set a hub up: the first business, and connecting platforms. */
export function connectCommands(program: Command): void {
  program
    .command('setup')
    .description('Make the business and its owner on a fresh hub, without a browser.')
    .requiredOption('--business <name>', 'name of the business')
    .requiredOption('--name <name>', "the owner's name")
    .requiredOption('--email <address>', 'where the owner logs in with')
    .option('--zone <zone>', 'time zone of the business, such as Europe/Berlin')
    .addHelpText(
      'after',
      examples(
        'RAPPORT_PASSWORD=... rapport setup --business "Bright Glass" --name "Ann Miller" --email ann@example.com',
      ),
    )
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
      'Connect a platform.\nOAuth platforms print an address to open in a browser and wait; others take their keys with --set.',
    )
    .addHelpText(
      'after',
      examples(
        'rapport connect hubspot',
        'rapport connect twilio --set accountSid=AC... --set keySid=SK... --set keySecret=... --set authToken=...',
      ),
    )
    .argument('<connector>', connectorNames().join(', '))
    .option('--set <name=value...>', 'a setting or credential')
    .option('--feature <name...>', 'features to switch on (default: all that every account can give)')
    .option('--again <connection>', 'authorise this connection again')
    .action(
      command(async (id: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { set?: string[]; feature?: string[]; again?: string }>();
        const running = await isRunning();
        await withHub(
          async (hub) => {
            const tenantId = await tenantOf(hub, options);
            const connector = connectorOf(hub.deps.registry, id);
            const features = options.feature ?? usualFeatures(connector);
            const settings = settingsOf(options.set ?? []);
            if (connector.auth.kind !== 'oauth2') {
              const row = await connectWithFields(
                hub.deps,
                tenantId,
                connector,
                {
                  fields: Value.Convert(connector.auth.fields, settings) as Record<string, unknown>,
                  features,
                  connectionId: options.again,
                  actor: 'cli',
                },
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
}

/** Whether a hub answers at the configured address. */
async function isRunning(): Promise<boolean> {
  const { publicUrl } = loadConfig();
  return fetch(`${publicUrl}/health`, { signal: AbortSignal.timeout(2_000) }).then(
    (answer) => answer.ok,
    () => false,
  );
}

function settingsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new Problem(400, 'bad_setting', `--set takes name=value, not "${pair}".`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
