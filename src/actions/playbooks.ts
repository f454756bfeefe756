import type { Tx } from '../base/database.ts';
import { listConnections } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import type { ActionKind } from '../kit/index.ts';
import { stepsInWords } from '../sequences/describe.ts';
import { type Has, type Need, needsOf } from '../sequences/needs.ts';
import { shippedPlaybooks } from '../sequences/playbooks.ts';
import type { Definition } from '../sequences/schema.ts';
import { listStaff } from '../sequences/staff.ts';
import { findSequence, listSequences, loadDefinition } from '../sequences/store.ts';
import { setting } from '../settings/store.ts';
import { triggerDefinition } from '../triggers/catalogue.ts';
import type { ActionDeps } from './deps.ts';
import { KIND_OF_CHANNEL } from './plan.ts';

/** A playbook as its owner chooses it. */
export interface PlaybookView {
  key: string;
  title: string;
  description: string;
  class: string;
  installed: boolean;
  /** State of its sequence: draft, active, paused or archived. */
  state: string | null;
  triggers: { name: string; title: string; settings: Record<string, unknown> }[];
  steps: { id: string; day: number | null; at: string | null; does: string }[];
  exits: string[];
  needs: Need[];
  /** Whether nothing is missing. */
  ready: boolean;
}

/** The playbooks that ship, in words, with what each needs and what the business has of it. */
export async function playbookViews(
  deps: Pick<ActionDeps, 'db' | 'registry'>,
  tenantId: string,
): Promise<PlaybookView[]> {
  return deps.db.tenant(tenantId, async (tx) => {
    const has = await hasOf(deps, tx);
    const views: PlaybookView[] = [];
    for (const [key, playbook] of shippedPlaybooks()) {
      const row = await findSequence(tx, playbook.sequence.key);
      const definition = row ? await loadDefinition(tx, row.id, row.latest_version) : playbook.sequence;
      const needs = needsOf(playbook, definition, has);
      views.push({
        ...{ key, title: definition.title, description: (playbook.description ?? '').trim() },
        ...{ class: definition.class ?? 'marketing', installed: row !== undefined, state: row?.state ?? null },
        triggers: definition.triggers.map(({ name, settings = {} }) => {
          const known = triggerDefinition(name);
          return { name, title: known.title, settings: { ...(known.defaults as object), ...settings } };
        }),
        steps: stepsInWords(definition),
        exits: definition.exits,
        needs,
        ready: needs.every(({ met }) => met),
      });
    }
    return views;
  });
}

/** What the business has of what sequences need. */
async function hasOf({ registry }: Pick<ActionDeps, 'registry'>, tx: Tx): Promise<Has> {
  const connections = (await listConnections(tx)).filter(({ state }) => state !== 'revoked');
  const can = (kind: ActionKind): string[] =>
    connections.flatMap((connection) => {
      const action = connectorOf(registry, connection.connector).actions.find((one) => one.kind === kind);
      const on = action && (action.feature === undefined || connection.features.includes(action.feature));
      return on ? [connection.name] : [];
    });
  const sequences = await listSequences(tx);
  return {
    can,
    reaches: (channel) => can(KIND_OF_CHANNEL[channel]),
    links: (await setting(tx, 'links')) as Record<string, string>,
    active: new Set(sequences.filter(({ state }) => state === 'active').map(({ key }) => key)),
    roles: new Set((await listStaff(tx)).flatMap(({ roles }) => roles)),
    chatChannel: (await setting(tx, 'delivery')).chatChannel,
  };
}

/** What a sequence lacks of the business, in words; none when everything it does can be done. */
export async function missingOf(deps: Pick<ActionDeps, 'registry'>, tx: Tx, definition: Definition): Promise<string[]> {
  const needs = needsOf({ templates: {} }, definition, await hasOf(deps, tx));
  return needs.filter(({ met }) => !met).map(({ words }) => words);
}
