import { appendEvents } from '../../audit/store.ts';
import type { Row, Tx } from '../../base/database.ts';
import { conflict, invalid } from '../../base/errors.ts';
import { sha256 } from '../../base/ids.ts';
import { localDate } from '../../base/time.ts';
import type { FileRow } from '../../kit/index.ts';
import type { Env } from '../../mapping/compiler.ts';
import type { SyncDeps } from '../deps.ts';
import { ingest } from '../ingest.ts';
import { tellLoaded } from '../loaded.ts';
import { type Parking, park } from '../parked.ts';
import type { Source } from '../source.ts';
import type { CompiledObject } from './mapping.ts';
import { lastOfRepeated, recordsOf, sortRow } from './rows.ts';
import {
  countStaged,
  crowdedKey,
  endRun,
  type ImportProgress,
  nextGroups,
  noteProgress,
  resolveEarlierRows,
  type StagedGroup,
  type StagedRow,
  stageRows,
  tellLines,
} from './store.ts';

/** When nothing among so many rows is good, it is not the rows. */
const HOPELESS = 1000;

interface ImportPlan {
  id: string;
  object: string;
  fileName: string;
  objects: readonly CompiledObject[];
  /** Records that did not change are mapped again too, because the mapping changed. */
  remap: boolean;
}

/**
 * One import on its way: rows are sorted into a table first, and what belongs together is made a record when the file
 * was read to its end. So a record counts once however its rows are spread, and an unreadable file leaves nothing behind.
 */
export class ImportRun {
  readonly progress: ImportProgress = { rows: 0, skipped: 0, parked: 0, records: {}, changed: {} };
  private readonly deps: SyncDeps;
  private readonly tenantId: string;
  private readonly source: Source;
  private readonly plan: ImportPlan;
  private readonly env: Env;
  private staged = 0;

  constructor(deps: SyncDeps, tenantId: string, source: Source, plan: ImportPlan) {
    this.deps = deps;
    this.tenantId = tenantId;
    this.source = source;
    this.plan = plan;
    const { country = source.country, currency = source.currency } = source.mapping.defaults;
    this.env = {
      zone: source.zone,
      today: localDate(source.clock.now(), source.zone),
      country,
      currency,
      account: source.connection.account_id ?? '',
      connector: source.connector.id,
      lookup: () => undefined,
    };
  }

  /** Takes a batch of rows: one transaction. */
  async take(batch: readonly FileRow[]): Promise<void> {
    const staged: StagedRow[] = [];
    const parking: Parking[] = [];
    let skipped = 0;
    for (const item of batch) {
      if ('error' in item) parking.push(this.parkedRow([item.line], item.error, item.text));
      else {
        const { reason, parts } = sortRow(this.plan.objects, this.env, item.line, item.row);
        staged.push(...parts);
        if (reason !== undefined) parking.push(this.parkedRow([item.line], reason, item.row));
        else if (parts.length === 0) skipped += 1;
      }
    }
    if (this.progress.rows === 0 && parking.length >= HOPELESS)
      throw invalid(`None of the first ${parking.length} rows can be used. ${parking[0]!.reason}`);
    const kept = lastOfRepeated(this.plan.objects, staged);
    const progress = { rows: this.progress.rows + batch.length, parked: this.progress.parked + parking.length };
    await this.step({ ...this.progress, ...progress }, async (tx) => {
      await stageRows(tx, this.plan.id, kept);
      await park(tx, parking, this.deps.clock.now());
    });
    Object.assign(this.progress, progress, { skipped: this.progress.skipped + skipped });
    this.staged += kept.length;
  }

  /** Brings the records of the whole file into the model, object after object. */
  async land(onBatch: () => void): Promise<void> {
    await this.checkStaged();
    for (const object of this.plan.objects) {
      let after = '';
      for (;;) {
        const groups = await this.landNext(object, after);
        const last = groups.at(-1);
        if (!last) break;
        after = last.key;
        onBatch();
      }
    }
  }

  async end(state: 'done' | 'failed', error: string | null, actor: string): Promise<void> {
    const { id, object, fileName } = this.plan;
    const at = this.deps.clock.now();
    await this.deps.db.tenant(this.tenantId, async (tx) => {
      await endRun(tx, id, { state, error, progress: this.progress, at });
      if (state === 'done') {
        await tellLoaded(this.deps, tx);
        await resolveEarlierRows(tx, { id, connectionId: this.source.connection.id, object, fileName, at });
        await tx.query(
          'update stream set last_complete_at = $4 where tenant_id = $1 and connection_id = $2 and name = any($3)',
          [this.tenantId, this.source.connection.id, this.plan.objects.map(({ name }) => name), at],
        );
      }
      const data = { file: fileName, ...this.progress, ...(error ? { error } : {}) };
      await appendEvents(tx, [{ actor, action: `import.${state}`, subject: { kind: 'import', id }, data, at }]);
    });
  }

  /** A transaction of this run, together with the note that it is alive. */
  private async step<T>(progress: ImportProgress, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.deps.db.tenant(this.tenantId, async (tx) => {
      if (!(await noteProgress(tx, this.plan.id, progress, this.deps.clock.now())))
        throw conflict('The import stood still for so long that it was given up.', 'Import the file again.');
      return work(tx);
    });
  }

  private async checkStaged(): Promise<void> {
    const names = this.plan.objects.filter((object) => !object.repeats).map((object) => object.name);
    const { present, crowded } = await this.step(this.progress, async (tx) => ({
      present: await countStaged(tx, this.plan.id),
      crowded: await crowdedKey(tx, this.plan.id, names),
    }));
    if (present !== this.staged)
      throw conflict(
        'The database was restarted while the file was read, and rows were lost.',
        'Import the file again.',
      );
    if (crowded)
      throw invalid(
        `${crowded.n} rows have the ${crowded.object} id "${crowded.key}": the id in the mapping does not tell records apart.`,
        [{ path: `objects.${crowded.object}.id`, message: 'does not tell records apart' }],
      );
  }

  private async landNext(object: CompiledObject, after: string): Promise<StagedGroup[]> {
    const { groups, found, parked, changed } = await this.step(this.progress, async (tx) => {
      const groups = await nextGroups(tx, this.plan.id, object.name, after);
      const parking: Parking[] = [];
      const records = groups.flatMap((group) => {
        const made = recordsOf(object, group);
        parking.push(
          ...made.refused.map(({ lines, reason, rows }) =>
            this.parkedRow(lines, reason, rows.length === 1 ? rows[0] : rows),
          ),
        );
        return made.records;
      });
      const result = await ingest(this.deps, tx, this.source, [{ stream: object.name, records }], 'backfill', {
        evenIfSame: this.plan.remap,
      });
      await park(tx, parking, this.deps.clock.now());
      const unfit = await tellLines(
        tx,
        records.map(({ id, lines }) => ({
          reference: `${this.source.streamIds.get(object.name)}/${id}`,
          place: this.place(lines),
          detail: this.detail(lines),
        })),
      );
      return { groups, found: records.length, parked: parking.length + unfit, changed: result.changed };
    });
    if (groups.length > 0) {
      this.progress.records[object.name] = (this.progress.records[object.name] ?? 0) + found;
      this.progress.changed[object.name] = (this.progress.changed[object.name] ?? 0) + changed;
      this.progress.parked += parked;
    }
    return groups;
  }

  private parkedRow(lines: readonly number[], reason: string, payload: unknown): Parking {
    const known = sha256(JSON.stringify(payload)).toString('base64url').slice(0, 16);
    return {
      kind: 'row',
      reference: `${this.source.connection.id}/${this.plan.fileName}:${lines[0]}:${known}`,
      reason: `${this.place(lines)}${reason}`,
      connectionId: this.source.connection.id,
      detail: this.detail(lines),
      payload,
    };
  }

  private detail(lines: readonly number[]): Row {
    const { id, object, fileName } = this.plan;
    return { file: fileName, line: lines[0], lines: lines.slice(0, 100), object, import: id };
  }

  private place(lines: readonly number[]): string {
    const more = lines.length > 5 ? ` and ${lines.length - 5} more` : '';
    return `${lines.length === 1 ? 'Line' : 'Lines'} ${lines.slice(0, 5).join(', ')}${more} of ${this.plan.fileName}: `;
  }
}
