import { expect } from 'vitest';
import { readCredential } from '../../../src/connections/credentials.ts';
import { appSecretsOf } from '../../../src/connections/vendors.ts';
import type { Connector } from '../../../src/kit/index.ts';
import { MINUTE } from '../../support/hub.ts';
import { authoriseAgain, enterKeys } from '../access.ts';
import { bodiesOf, kindsOf, planInto, trialOf, wishes } from '../acting.ts';
import type { Case, World } from '../case.ts';
import { placesWith } from '../leaks.ts';

/** What the connection keeps secret just now. */
async function secretsOf(world: World): Promise<string[]> {
  const { hub, tenantId, connection, connector } = world;
  const { secrets } = await readCredential(hub.hub.deps, tenantId, connection.id);
  const open = connector.auth.kind === 'oauth2' ? (connector.auth.keep ?? []) : [];
  return Object.entries(secrets).flatMap(([name, value]) => (open.includes(name) ? [] : [value]));
}

/** Our registration at the vendor; the id of the app is no secret, it stands in addresses. */
function appSecrets({ hub, connector }: World): string[] {
  const { auth } = connector;
  return Object.entries(appSecretsOf(hub.hub.config, connector)).flatMap(([name, value]) =>
    value === undefined || (auth.kind === 'oauth2' && name === auth.app.clientId) ? [] : [value],
  );
}

const ANSWERS = ['connections', 'connectors', 'actions?limit=200', 'streams', 'parked', 'audit?limit=200', 'customers'];

/** Everything the API tells. */
async function told({ api, connection }: World): Promise<string> {
  const actions = (await api('GET', '/v1/actions?limit=200')).body.items as { id: string }[];
  const paths = [
    ...ANSWERS,
    `connections/${connection.id}`,
    `connections/${connection.id}/calls`,
    ...actions.map(({ id }) => `actions/${id}`),
  ];
  const answers = await Promise.all(paths.map(async (path) => (await api('GET', `/v1/${path}`)).body));
  return JSON.stringify(answers);
}

const keepsSecrets = (connector: Connector): true | string =>
  connector.auth.kind === 'oauth2' || connector.auth.secret.length > 0 || 'it knows no secrets';

export const cases: readonly Case[] = [
  {
    capability: 'secrets',
    name: 'no secret is in a log, an answer, a preview or any row of the database, whatever went wrong',
    applies: keepsSecrets,
    run: async (world) => {
      const { trial, vendor, hub } = world;
      const secrets = new Set([...appSecrets(world), ...(await secretsOf(world))]);
      const said: unknown[] = [];
      await hub.settle();
      await everything(world, said);
      for (const secret of await secretsOf(world)) secrets.add(secret);

      // A vendor that repeats what it was sent, in the sentence it refuses with.
      if (trial.refusals.invalid) {
        const repeated = [...appSecrets(world), ...(await secretsOf(world))].join(' and ');
        await planInto(world, () => trial.refusals.invalid!(`The token ${repeated} is not allowed to do this`));
        const remove = vendor.faults!.add(trial.refusals.invalid(`Unknown key ${repeated}`));
        said.push((await world.api('POST', `/v1/connections/${world.connection.id}/test`)).body);
        said.push(await world.api('POST', `/v1/connections/${world.connection.id}/sync`, {}));
        await hub.advance(30 * MINUTE);
        remove();
      }
      await authoriseAgain(world);
      await hub.settle();
      for (const secret of await secretsOf(world)) secrets.add(secret);

      // Nothing is proven by looking for nothing, or for what is too short to be found by its own.
      expect(secrets.size).toBeGreaterThan(0);
      for (const secret of secrets) expect(secret.length).toBeGreaterThan(8);
      const texts = { answers: `${JSON.stringify(said)}${await told(world)}`, log: hub.lines.join('\n') };
      for (const [where, text] of Object.entries(texts)) {
        expect(text.length).toBeGreaterThan(1000);
        const found = [...secrets].filter((secret) => text.includes(secret));
        expect(
          found.map((secret) => around(text, secret)),
          where,
        ).toEqual([]);
      }
      expect(await placesWith(hub.hub.db.ownerUrl, [...secrets])).toEqual([]);
    },
  },
];

/** The words before a secret, which say where it is. */
const around = (text: string, secret: string): string => {
  const at = text.indexOf(secret);
  return `${text.slice(Math.max(0, at - 150), at)}…`;
};

/** Work of every sort, going well and badly. */
async function everything(world: World, said: unknown[]): Promise<void> {
  const { trial, vendor, hub, api, connection } = world;
  for (const body of await bodiesOf(world, wishes(world)))
    said.push((await api('POST', '/v1/actions', { ...body, preview: true })).body);
  await planInto(world, () => ({ kind: 'malformed' }));
  // Posts that are well signed, and posts that are not.
  const [stream] = Object.keys(trial.streams);
  if (trial.hook && stream) {
    const [id] = trial.streams[stream]!.create(1);
    const { url, body, headers } = trial.hook({ stream, id: id!, change: 'changed', event: 'leak-1' }, hub.clock.now());
    for (const post of [body, `${body} `]) {
      const answer = await fetch(url, { method: 'POST', headers, body: post });
      said.push(await answer.text());
    }
  }
  trial.grants?.expire?.();
  const { refusals } = trial;
  const faults = [refusals.expired?.(), refusals.forbidden?.fault(), refusals.unavailable(), refusals.revoked?.()];
  for (const fault of faults) {
    if (!fault) continue;
    await planInto(world, () => fault, kindsOf(trial).slice(0, 1));
    const remove = vendor.faults!.add(fault);
    said.push(await api('POST', `/v1/connections/${connection.id}/test`));
    if (world.connector.auth.kind !== 'oauth2') said.push((await enterKeys(world, await hub.otherTenant())).body);
    remove();
    await authoriseAgain(world);
  }
  const [kind] = kindsOf(trial);
  const [body] = kind ? await bodiesOf(world, [{ kind, input: trialOf(world, kind).input(0) }]) : [];
  if (body) said.push(await api('POST', '/v1/actions', body, { 'idempotency-key': `leak-${world.tenantId}` }));
  await hub.advance(20 * MINUTE);
}
