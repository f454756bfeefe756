import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Child, eventually, killChildren, startChild } from './support/children.ts';
import { HOUR, MINUTE } from './support/hub.ts';
import { beginStory, type Story } from './support/story.ts';

const ACCOUNT = '/account-info/2026-09/details';
const TOKEN = /\/oauth\/.*\/token$/;

let story: Story;
const who = () => ({ tenantId: story.tenantId, connectionId: story.connections.hubspot.id as string });
const refreshes = (): number => story.vendors.hubspot.oauth.counts.refreshes;
const lease = async () => (await story.rows('select lease_owner, version from credential where tenant_id = $1'))[0]!;
const children = (count: number): Promise<Child[]> =>
  Promise.all(Array.from({ length: count }, () => startChild(story, ['hubspot'], true)));

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot'] });
});
afterEach(() => killChildren());
afterAll(() => story?.end());

test('credentials: of eight processes that need the token at once one refreshes it, and all have the same', async () => {
  // The token has ended; the vendor takes its time, so that everybody comes while one is at it.
  story.clock.advance(HOUR);
  const processes = await children(8);
  story.vendors.hubspot.server.faults.add({ kind: 'slow', milliseconds: 300, match: TOKEN });
  const before = refreshes();
  const got = await Promise.all(
    processes.map((child) => child.tell<{ token: string; version: number }>({ do: 'credential', ...who() })),
  );
  expect(refreshes()).toBe(before + 1);
  expect(new Set(got.map(({ token }) => token)).size).toBe(1);
  // The vendor ends it early: eight calls are refused, and again one process asks for a new one.
  story.vendors.hubspot.oauth.expireAll();
  await Promise.all(processes.map((child) => child.tell({ do: 'call', ...who(), path: ACCOUNT })));
  expect(refreshes()).toBe(before + 2);
  story.vendors.hubspot.server.faults.clear();
  expect(await lease()).toEqual({ lease_owner: null, version: got[0]!.version + 1 });
});

test('credentials: a refresh whose process was killed is taken over when its lease ends, not before', async () => {
  story.clock.advance(HOUR);
  const [first, second] = (await children(2)) as [Child, Child];
  const before = refreshes();
  story.vendors.hubspot.server.faults.add({ kind: 'silent', match: TOKEN });
  first.tell({ do: 'credential', ...who() }).catch(() => {});
  await eventually(async () => (await lease()).lease_owner ?? undefined);
  await first.kill();
  story.vendors.hubspot.server.faults.clear();
  const asked = second.tell<{ version: number }>({ do: 'credential', ...who() });
  await eventually(async () => (await second.tell<number>({ do: 'waits' })) >= 5 || undefined);
  expect(refreshes()).toBe(before);
  await second.tell({ do: 'advance', milliseconds: MINUTE });
  const { version } = await asked;
  expect(refreshes()).toBe(before + 1);
  expect(await lease()).toEqual({ lease_owner: null, version });
});
