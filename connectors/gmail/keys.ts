import type { JsonWebKey } from 'node:crypto';
import { fetch } from 'undici';

/** Google changes its keys every few days; an answer says for how long it may be kept. */
const DEFAULT_SECONDS = 3600;

/** An unknown key makes us ask again, but not for every post somebody invents. */
const AGAIN_MS = 60_000;

interface Published {
  keys: Map<string, JsonWebKey>;
  askedAt: number;
  until: number;
}

const known = new Map<string, Published>();

async function ask(url: string, now: number): Promise<Published> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000), redirect: 'error' });
  if (!answer.ok) throw new Error(`Google's keys could not be read (${answer.status}).`);
  const { keys } = (await answer.json()) as { keys: (JsonWebKey & { kid: string })[] };
  const seconds = Number(/max-age=(\d+)/.exec(answer.headers.get('cache-control') ?? '')?.[1] ?? DEFAULT_SECONDS);
  return { keys: new Map(keys.map((key) => [key.kid, key])), askedAt: now, until: now + seconds * 1000 };
}

/**
 * A key Google signs with, by its id.
 * @param url where they are published
 * @param at the time now, by which is judged how long they are good
 * @returns undefined when there is none of that id
 * @throws Error when they cannot be read: the post is not taken, and Google sends it again
 */
export async function publishedKey(url: string, id: string, at: Date): Promise<JsonWebKey | undefined> {
  const before = known.get(url);
  const now = at.getTime();
  const good = before && now < before.until && (before.keys.has(id) || now < before.askedAt + AGAIN_MS);
  const published = good ? before : await ask(url, now);
  known.set(url, published);
  return published.keys.get(id);
}
