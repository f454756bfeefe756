import {
  type ActionMeta,
  at,
  listAt,
  type Receipt,
  type Reply,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { sinceFirstTry } from './marks.ts';
import { crm } from './version.ts';
import { recordOf } from './writes.ts';

interface Enrolment {
  automation: string;
  about: Record<string, string | undefined>;
}

const TRANSITION = /^transition:(.+)$/;

/** Name or id of the Blueprint transition that is meant; undefined for a cadence, which is named by its id. */
const transitionIn = (automation: string): string | undefined => TRANSITION.exec(automation)?.[1]?.trim();

const blueprintOf = async (ctx: VendorContext, input: Enrolment): Promise<unknown> => {
  const { module, id } = recordOf(input.about, 'A transition');
  return (await ctx.call({ method: 'GET', path: crm(`${module}/${encodeURIComponent(id)}/actions/blueprint`) })).body;
};

const matching = (blueprint: unknown, wanted: string): unknown =>
  listAt(blueprint, 'blueprint.transitions').find((one) =>
    [textAt(one, 'id'), textAt(one, 'name')?.toLowerCase()].includes(wanted.toLowerCase()),
  );

/**
 * The id of the transition that is meant, as the record offers it now.
 * @throws VendorError `invalid` naming those that are possible from where the record stands
 */
export async function findTransition(
  ctx: VendorContext,
  input: Enrolment,
): Promise<{ transition: string } | undefined> {
  const wanted = transitionIn(input.automation);
  if (wanted === undefined) return undefined;
  const blueprint = await blueprintOf(ctx, input);
  const transition = textAt(matching(blueprint, wanted), 'id');
  if (transition) return { transition };
  const names = listAt(blueprint, 'blueprint.transitions').map((one) => textAt(one, 'name'));
  const state = textAt(blueprint, 'blueprint.process_info.field_value') ?? 'its state';
  throw new VendorError(
    'invalid',
    `From "${state}" there is no transition "${wanted}" now; there is ${names.length > 0 ? names.join(', ') : 'none'}.`,
  );
}

/** The transition, with what it must be given beside the id left to the Blueprint; or the cadence. */
export function enrolRequest(_ctx: VendorContext, input: Enrolment, meta: ActionMeta): RequestSpec {
  const { module, id } = recordOf(input.about, 'An automation');
  if (transitionIn(input.automation) === undefined)
    return {
      method: 'POST',
      path: crm(`${module}/actions/enrol_in_cadences`),
      json: { cadences_ids: [input.automation], ids: [id] },
    };
  const transition = textAt(meta.before, 'transition') ?? '';
  return {
    method: 'PUT',
    path: crm(`${module}/${encodeURIComponent(id)}/actions/blueprint`),
    json: { blueprint: [{ transition_id: transition, data: {} }] },
  };
}

const idOf = ({ automation, about }: Enrolment): string => {
  const { module, id } = recordOf(about, 'An automation');
  return `${automation}:${module}:${id}`;
};

export const enrolReceipt = (_reply: Reply, _ctx: VendorContext, input: Enrolment): Receipt => ({
  nativeId: idOf(input),
  state: transitionIn(input.automation) === undefined ? 'enrolled' : 'done',
});

/**
 * An earlier try of a transition: the record has left the state it leads from, and was changed since. Of a cadence Zoho
 * tells nothing; whoever is in it is not put in twice.
 */
export async function enrolled(ctx: VendorContext, input: Enrolment, meta: ActionMeta): Promise<Receipt | undefined> {
  const wanted = transitionIn(input.automation);
  if (wanted === undefined) return undefined;
  if (matching(await blueprintOf(ctx, input), wanted)) return undefined;
  const { module, id } = recordOf(input.about, 'A transition');
  const path = crm(`${module}/${encodeURIComponent(id)}`);
  const { body } = await ctx.call({ method: 'GET', path, query: { fields: 'Modified_Time' } });
  return sinceFirstTry(meta, textAt(body, 'data[0].Modified_Time')) && at(body, 'data[0]') !== undefined
    ? { nativeId: idOf(input), state: 'done' }
    : undefined;
}
