import type { Connector } from '../../src/kit/index.ts';

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');

/** What the README says about each platform, from its definition. */
export const platformTable = (connectors: readonly Connector[]): string =>
  table(['platform', 'connected by', 'reads', 'hears', 'does'], connectors.map(cells));

function cells(connector: Connector): string[] {
  const { auth, streams, webhooks, actions, files } = connector;
  const asked = streams.filter((stream) => stream.list).map((stream) => stream.name.replaceAll('_', ' '));
  const brought = streams.filter((stream) => !stream.list).map((stream) => stream.name.replaceAll('_', ' '));
  const how =
    auth.kind === 'oauth2' ? 'its own page' : Object.keys(auth.fields.properties).length > 0 ? 'keys' : 'nothing';
  const reads = [
    ...(asked.length > 0 ? [asked.join(', ')] : []),
    ...(brought.length > 0 ? [`${files ? 'from files' : 'as posted'}: ${brought.join(', ')}`] : []),
  ];
  const hears = webhooks ? `webhooks, one address for ${webhooks.scope === 'app' ? 'the app' : 'each connection'}` : '';
  const does = actions.map((action) => `\`${action.kind}\``).join(' ');
  return [connector.name, how, reads.join('; ') || '-', hears || '-', does || '-'];
}

const code = (text: string): string => `\`${text}\``;

/** How the app of one's own is registered at each platform that has such a thing. */
export function registrationTable(connectors: readonly Connector[]): string {
  const rows = connectors.flatMap(({ id, name, auth, appSecrets, optionalSecrets, webhooks }) => {
    const secrets = [
      ...(auth.kind === 'oauth2' ? [auth.app.clientId, auth.app.clientSecret] : []),
      ...(appSecrets ?? []),
    ];
    if (secrets.length === 0) return [];
    const addresses = [
      ...(auth.kind === 'oauth2' ? [`redirect ${code('/oauth/callback')}`] : []),
      ...(webhooks?.scope === 'app' ? [`webhooks ${code(`/hooks/${id}`)}`] : []),
    ];
    const names = [...secrets.map(code), ...(optionalSecrets ?? []).map((one) => `${code(one)} (optional)`)];
    return [[name, names.join(', '), addresses.join(', ') || '-']];
  });
  return table(['platform', 'variables of the registration', 'address to enter there'], rows);
}
