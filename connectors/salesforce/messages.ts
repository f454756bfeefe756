import { Type } from 'typebox';
import { at, defineAction, textAt, VendorError } from '../../src/kit/index.ts';
import { dataPath, literal, safeName, select } from './api.ts';
import { linkTo, sinceTried } from './records.ts';

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const html = (text: string): string => `<p>${escapeHtml(text).replaceAll('\n', '</p><p>')}</p>`;

/** Title of a note: its first line, and the end of our id, by which it is found again. */
const titleOf = (body: string, requestId: string): string =>
  `${body.split('\n')[0]!.slice(0, 200)} [${requestId.replaceAll('-', '').slice(-12)}]`;

/** The record a note or tag is put on: the person before what they have. */
export const placeOf = (about: Record<string, string | undefined>): string | undefined =>
  about.contact ?? about.ticket ?? about.deal ?? about.invoice ?? about.company;

/** A note and its link to the record, both or neither. */
export const note = defineAction<'add_note'>({
  kind: 'add_note',
  title: 'Note on the record',
  feature: 'write',
  idempotency: {
    kind: 'marker',
    settleSeconds: 60,
    find: async (ctx, input, meta) => {
      const title = literal(titleOf(input.body, meta.requestId));
      const [found] = await select(
        ctx,
        `SELECT Id FROM ContentNote WHERE Title = ${title} AND ${sinceTried(meta)} LIMIT 1`,
      );
      const nativeId = textAt(found, 'Id');
      return nativeId ? { nativeId, ...linkTo(ctx, nativeId) } : undefined;
    },
  },
  request: (_ctx, input, meta) => {
    const place = placeOf(input.about);
    const Content = Buffer.from(html(input.body)).toString('base64');
    const parts = [
      {
        method: 'POST',
        url: dataPath('/sobjects/ContentNote'),
        referenceId: 'note',
        body: { Title: titleOf(input.body, meta.requestId), Content },
      },
      {
        method: 'POST',
        url: dataPath('/sobjects/ContentDocumentLink'),
        referenceId: 'link',
        body: { ContentDocumentId: '@{note.id}', LinkedEntityId: place, ShareType: 'V' },
      },
    ];
    const compositeRequest = place ? parts : parts.slice(0, 1);
    return { method: 'POST', path: dataPath('/composite'), json: { allOrNone: true, compositeRequest } };
  },
  receipt: ({ body }, ctx) => {
    const nativeId = textAt(body, 'compositeResponse[0].body.id');
    if (!nativeId) throw new VendorError('malformed', 'Salesforce answered without an id.', { mayHaveActed: true });
    return { nativeId, ...linkTo(ctx, nativeId), state: 'created' };
  },
});

type Value = string | number | boolean;

/** An autolaunched flow is started for somebody. Flows tell nothing of what they did before, so a lost answer is asked about by a person. */
export const flow = defineAction<'enrol_in_automation', { inputs?: Record<string, Value> }>({
  kind: 'enrol_in_automation',
  title: 'Start a flow',
  feature: 'write',
  extra: Type.Object({
    inputs: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))),
  }),
  idempotency: { kind: 'none', reason: 'Salesforce does not tell which flows were started for whom.' },
  request: (ctx, input, meta) => {
    const place = placeOf(input.about);
    const subject = String(ctx.settings.flowRecordVariable || 'recordId');
    const requestVariable = ctx.settings.flowRequestVariable;
    const values = {
      ...(place ? { [subject]: place } : {}),
      ...(requestVariable ? { [String(requestVariable)]: meta.requestId } : {}),
      ...input.inputs,
    };
    const path = dataPath(`/actions/custom/flow/${safeName(input.automation, 'a flow')}`);
    return { method: 'POST', path, json: { inputs: [values] } };
  },
  receipt: (_reply, _ctx, input) => ({
    nativeId: `${input.automation}:${placeOf(input.about) ?? ''}`,
    state: 'started',
  }),
});

/** An e-mail by the organisation itself, with the person who connected as its sender unless a setting says otherwise. */
export const mail = defineAction<'send_email'>({
  kind: 'send_email',
  title: 'E-mail sent by Salesforce',
  feature: 'write',
  idempotency: { kind: 'none', reason: 'Salesforce keeps no list of e-mails sent this way that could be searched.' },
  request: (ctx, input) => {
    const senderAddress = ctx.settings.emailSenderAddress;
    const senderType = String(ctx.settings.emailSender || (senderAddress ? 'OrgWideEmailAddress' : 'CurrentUser'));
    const emailBody = input.unsubscribeUrl ? `${input.text}\n\n${input.unsubscribeUrl}` : input.text;
    const message = { emailAddresses: input.to, emailSubject: input.subject, emailBody, senderType };
    return {
      method: 'POST',
      path: dataPath('/actions/standard/emailSimple'),
      json: { inputs: [{ ...message, ...(senderAddress ? { senderAddress: String(senderAddress) } : {}) }] },
    };
  },
  receipt: (_reply, _ctx, input) => ({ nativeId: `${input.to}:${input.subject}`, state: 'sent' }),
});

/** Longest post (general knowledge, not in the dossier; longer ones are cut instead of refused). */
const LONGEST_POST = 10_000;

/** A post as people read it; buttons are addresses there. */
function postOf(input: {
  title: string;
  text: string;
  facts?: { label: string; value: string }[];
  buttons?: { label: string; url?: string }[];
}): string {
  const facts = (input.facts ?? []).map(({ label, value }) => `${label}: ${value}`);
  const links = (input.buttons ?? []).flatMap(({ label, url }) => (url ? [`${label}: ${url}`] : []));
  const parts = [input.title, input.text, facts.join('\n'), links.join('\n')];
  return parts.filter((part) => part !== '').join('\n\n');
}

const referenceOf = (requestId: string): string => `[Rapport ${requestId}]`;

/** A Chatter post on a record, in a group or to a person. */
export const chat = defineAction<'send_chat'>({
  kind: 'send_chat',
  title: 'Chatter post',
  feature: 'write',
  idempotency: {
    kind: 'marker',
    settleSeconds: 60,
    find: async (ctx, input, meta) => {
      const rows = await select(
        ctx,
        `SELECT Id, Body FROM FeedItem WHERE ParentId = ${literal(input.target)} AND ${sinceTried(meta)} ORDER BY CreatedDate DESC, Id DESC LIMIT 1000`,
      );
      const found = rows.find((row) => String(at(row, 'Body') ?? '').includes(referenceOf(meta.requestId)));
      const nativeId = textAt(found, 'Id');
      return nativeId ? { nativeId, ...linkTo(ctx, nativeId) } : undefined;
    },
  },
  request: (_ctx, input, meta) => {
    const reference = referenceOf(meta.requestId);
    const Body = `${postOf(input).slice(0, LONGEST_POST - reference.length - 2)}\n\n${reference}`;
    return { method: 'POST', path: dataPath('/sobjects/FeedItem'), json: { ParentId: input.target, Body } };
  },
  receipt: ({ body }, ctx) => {
    const nativeId = textAt(body, 'id');
    if (!nativeId) throw new VendorError('malformed', 'Salesforce answered without an id.', { mayHaveActed: true });
    return { nativeId, ...linkTo(ctx, nativeId), state: 'posted' };
  },
});
