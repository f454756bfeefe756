import { expect, test } from 'vitest';
import type { Config } from '../src/base/config.ts';
import { originOf } from '../src/connections/vendors.ts';
import type { Connector } from '../src/kit/index.ts';

const connector = {
  id: 'far-away',
  hosts: { api: 'https://api.far.example', api_eu: 'https://api.far-eu.example' },
  hostOf: (host: string, { settings, secrets }: Parameters<NonNullable<Connector['hostOf']>>[1]) =>
    secrets.instance ?? (settings.region === 'eu' ? `${host}_eu` : undefined),
} as unknown as Connector;

const origin = (
  env: Record<string, string>,
  settings: Record<string, unknown> = {},
  secrets: Record<string, string> = {},
): string => originOf({ env } as unknown as Config, connector, 'api', { settings, secrets });

test('hosts: a host is where the connector says, unless the connection belongs elsewhere', () => {
  expect(origin({})).toBe('https://api.far.example');
  expect(origin({}, { region: 'eu' })).toBe('https://api.far-eu.example');
  expect(origin({}, {}, { instance: 'https://own.far.example/' })).toBe('https://own.far.example');
});

test('hosts: what is configured wins, for each region by itself', () => {
  const env = { FAR_AWAY_HOST_API: 'http://127.0.0.1:1', FAR_AWAY_HOST_API_EU: 'http://127.0.0.1:2' };
  expect(origin(env)).toBe('http://127.0.0.1:1');
  expect(origin(env, { region: 'eu' })).toBe('http://127.0.0.1:2');
  expect(origin(env, {}, { instance: 'https://own.far.example' })).toBe('http://127.0.0.1:1');
});
