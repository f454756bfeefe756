import { newId } from '../../src/base/ids.ts';
import { runProofs } from '../../src/sync/proofs.ts';
import { type Acme, connectAcme } from './acme.ts';
import type { Api, TestHub } from './hub.ts';

type Row = Record<string, any>;

/** A business of its own that connected the made-up vendor, with what tests ask of both. */
export class AcmeWorld {
  readonly hub: TestHub;
  readonly acme: Acme;
  readonly tenantId: string;
  readonly api: Api;
  readonly connection: Row;

  private constructor(hub: TestHub, acme: Acme, tenant: { tenantId: string; api: Api }, connection: Row) {
    this.hub = hub;
    this.acme = acme;
    this.tenantId = tenant.tenantId;
    this.api = tenant.api;
    this.connection = connection;
  }

  /** @param fill what the vendor holds before anybody reads it */
  static async open(hub: TestHub, acme: Acme, fill: (acme: Acme) => void = () => {}): Promise<AcmeWorld> {
    acme.tables.clear();
    acme.stones.clear();
    acme.hides = () => false;
    acme.before = undefined;
    acme.account = 'acme-1';
    fill(acme);
    const tenant = await hub.otherTenant();
    const world = new AcmeWorld(hub, acme, tenant, await connectAcme(hub, tenant.api));
    acme.taken();
    return world;
  }

  /** Disconnects, so that the next test has the vendor for itself. */
  async close(): Promise<void> {
    this.acme.before = undefined;
    await this.api('DELETE', `/v1/connections/${this.connection.id}`);
  }

  async select(sql: string, ...more: unknown[]): Promise<Row[]> {
    const { db } = this.hub.hub;
    return (await db.tenant(this.tenantId, (tx) => tx.query<Row>(sql, [this.tenantId, ...more]))).rows;
  }

  async stream(name: string): Promise<Row> {
    const { body } = await this.api('GET', `/v1/streams?connectionId=${this.connection.id}`);
    return body.items.find((item: Row) => item.stream === name);
  }

  /** Ids of the living records of a stream. */
  async living(name: string): Promise<string[]> {
    const { id } = await this.stream(name);
    const rows = await this.select(
      'select remote_id from source_record where tenant_id = $1 and stream_id = $2 and deleted_at is null order by remote_id',
      id,
    );
    return rows.map((row) => row.remote_id);
  }

  async deletions(state?: string): Promise<Row[]> {
    const { body } = await this.api('GET', `/v1/deletions${state ? `?state=${state}` : ''}`);
    return body.items;
  }

  async decide(id: string, decision: 'confirm' | 'refuse' | 'undo'): Promise<{ status: number; body: Row }> {
    const answer = await this.api('POST', `/v1/deletions/${id}/${decision}`);
    await this.hub.settle();
    return answer;
  }

  /** What the platform tells by webhook about records, as hints that wait to be fetched. */
  async announce(stream: string, change: string, ids: readonly string[]): Promise<void> {
    for (const id of ids)
      await this.select(
        `insert into hint (tenant_id, connection_id, event_key, stream, remote_id, change, received_at) values ($1, $2, $3, $4, $5, $6, $7)`,
        this.connection.id,
        newId(),
        stream,
        id,
        change,
        this.hub.clock.now(),
      );
    await this.hub.hub.queue.wake('refetch', { tenantId: this.tenantId, connectionId: this.connection.id });
    await this.hub.settle();
  }

  /** Polls a stream now. */
  async poll(...streams: string[]): Promise<void> {
    await this.api('POST', `/v1/connections/${this.connection.id}/sync`, { streams });
    await this.hub.settle();
  }

  /** Makes the sweep of a stream due and runs it, `most` pages of it. */
  async sweep(name: string, most?: number): Promise<Row> {
    const { id } = await this.stream(name);
    // Only what was here before a pass can be missing from it.
    this.hub.clock.advance(60_000);
    await this.select('update stream set sweep_due_at = null, verify_due_at = null where tenant_id = $1');
    await this.select('update stream set sweep_due_at = $3 where tenant_id = $1 and id = $2', id, this.hub.clock.now());
    const { proofs } = await runProofs(this.hub.hub.deps, this.tenantId, this.connection.id, most ? { most } : {});
    return proofs[0] as Row;
  }

  /** Compares a stream with the vendor. */
  async verify(name: string, most?: number): Promise<Row> {
    const { proofs } = await runProofs(this.hub.hub.deps, this.tenantId, this.connection.id, {
      verify: (stream) => stream === name,
      ...(most ? { most } : {}),
    });
    return proofs[0] as Row;
  }
}
