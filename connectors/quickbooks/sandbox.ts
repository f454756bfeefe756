import { basicAuth, type Sandbox, type SandboxOptions } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { installGate, installRevocation } from './sandbox.gate.ts';
import { type Announced, type Announcer, createAnnouncer, type HookForm } from './sandbox.hooks.ts';
import { deedsOf, fill, type People } from './sandbox.people.ts';
import { type Around, installReads } from './sandbox.routes.ts';
import { QuickBooksCompany } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';
import { installWrites } from './sandbox.writes.ts';

interface Switches {
  /** The company the next person who connects chooses. */
  realmId: string;
  /** The two forms of its webhooks. */
  hookForm: HookForm;
  /** Whether a requestid also brings back a refusal; the vendor does not say. */
  remembersRefusals: boolean;
}

export interface QuickBooksSandbox extends Sandbox, People, Announcer, Switches {
  /** The books of `realmId` as it was at the start. */
  state: QuickBooksCompany;
  /** The books of any company; made when first asked for. */
  company(realm: string): QuickBooksCompany;
  server: SandboxServer;
  oauth: SandboxOAuth;
  /** Tokens that were given back. */
  revoked: string[];
  /** The vendor no longer knows the requestids of before. */
  forgetRequests(): void;
}

/**
 * Starts the simulation of QuickBooks Online: OAuth pages with rotating tokens, queries, changes, writing, webhooks. It
 * refuses more than 500 calls a minute and 10 a second.
 */
export async function start(options: SandboxOptions): Promise<QuickBooksSandbox> {
  const { clock, app: secrets } = options;
  const companies = new Map<string, QuickBooksCompany>();
  const company = (realm: string): QuickBooksCompany => {
    const known = companies.get(realm);
    if (known) return known;
    const made = new QuickBooksCompany(realm, clock);
    // As late as the others: it is one index.
    made.lateIndexMs = [...companies.values()][0]?.lateIndexMs ?? 0;
    companies.set(realm, made);
    return made;
  };
  const state = company('9130350000000001');
  const switches: Switches & Pick<Sandbox, 'hookUrl' | 'lateIndexMs'> = {
    realmId: state.realm,
    hookForm: 'cloudevents',
    remembersRefusals: false,
    hookUrl: options.hookUrl,
    get lateIndexMs() {
      return state.lateIndexMs;
    },
    // Each company can be set by itself, too.
    set lateIndexMs(milliseconds) {
      for (const each of companies.values()) each.lateIndexMs = milliseconds;
    },
  };
  const created = createSandboxServer('QuickBooks Online', options);
  const { app, journal } = created;
  const client = {
    clientId: secrets.QUICKBOOKS_CLIENT_ID ?? 'quickbooks-app',
    clientSecret: secrets.QUICKBOOKS_CLIENT_SECRET ?? 'quickbooks-secret',
  };
  const revoked: string[] = [];
  const oauth = installOAuth(
    app,
    oauthOptions(clock, client, () => switches.realmId),
  );
  installRevocation(app, revoked, basicAuth(client.clientId, client.clientSecret));
  installGate(app, { clock, oauth, limits: options.limits !== false, trace: () => `1-sim-${journal.length}` });

  const verifier = secrets.QUICKBOOKS_WEBHOOK_VERIFIER ?? 'quickbooks-verifier';
  const announcer = createAnnouncer({
    clock,
    verifier,
    realm: state.realm,
    form: () => switches.hookForm,
    post: (body, headers) => created.post(switches.hookUrl!, body, headers),
  });
  const tell: Tell = async (entity, operation, id, more = {}) => {
    if (switches.hookUrl) await announcer.announce([{ entity, operation, id, ...more }]);
  };
  const remembered: Around['remembered'] = new Map();
  const around: Around = {
    clock,
    company,
    remembered,
    remembersRefusals: () => switches.remembersRefusals,
    changed: (realm, entity, operation, id) => void tell(entity, operation, id, { realm }),
  };
  installReads(app, around);
  installWrites(app, around);

  const url = await created.listen();
  const running = Object.assign(switches, announcer, peopleOf(state, company, tell), {
    hosts: { api: url, app: url, oauth: url, developer: url },
    state,
    company,
    server: { ...created, url },
    oauth,
    revoked,
    forgetRequests: () => remembered.clear(),
    report: () => state.report(),
    stop: () => created.stop(),
  });
  const trial = trialOf(running, clock, verifier);
  return created.show(Object.assign(running, { fill: () => fill(state, clock.now()), deeds: deedsOf(running), trial }));
}

const oauthOptions = (
  clock: SandboxOptions['clock'],
  client: { clientId: string; clientSecret: string },
  account: () => string,
): Parameters<typeof installOAuth>[1] => ({
  ...client,
  clock,
  vendor: 'QuickBooks Online',
  authorizePath: '/connect/oauth2',
  tokenPath: '/oauth2/v1/tokens/bearer',
  clientAuth: 'basic',
  scopeSeparator: ' ',
  accessTtl: 3600,
  rotates: true,
  account,
  redirectExtra: (realmId) => ({ realmId }),
  answer: (grant, accessToken) => ({
    access_token: accessToken,
    refresh_token: grant.refreshToken,
    token_type: 'bearer',
    expires_in: 3600,
    x_refresh_token_expires_in: 8_726_400,
  }),
});

type Tell = (entity: string, operation: string, id: string, more?: Partial<Announced>) => Promise<void>;

const peopleOf = (state: QuickBooksCompany, company: (realm: string) => QuickBooksCompany, tell: Tell): People => ({
  payQuietly: (invoiceId, amount, { date, realm = state.realm } = {}) =>
    company(realm).receive(invoiceId, amount, date),
  pay: async (invoiceId, amount, { date, realm = state.realm } = {}) => {
    const payment = company(realm).receive(invoiceId, amount, date);
    await tell('Payment', 'created', payment.Id, { realm });
    return payment;
  },
  voidInvoice: async (id) => {
    state.voidInvoice(id);
    await tell('Invoice', 'voided', id);
  },
  deleteInvoice: async (id) => {
    state.deleteInvoice(id);
    await tell('Invoice', 'deleted', id);
  },
  credit: async (customerId, amount, invoiceId) => {
    const memo = state.giveCredit(customerId, amount, invoiceId);
    await tell('CreditMemo', 'created', memo.Id);
    return memo;
  },
  edit: async (entity, id, fields) => {
    state.change(entity, id, fields);
    await tell(entity, 'updated', id);
  },
  mergeCustomers: async (survivor, loser) => {
    state.merge(survivor, loser);
    await tell('Customer', 'merged', survivor, { deletedId: loser });
  },
});
