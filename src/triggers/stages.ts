import type { Row, Tx } from '../base/database.ts';
import type { Change } from '../model/types.ts';
import { isOneOf, plain, turned } from './match.ts';

interface Stage {
  stage: string;
  label: string | null;
  pipeline: string | null;
  pipeline_label: string | null;
}

/** The pipelines of deals or tickets: whoever names a stage by its label also means its id, and the reverse. */
export class Stages {
  private readonly stages: readonly Stage[];
  private readonly ids: ReadonlySet<string>;

  constructor(stages: readonly Stage[]) {
    this.stages = stages;
    this.ids = new Set(stages.map(({ stage }) => plain(stage)));
  }

  static async load(tx: Tx, object: 'deal' | 'ticket'): Promise<Stages> {
    const { rows } = await tx.query<Stage>(
      'select stage, label, pipeline, pipeline_label from pipeline_stage where tenant_id = $1 and object = $2 and deleted_at is null',
      [tx.tenantId, object],
    );
    return new Stages(rows);
  }

  /** Words for stages with everything else these stages are called. */
  named(words: readonly string[]): string[] {
    const same = this.stages.filter(({ stage, label }) => isOneOf(stage, words) || isOneOf(label, words));
    return [...words, ...same.flatMap(({ stage, label }) => [stage, label]).filter((name) => name !== null)];
  }

  /** Whether a record is in one of these pipelines, named by id or label; in any when none is named. */
  isIn(row: Row, pipelines: readonly string[]): boolean {
    if (pipelines.length === 0 || isOneOf(row.pipeline, pipelines)) return true;
    return this.stages.some(
      (known) =>
        (isOneOf(known.pipeline, pipelines) || isOneOf(known.pipeline_label, pipelines)) &&
        (isOneOf(row.pipeline, [known.pipeline ?? '']) ||
          isOneOf(row.pipeline, [known.pipeline_label ?? '']) ||
          isOneOf(row.native_status, [known.stage])),
    );
  }

  /** A platform that gives stages ids keeps the id in the native status: a new name for a stage moves nothing. */
  isStageId = (value: unknown): boolean => this.ids.has(plain(value));

  /**
   * From where to where a change moved a record, as all the words that changed; undefined when it did not move.
   * @param row the record as it is now
   */
  move(change: Change, row: Row): { from: unknown[]; to: unknown[] } | undefined {
    const stage = turned(change, 'stage');
    const native = turned(change, 'native_status');
    const byId = native && this.isStageId(native.after) ? native : undefined;
    if (stage && !byId && change.op !== 'created' && this.isStageId(row.native_status)) return undefined;
    const turns = [stage, byId].filter((turn) => turn !== undefined);
    if (turns.length === 0) return undefined;
    return { from: turns.map(({ before }) => before), to: turns.map(({ after }) => after) };
  }
}

/** Whether any of the values is one of the words; no words mean any value. */
export const anyOf = (values: readonly unknown[], words: readonly string[]): boolean =>
  words.length === 0 || values.some((value) => isOneOf(value, words));
