import type { Config } from '../base/config.ts';
import { Problem } from '../base/errors.ts';
import type { AppCredentials, AppSecrets, Connector, Secrets } from '../kit/index.ts';

/** All connectors the hub has. */
export interface Registry {
  all(): readonly Connector[];
  find(id: string): Connector | undefined;
}

/** @throws Problem 404 naming the connectors there are */
export function connectorOf(registry: Registry, id: string): Connector {
  const connector = registry.find(id);
  if (!connector) {
    throw new Problem(404, 'not_found', `There is no connector "${id}".`, {
      fix: `The connectors are ${registry
        .all()
        .map((known) => known.id)
        .join(', ')}.`,
    });
  }
  return connector;
}

const envName = (text: string): string => text.toUpperCase().replace(/[^A-Z0-9]+/g, '_');

/** Environment variable that points a host of a connector elsewhere: `HUBSPOT_HOST_API`. */
export const hostVariable = (connector: string, host: string): string => `${envName(connector)}_HOST_${envName(host)}`;

/**
 * Address of a host of a connector, without a slash at its end: configured, else the one the vendor told this connection,
 * else the vendor's own. Connectors whose host belongs to the connection (an own server) take it from its settings.
 * @param known what is known of the connection: its region or instance decides for some vendors
 */
export function originOf(
  config: Config,
  connector: Connector,
  host: string,
  known: { settings: Record<string, unknown>; secrets: Secrets },
): string {
  const told = connector.hostOf?.(host, known);
  const name = told !== undefined && Object.hasOwn(connector.hosts, told) ? told : host;
  const address = name === told ? undefined : told;
  const origin = config.env[hostVariable(connector.id, name)] ?? address ?? connector.hosts[name];
  if (origin === undefined) throw new Error(`The connector ${connector.id} names a host "${host}" it does not have.`);
  return origin.replace(/\/+$/, '');
}

/** Values of the environment variables a connector names. */
export function appSecretsOf(config: Config, connector: Connector): AppSecrets {
  const names = [
    ...(connector.auth.kind === 'oauth2' ? [connector.auth.app.clientId, connector.auth.app.clientSecret] : []),
    ...(connector.appSecrets ?? []),
    ...(connector.optionalSecrets ?? []),
  ];
  return Object.fromEntries(names.map((name) => [name, config.env[name]?.trim() || undefined]));
}

/** The features that are switched on when nobody names any. */
export const usualFeatures = ({ auth }: Pick<Connector, 'auth'>): string[] =>
  Object.entries(auth.features).flatMap(([name, { byName }]) => (byName ? [] : [name]));

/** Names of the variables a connector needs and does not find. */
export const missingSecrets = (config: Config, connector: Connector): string[] =>
  Object.entries(appSecretsOf(config, connector))
    .filter(([name, value]) => value === undefined && !connector.optionalSecrets?.includes(name))
    .map(([name]) => name);

/**
 * Our registration at the vendor.
 * @throws Problem naming the variables to set
 */
export function appCredentials(config: Config, connector: Connector): AppCredentials {
  if (connector.auth.kind !== 'oauth2') throw new Error(`${connector.id} does not use OAuth.`);
  const missing = missingSecrets(config, connector);
  if (missing.length > 0) {
    throw new Problem(
      409,
      'not_configured',
      `${connector.name} cannot be connected yet: this hub has no registration there.`,
      {
        fix: `Register an app at ${connector.name} with the redirect address ${config.publicUrl}/oauth/callback and start the hub with ${missing.join(' and ')}.`,
      },
    );
  }
  const secrets = appSecretsOf(config, connector);
  return { clientId: secrets[connector.auth.app.clientId]!, clientSecret: secrets[connector.auth.app.clientSecret]! };
}

/** Half-set registrations are mistakes: the program says so before it listens. */
export function checkVendorConfig(config: Config, registry: Registry): string[] {
  return registry.all().flatMap((connector) => {
    const secrets = Object.entries(appSecretsOf(config, connector)).filter(
      ([name]) => !connector.optionalSecrets?.includes(name),
    );
    const missing = secrets.filter(([, value]) => value === undefined).map(([name]) => name);
    return missing.length > 0 && missing.length < secrets.length
      ? [
          `${connector.name} is half configured: ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing beside ${secrets
            .filter(([, value]) => value)
            .map(([name]) => name)
            .join(' and ')}.`,
        ]
      : [];
  });
}

/** Address at which the vendor reaches us for this connection. */
export function webhookUrl(config: Config, connector: Connector, connectionId: string): string | null {
  if (!connector.webhooks) return null;
  return `${config.publicUrl}/hooks/${connector.id}${connector.webhooks.scope === 'connection' ? `/${connectionId}` : ''}`;
}
