import {
  type Clock,
  hmacSha256,
  listAt,
  type SignedPost,
  type StreamTrial,
  type Trial,
  type TrialEvent,
} from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import type { HubSpotState, Properties } from './sandbox.state.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

interface Account {
  state: HubSpotState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  portalId: string;
  hookUrl?: string | undefined;
}

/** HubSpot's side of the cases every connector is tried with. */
export function trialOf(account: Account, clock: Clock, secret: string): Trial {
  const { state, server, oauth } = account;
  return {
    streams: {
      owners: ownerTrial(state),
      deal_stages: stageTrial(state, 'deals'),
      ticket_stages: stageTrial(state, 'tickets'),
      companies: objectTrial(state, 'companies', 'name', (n) => ({ name: `Company ${n}` })),
      contacts: objectTrial(state, 'contacts', 'lastname', (n) => ({ lastname: `Number ${n}` })),
      deals: objectTrial(state, 'deals', 'dealname', (n) => ({ dealname: `Deal ${n}`, dealstage: 'contractsent' })),
      tickets: objectTrial(state, 'tickets', 'subject', (n) => ({ subject: `Ticket ${n}`, hs_pipeline_stage: '1' })),
      invoices: objectTrial(state, 'invoices', 'hs_number', (n) => ({
        hs_number: `I-${n}`,
        hs_invoice_status: 'open',
        hs_balance_due: '10.00',
      })),
    },
    hook: hooksOf(account, secret),
    calls: () =>
      server.journal.map(({ at: when, method, path, status }) => ({ at: when, call: `${method} ${path}`, status })),
    actions: actionsOf(state),
    refusals: refusalsOf(clock),
    grants: grantsOf(oauth),
  };
}

function objectTrial(state: HubSpotState, type: string, named: string, make: (n: number) => Properties): StreamTrial {
  let made = 0;
  const live = () => state.all(type).filter(({ archived }) => !archived);
  return {
    create: (count, when) =>
      Array.from({ length: count }, () => state.create(type, make(++made), when?.toISOString()).id),
    change: (id, mark, when) => void state.update(type, id, { [named]: mark }, when?.toISOString()),
    remove: (id) => state.archive(type, id),
    merge: (from, into) => state.merge(type, into, from),
    addField: (name) => void state.addProperty(type, { name }),
    ids: () => live().map(({ id }) => id),
    announced: true,
    listed: new RegExp(`^(GET /crm/objects/[^/]+/${type}|POST /crm/objects/[^/]+/${type}/search)$`),
    // Of a search; the plain list has none.
    cap: 10_000,
    field: `properties.${named}`,
    records: (body) => listAt(body, 'results'),
  };
}

const ownerTrial = (state: HubSpotState): StreamTrial => ({
  create: (count) =>
    Array.from(
      { length: count },
      (_, n) => state.addOwner('Owner', `Number ${n}`, `owner${state.owners.length}@business.example`).id,
    ),
  change: (id, mark) => {
    state.owners.find((owner) => owner.id === id)!.lastName = mark;
  },
  remove: (id) => {
    state.owners.find((owner) => owner.id === id)!.archived = true;
  },
  ids: () => state.owners.filter(({ archived }) => !archived).map(({ id }) => id),
  listed: /^GET \/crm\/owners\/[^/]+$/,
  field: 'lastName',
  records: (body) => listAt(body, 'results'),
});

function stageTrial(state: HubSpotState, type: 'deals' | 'tickets'): StreamTrial {
  const stages = () => state.pipelines[type]![0]!.stages;
  return {
    create: (count) =>
      Array.from({ length: count }, () => {
        const id = `${type}-stage-${stages().length}`;
        stages().push({ ...stages()[0]!, id, label: `Stage ${stages().length}`, displayOrder: stages().length });
        return id;
      }),
    change: (id, mark) => {
      stages().find((stage) => stage.id === id)!.label = mark;
    },
    remove: (id) => {
      stages().find((stage) => stage.id === id)!.archived = true;
    },
    ids: () =>
      stages()
        .filter(({ archived }) => !archived)
        .map(({ id }) => id),
    listed: new RegExp(`^GET /crm/pipelines/[^/]+/${type}$`),
    field: 'label',
    records: (body) => listAt(body, 'results').flatMap((pipeline) => listAt(pipeline, 'stages')),
  };
}

const TYPE_IDS: Record<string, string> = {
  contacts: '0-1',
  companies: '0-2',
  deals: '0-3',
  tickets: '0-5',
  invoices: '0-53',
};
const SUBSCRIPTIONS = { changed: 'object.propertyChange', deleted: 'object.deletion', merged: 'object.merge' };

/** HubSpot has no id that tells events apart; together with the record, their subscription and moment do. */
function hooksOf(account: Account, secret: string): (event: TrialEvent, at: Date) => SignedPost {
  const known = new Map<string, { occurredAt: number; subscriptionId: number }>();
  return ({ stream, id, change, into, event }, when) => {
    const moment = known.get(event) ?? { occurredAt: when.getTime(), subscriptionId: known.size + 1 };
    known.set(event, moment);
    const told = {
      ...moment,
      appId: 1160452,
      portalId: Number(account.portalId),
      eventId: 1,
      attemptNumber: 0,
      changeSource: 'CRM_UI',
      objectTypeId: TYPE_IDS[stream],
      subscriptionType: SUBSCRIPTIONS[change],
      ...(change === 'merged'
        ? { objectId: Number(into), primaryObjectId: Number(into), mergedObjectIds: [Number(id)] }
        : { objectId: Number(id) }),
      ...(change === 'changed' ? { propertyName: 'hs_lastmodifieddate', propertyValue: 'x' } : {}),
    };
    const body = JSON.stringify([told]);
    const timestamp = String(when.getTime());
    const url = account.hookUrl!;
    const signature = hmacSha256(secret, `POST${url}${body}${timestamp}`).toString('base64');
    const signed = { 'x-hubspot-signature-v3': signature, 'x-hubspot-request-timestamp': timestamp };
    return { url, body, headers: { 'content-type': 'application/json', ...signed } };
  };
}
