import { type ActionDefinition, type Connector, defineAction, listAt, textAt } from '../../src/kit/index.ts';
import { resolveFields } from './fields.ts';
import { objectOf } from './objects.ts';
import { v1, v2 } from './paths.ts';
import {
  idIn,
  labelsWith,
  linksOf,
  linkTo,
  markedActivity,
  markedNote,
  numberOf,
  objectNamed,
  personByEmail,
  recordOf,
} from './writes.ts';

/** Activities are dated in UTC (dossier, Pitfalls). */
const dayOf = (instant: string): string => new Date(instant).toISOString().slice(0, 10);
const timeOf = (instant: string): string => new Date(instant).toISOString().slice(11, 16);

function durationOf(from: string, to: string): string {
  const minutes = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 60_000));
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
}

const owner = (assignee: string | undefined): Record<string, number> =>
  assignee === undefined ? {} : { owner_id: numberOf(assignee) };

const ACTIVITIES = objectOf('activities')!;

const wordsOf = (html: string | undefined): string =>
  (html ?? '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();

export const actions: readonly ActionDefinition[] = [
  defineAction<'create_task'>({
    kind: 'create_task',
    title: 'Task among the activities',
    feature: 'write',
    idempotency: {
      kind: 'marker',
      settleSeconds: 30,
      find: (ctx, input, meta) =>
        markedActivity(ctx, input.about, meta, (id) => ({ nativeId: id, url: linkTo(ctx, ACTIVITIES, id) })),
    },
    request: (ctx, input, meta) => ({
      method: 'POST',
      path: v2('activities'),
      json: {
        subject: input.title,
        type: String(ctx.settings.taskType ?? 'task'),
        due_date: dayOf(input.dueAt),
        due_time: timeOf(input.dueAt),
        note: markedNote(input.body, meta),
        ...owner(input.assignee),
        ...linksOf(input.about),
      },
    }),
    receipt: (reply, ctx) => ({ nativeId: idIn(reply), url: linkTo(ctx, ACTIVITIES, idIn(reply)), state: 'open' }),
    follows: ['open', 'done'],
  }),
  defineAction<'create_calendar_event'>({
    kind: 'create_calendar_event',
    title: 'Meeting among the activities',
    feature: 'write',
    idempotency: {
      kind: 'marker',
      settleSeconds: 30,
      find: (ctx, input, meta) =>
        markedActivity(ctx, input.about, meta, (id) => ({ nativeId: id, url: linkTo(ctx, ACTIVITIES, id) })),
    },
    request: (ctx, input, meta) => ({
      method: 'POST',
      path: v2('activities'),
      json: {
        subject: input.title,
        type: String(ctx.settings.meetingType ?? 'meeting'),
        due_date: dayOf(input.startsAt),
        due_time: timeOf(input.startsAt),
        duration: durationOf(input.startsAt, input.endsAt),
        busy: true,
        note: markedNote(input.body, meta),
        ...(input.location ? { location: { value: input.location } } : {}),
        ...(input.attendees ? { attendees: input.attendees.map((email) => ({ email })) } : {}),
        ...owner(input.assignee),
        ...linksOf(input.about),
      },
    }),
    receipt: (reply, ctx) => ({ nativeId: idIn(reply), url: linkTo(ctx, ACTIVITIES, idIn(reply)), state: 'open' }),
    follows: ['open', 'accepted', 'declined', 'done'],
  }),
  defineAction<'add_note'>({
    kind: 'add_note',
    title: 'Note on the record',
    feature: 'write',
    idempotency: {
      kind: 'marker',
      settleSeconds: 30,
      find: async (ctx, input, meta) => {
        const { object, id } = recordOf(input.about, 'A note');
        const key = { persons: 'person_id', organizations: 'org_id', deals: 'deal_id' }[object.name] ?? 'person_id';
        const query = { [key]: id, sort: 'id DESC', limit: 100 };
        const { body } = await ctx.call({ method: 'GET', path: v1('notes'), query });
        const since = Math.floor(meta.firstTriedAt.getTime() / 1000) * 1000;
        const note = listAt(body, 'data').find((one) => {
          const added = `${(textAt(one, 'add_time') ?? '').replace(' ', 'T')}Z`;
          return wordsOf(textAt(one, 'content')) === wordsOf(input.body) && Date.parse(added) >= since;
        });
        const nativeId = textAt(note, 'id');
        return nativeId ? { nativeId, url: linkTo(ctx, object, id), state: 'created' } : undefined;
      },
    },
    request: (_ctx, input) => {
      recordOf(input.about, 'A note');
      const { contact, deal, company } = input.about;
      return {
        method: 'POST',
        path: v1('notes'),
        json: {
          content: input.body,
          ...(contact ? { person_id: numberOf(contact) } : {}),
          ...(deal ? { deal_id: numberOf(deal) } : {}),
          ...(company ? { org_id: numberOf(company) } : {}),
        },
      };
    },
    receipt: (reply, ctx, input) => {
      const { object, id } = recordOf(input.about, 'A note');
      return { nativeId: idIn(reply), url: linkTo(ctx, object, id), state: 'created' };
    },
  }),
  defineAction<'update_field'>({
    kind: 'update_field',
    title: 'Write fields by code or label; move a deal to a stage',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'Setting a field to the same value twice is the same as once.' },
    before: (ctx, input) => resolveFields(ctx, objectNamed(input.object), input.fields),
    request: (_ctx, input, meta) => ({
      method: 'PATCH',
      path: v2(`${objectNamed(input.object).name}/${numberOf(input.id)}`),
      json: meta.before ?? input.fields,
    }),
    receipt: (_reply, ctx, input) => ({
      nativeId: input.id,
      url: linkTo(ctx, objectNamed(input.object), input.id),
      state: 'written',
    }),
    writes: (input) => {
      const object = objectOf(input.object);
      return object ? [{ stream: object.name, id: input.id, fields: input.fields }] : [];
    },
  }),
  ...(['add', 'remove'] as const).map((verb) =>
    defineAction<'add_tag' | 'remove_tag'>({
      kind: verb === 'add' ? 'add_tag' : 'remove_tag',
      title: verb === 'add' ? 'Add a label' : 'Take a label away',
      feature: 'write',
      idempotency: { kind: 'natural', note: 'A record has a label or not.' },
      before: (ctx, input) => labelsWith(ctx, recordOf(input.about, 'A label'), input.tag, verb),
      request: (_ctx, input, meta) => {
        const { object, id } = recordOf(input.about, 'A label');
        return {
          method: 'PATCH',
          path: v2(`${object.name}/${numberOf(id)}`),
          json: { label_ids: listAt<number>(meta.before, 'labels') },
        };
      },
      receipt: (_reply, _ctx, input) => ({
        nativeId: `${input.tag}:${recordOf(input.about, 'A label').id}`,
        state: verb === 'add' ? 'added' : 'removed',
      }),
      writes: (input) => {
        const { object, id } = recordOf(input.about, 'A label');
        const change = { labels: input.tag };
        return [{ stream: object.name, id, ...(verb === 'add' ? { adds: change } : { removes: change }) }];
      },
    }),
  ),
  defineAction<'record_opt_out'>({
    kind: 'record_opt_out',
    title: 'Unsubscribe from marketing at Pipedrive',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'A person is unsubscribed or not.' },
    before: async (ctx, input) => ({ id: input.contact ?? (await personByEmail(ctx, input.address)) }),
    request: (_ctx, input, meta) => ({
      method: 'PATCH',
      path: v2(`persons/${input.contact ?? textAt(meta.before, 'id') ?? ''}`),
      json: { marketing_status: 'unsubscribed' },
    }),
    receipt: (_reply, ctx, input, meta) => {
      const id = input.contact ?? textAt(meta.before, 'id') ?? '';
      return { nativeId: id, url: linkTo(ctx, objectNamed('contact'), id), state: 'unsubscribed' };
    },
    writes: (input) =>
      input.contact ? [{ stream: 'persons', id: input.contact, fields: { marketing_status: 'unsubscribed' } }] : [],
  }),
];

/** Pipedrive holds one status for all marketing: a single topic has no counterpart. */
export const optOut: NonNullable<Connector['optOut']> = {
  email: {
    kind: 'record_opt_out',
    input: ({ address, contact, topic }) =>
      topic ? undefined : { channel: 'email', address, ...(contact ? { contact } : {}) },
  },
};
