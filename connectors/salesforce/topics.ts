import { type ActionInput, defineAction, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { dataPath, literal, queryCall, select } from './api.ts';
import { placeOf } from './messages.ts';

// Tags are topics: one is made once for the organisation and assigned to records.

interface Found {
  topic: string | undefined;
  assignment: string | undefined;
}

type Tagging = ActionInput<'add_tag'>;

const entityOf = ({ about }: Tagging): string => {
  const place = placeOf(about);
  if (place) return place;
  throw new VendorError('invalid', 'A tag needs a record it is put on: name a contact, company, deal or ticket.');
};

const assignmentQuery = (topic: string, entity: string): string =>
  `SELECT Id FROM TopicAssignment WHERE TopicId = ${literal(topic)} AND EntityId = ${literal(entity)} LIMIT 1`;

async function topicNamed(ctx: VendorContext, name: string): Promise<string | undefined> {
  return textAt((await select(ctx, `SELECT Id FROM Topic WHERE Name = ${literal(name)} LIMIT 1`))[0], 'Id');
}

async function look(ctx: VendorContext, input: Tagging): Promise<Found> {
  const entity = entityOf(input);
  const topic = await topicNamed(ctx, input.tag);
  const [row] = topic ? await select(ctx, assignmentQuery(topic, entity)) : [];
  return { topic, assignment: textAt(row, 'Id') };
}

/** The topic, made when there is none; somebody may be faster. */
async function topicFor(ctx: VendorContext, name: string): Promise<string | undefined> {
  try {
    const { body } = await ctx.call({ method: 'POST', path: dataPath('/sobjects/Topic'), json: { Name: name } });
    return textAt(body, 'id');
  } catch (error) {
    if (!(error instanceof VendorError) || error.kind !== 'conflict') throw error;
    return topicNamed(ctx, name);
  }
}

const nothingToDo = (topic: string | undefined, entity: string) => queryCall(assignmentQuery(topic ?? '', entity));

const NATURAL = { kind: 'natural', note: 'A record has a topic or not.' } as const;

const receipt = (state: string) => (_reply: unknown, _ctx: unknown, input: Tagging) => ({
  nativeId: `${input.tag}:${entityOf(input)}`,
  state,
});

export const addTag = defineAction<'add_tag'>({
  kind: 'add_tag',
  title: 'Assign a topic',
  feature: 'write',
  idempotency: NATURAL,
  before: async (ctx, input): Promise<Found> => {
    const found = await look(ctx, input);
    return { ...found, topic: found.topic ?? (await topicFor(ctx, input.tag)) };
  },
  request: (_ctx, input, meta) => {
    const { topic, assignment } = (meta.before ?? {}) as Partial<Found>;
    const entity = entityOf(input);
    if (assignment) return nothingToDo(topic, entity);
    // In a preview the topic is not looked up.
    const json = { EntityId: entity, TopicId: topic ?? input.tag };
    return { method: 'POST', path: dataPath('/sobjects/TopicAssignment'), json };
  },
  receipt: receipt('added'),
});

export const removeTag = defineAction<'remove_tag'>({
  kind: 'remove_tag',
  title: 'Remove a topic',
  feature: 'write',
  idempotency: NATURAL,
  before: look,
  request: (_ctx, input, meta) => {
    const found = (meta.before ?? {}) as Partial<Found>;
    const { topic, assignment } = found;
    const entity = entityOf(input);
    // In a preview nothing was looked up.
    if ('topic' in found && !assignment) return nothingToDo(topic, entity);
    const path = dataPath(`/sobjects/TopicAssignment/${encodeURIComponent(assignment ?? input.tag)}`);
    return { method: 'DELETE', path, expect: 'none' };
  },
  receipt: receipt('removed'),
});
