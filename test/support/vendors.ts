import { type HubSpotSandbox, start as startHubSpot } from '../../connectors/hubspot/sandbox.ts';
import { type QuickBooksSandbox, start as startQuickBooks } from '../../connectors/quickbooks/sandbox.ts';
import { type SlackSandbox, start as startSlack } from '../../connectors/slack/sandbox.ts';
import { type SmtpSandbox, start as startSmtp } from '../../connectors/smtp/sandbox.ts';
import { start as startTwilio, type TwilioSandbox } from '../../connectors/twilio/sandbox.ts';
import { start as startWebhook, type WebhookSandbox } from '../../connectors/webhook/sandbox.ts';
import type { Clock, Sandbox } from '../../src/kit/index.ts';
import type { TestHub } from './hub.ts';

/** Our registrations at the vendors; they mean something to the simulations only. */
const APP = {
  HUBSPOT_CLIENT_ID: 'hubspot-app',
  HUBSPOT_CLIENT_SECRET: 'hubspot-secret',
  QUICKBOOKS_CLIENT_ID: 'quickbooks-app',
  QUICKBOOKS_CLIENT_SECRET: 'quickbooks-secret',
  QUICKBOOKS_WEBHOOK_VERIFIER: 'quickbooks-verifier',
  SLACK_CLIENT_ID: 'slack-app',
  SLACK_CLIENT_SECRET: 'slack-secret',
  SLACK_SIGNING_SECRET: 'slack-signing',
};

/** The simulations a story needs, by platform; those that were not asked for are absent. */
export interface Vendors {
  hubspot: HubSpotSandbox;
  quickbooks: QuickBooksSandbox;
  twilio: TwilioSandbox;
  slack: SlackSandbox;
  smtp: SmtpSandbox;
  /** Any other system that posts to the hub. */
  webhook: WebhookSandbox;
}

export type VendorName = keyof Vendors;

/** Starts simulations on the clock given; those that post to the app's own address post to `port`. */
export async function startVendors(names: readonly VendorName[], clock: Clock, port: number): Promise<Vendors> {
  const options = (name: VendorName) => ({
    clock,
    app: APP,
    hookUrl: `http://127.0.0.1:${port}/hooks/${name}`,
    limits: false,
  });
  const starts: Record<VendorName, () => Promise<Sandbox>> = {
    hubspot: () => startHubSpot(options('hubspot')),
    quickbooks: () => startQuickBooks(options('quickbooks')),
    slack: () => startSlack(options('slack')),
    // Their addresses are told when they are connected.
    twilio: () => startTwilio({ clock, app: {} }),
    smtp: () => startSmtp({ clock, app: {} }),
    webhook: () => startWebhook({ clock, app: {} }),
  };
  const vendors: Record<string, Sandbox> = {};
  for (const name of names) vendors[name] = await starts[name]();
  return vendors as unknown as Vendors;
}

/** Registrations and the hosts of the simulations, as a hub wants them; half a registration would be refused. */
export function environmentOf(vendors: Vendors): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, vendor] of Object.entries(vendors) as [string, Sandbox][]) {
    for (const [key, value] of Object.entries(APP)) if (key.startsWith(name.toUpperCase())) env[key] = value;
    if (name === 'webhook') continue;
    for (const [host, url] of Object.entries(vendor.hosts)) env[`${name}_HOST_${host}`.toUpperCase()] = url;
  }
  return env;
}

/** Connects a platform to a hub as its users would; answers the connection. */
export async function connectVendor(hub: TestHub, name: VendorName, vendors: Vendors): Promise<Record<string, any>> {
  const settings = (): Record<string, unknown> | undefined => {
    if (name === 'smtp') return vendors.smtp.credentials;
    if (name === 'webhook') return { secret: vendors.webhook.secret };
    if (name !== 'twilio') return undefined;
    return { ...vendors.twilio.credentials, messagingServiceSid: vendors.twilio.state.service.sid };
  };
  const fields = settings();
  if (!fields) return hub.connect(name);
  const { status, body } = await hub.api('POST', '/v1/connections', { connector: name, settings: fields });
  if (status !== 200) throw new Error(`Connecting ${name} failed: ${JSON.stringify(body)}`);
  if (name === 'webhook') vendors.webhook.hookUrl = body.connection.webhookUrl;
  return body.connection;
}
