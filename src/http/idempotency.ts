import type { FastifyInstance } from 'fastify';
import { canonicalJson } from '../audit/chain.ts';
import type { Clock } from '../base/clock.ts';
import { type Database, one } from '../base/database.ts';
import { Problem } from '../base/errors.ts';
import { sha256 } from '../base/ids.ts';
import type { Keyring } from '../base/keyring.ts';

interface Stored {
  request_hash: string;
  status: number | null;
  body: unknown;
  headers: Record<string, string> | null;
  created_at: Date;
}

/** A request that died without an answer may be repeated after this. */
const ABANDONED_MS = 60_000;

/** What a kept answer is sealed for; another business's or another key's does not open. */
export const answerContext = (tenantId: string, key: string): string => `idempotency ${tenantId} ${key}`;

/**
 * `Idempotency-Key` on every POST: the first answer is kept for a day and given again to the same request; the same key
 * with another request is refused; while the first is still running the second waits outside. Answers are kept
 * sealed: some hold a secret that is shown only once.
 */
export function installIdempotency(app: FastifyInstance, deps: { db: Database; clock: Clock; keyring: Keyring }): void {
  const running = new WeakMap<object, { tenantId: string; key: string }>();

  app.addHook('preHandler', async (request, reply) => {
    const key = request.headers['idempotency-key'];
    if (request.method !== 'POST' || key === undefined || !request.principal) return;
    if (typeof key !== 'string' || key.length === 0 || key.length > 200)
      throw new Problem(400, 'bad_key', 'The Idempotency-Key must have 1 to 200 characters.');
    const { tenantId, actor } = request.principal;
    const hash = sha256(`${actor} ${request.method} ${request.url} ${canonicalJson(request.body ?? null)}`).toString(
      'base64',
    );
    const now = deps.clock.now();
    const stored = await deps.db.tenant(tenantId, async (tx) => {
      const claimed = await tx.query(
        `insert into idempotency as i (tenant_id, key, request_hash, created_at) values ($1, $2, $3, $4)
         on conflict (tenant_id, key) do update set request_hash = excluded.request_hash, created_at = excluded.created_at
         where i.status is null and i.created_at < $5 or i.created_at < $6 returning 1`,
        [tenantId, key, hash, now, new Date(now.getTime() - ABANDONED_MS), new Date(now.getTime() - 86_400_000)],
      );
      if (claimed.rowCount === 1) return undefined;
      return one(
        await tx.query<Stored>(
          'select request_hash, status, body, headers, created_at from idempotency where tenant_id = $1 and key = $2',
          [tenantId, key],
        ),
      );
    });
    if (!stored) {
      running.set(request, { tenantId, key });
      return;
    }
    if (stored.request_hash !== hash)
      throw new Problem(422, 'key_reused', 'This Idempotency-Key was used for another request.', {
        fix: 'Use a new key for a new request.',
      });
    if (stored.status === null)
      throw new Problem(409, 'in_progress', 'The same request is still being worked on.', {
        fix: 'Ask again in a moment with the same key.',
      });
    reply.code(stored.status).headers({ ...stored.headers, 'idempotent-replay': 'true' });
    await reply
      .serializer((payload: unknown) => String(payload))
      .send(deps.keyring.open(Buffer.from(String(stored.body), 'base64'), answerContext(tenantId, key)));
  });

  app.addHook('onSend', async (request, reply, payload) => {
    const mine = running.get(request);
    if (!mine) return payload;
    running.delete(request);
    await deps.db.tenant(mine.tenantId, async (tx) => {
      // A failure of ours is not an answer: the request may be sent again.
      if (reply.statusCode >= 500)
        await tx.query('delete from idempotency where tenant_id = $1 and key = $2', [mine.tenantId, mine.key]);
      else {
        const sealed = deps.keyring.seal(String(payload ?? ''), answerContext(mine.tenantId, mine.key));
        const headers = {
          'content-type': String(reply.getHeader('content-type') ?? 'application/json'),
          ...(reply.hasHeader('etag') ? { etag: String(reply.getHeader('etag')) } : {}),
        };
        await tx.query(
          'update idempotency set status = $3, body = $4, headers = $5 where tenant_id = $1 and key = $2',
          [mine.tenantId, mine.key, reply.statusCode, JSON.stringify(sealed.toString('base64')), headers],
        );
      }
    });
    return payload;
  });
}
