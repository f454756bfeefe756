import type { FastifyReply } from 'fastify';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { type Audience, hashOf, type Member, written } from './sandbox.audience.ts';
import { type Around, type Call, missing, paged, picked, problem, type Sent } from './sandbox.http.ts';
import type { MailchimpState } from './sandbox.state.ts';

type AudienceOf = (request: Call) => Audience | undefined;

const FORMS: Record<string, RegExp> = {
  date: /^(\d{4}-\d{2}-\d{2}|\d{2}\/\d{2}\/\d{4}|)$/,
  birthday: /^(\d{2}\/\d{2}|)$/,
  number: /^-?\d*(\.\d+)?$/,
};

/** What is wrong with merge fields, as the vendor says it. */
function wrongFields(audience: Audience, fields: Record<string, unknown>): { field: string; message: string }[] {
  return Object.entries(fields).flatMap(([tag, value]) => {
    const merge = audience.mergeFields.find((known) => known.tag === tag);
    const { choices } = merge?.options ?? {};
    if (merge && FORMS[merge.type] && !FORMS[merge.type]!.test(String(value)))
      return [{ field: tag, message: `Please enter a valid ${merge.type}.` }];
    if (choices && value !== '' && !choices.includes(String(value)))
      return [{ field: tag, message: `Value must be one of ${choices.join(', ')}.` }];
    return [];
  });
}

/** What the vendor knows of what is sent; tags nobody defined are left out without a word. */
const known = (audience: Audience, fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([tag]) => audience.mergeFields.some((merge) => merge.tag === tag)));

/** Reading and writing members, their tags, events and notes. */
export function installMembers(
  app: SandboxServer['app'],
  state: MailchimpState,
  around: Around,
  audienceOf: AudienceOf,
): void {
  const late = (): boolean => state.lateIndexMs > 0;
  /** The member a call is about, or the refusal that was sent. */
  const named = (request: Call): { audience: Audience; member: Member } | undefined => {
    const audience = audienceOf(request);
    const member = audience?.find(decodeURIComponent(request.params.member!));
    return audience && member ? { audience, member } : undefined;
  };

  app.get('/3.0/lists/:list/members', async (request: Call, reply) => {
    const audience = audienceOf(request);
    if (!audience) return missing(reply);
    const { query } = request;
    const wanted = {
      status: query.status,
      since: query.since_last_changed,
      before: query.before_last_changed,
      byChange: query.sort_field === 'last_changed',
    };
    const found = audience.list(wanted, state.visible);
    const body = { members: paged(found, query), list_id: audience.id, total_items: found.length };
    return picked(body, query.fields);
  });
  app.get('/3.0/lists/:list/members/:member', async (request: Call, reply) => {
    const found = named(request);
    return found ? picked({ ...found.member }, request.query.fields) : missing(reply);
  });
  app.put('/3.0/lists/:list/members/:member', async (request: Call, reply) => {
    const audience = audienceOf(request);
    if (!audience) return missing(reply);
    const { email_address: email = '', status_if_new: status, merge_fields = {} } = request.body ?? {};
    const found = named(request);
    if (found) return write(reply, audience, found.member, request.body ?? {});
    if (audience.forgotten.has(hashOf(email))) {
      const detail = `${email} was permanently deleted and cannot be re-imported. The contact must re-subscribe to get back on the list.`;
      return problem(reply, 400, 'Forgotten Email Not Subscribed', detail);
    }
    return audience.add(email, known(audience, merge_fields), status);
  });
  app.patch('/3.0/lists/:list/members/:member', async (request: Call, reply) => {
    const found = named(request);
    return found ? write(reply, found.audience, found.member, request.body ?? {}) : missing(reply);
  });
  app.delete('/3.0/lists/:list/members/:member', async (request: Call, reply) => {
    const found = named(request);
    if (!found) return missing(reply);
    found.audience.change(found.member, { status: 'archived' });
    return reply.code(204).send();
  });

  function write(reply: FastifyReply, audience: Audience, member: Member, body: Sent): unknown {
    const { status, merge_fields = {}, interests = {}, vip, language } = body;
    if (status === 'subscribed' && ['unsubscribed', 'cleaned'].includes(member.status)) {
      const detail = `${member.email_address} is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed.`;
      return problem(reply, 400, 'Member In Compliance State', detail);
    }
    const wrong = wrongFields(audience, merge_fields);
    if (wrong.length > 0) return problem(reply, 400, 'Invalid Resource', 'Your merge fields were invalid.', wrong);
    const left = status === 'unsubscribed' && member.status !== 'unsubscribed';
    audience.change(
      member,
      {
        ...(status === undefined ? {} : { status }),
        ...(vip === undefined ? {} : { vip }),
        ...(language === undefined ? {} : { language }),
        interests: { ...member.interests, ...interests },
        merge_fields: { ...member.merge_fields, ...known(audience, merge_fields) },
      },
      undefined,
      late(),
    );
    void around.tell(
      audience,
      left ? 'unsubscribe' : 'profile',
      member,
      left ? { 'data[action]': 'unsub' } : {},
      'api',
    );
    return member;
  }

  app.post('/3.0/lists/:list/members/:member/tags', async (request: Call, reply) => {
    const found = named(request);
    if (!found) return missing(reply);
    const quiet = request.body?.is_syncing === true;
    for (const { name, status } of request.body?.tags ?? []) {
      if (name.length > 100)
        return problem(reply, 400, 'Invalid Resource', 'The name of a tag has 100 characters at most.');
      const active = status === 'active';
      found.audience.tag(found.member, name, active, late());
      state.tagged.push({ tag: name, member: found.member.id, active, quiet });
    }
    return reply.code(204).send();
  });

  app.get('/3.0/lists/:list/members/:member/events', async (request: Call, reply) => {
    const found = named(request);
    if (!found) return missing(reply);
    const events = (found.audience.events.get(found.member.id) ?? []).filter(({ at }) => at <= (state.visible ?? at));
    return { events: paged(events, request.query).map(({ at: _at, ...event }) => event), total_items: events.length };
  });
  app.post('/3.0/lists/:list/members/:member/events', async (request: Call, reply) => {
    const found = named(request);
    if (!found) return missing(reply);
    const { name = '', properties = {}, occurred_at } = request.body ?? {};
    if (!/^.{2,30}$/.test(name)) return problem(reply, 400, 'Invalid Resource', 'The name has 2 to 30 characters.');
    const now = new Date(state.now());
    const events = found.audience.events.get(found.member.id) ?? [];
    events.push({ name, properties, occurred_at: occurred_at ?? written(now), at: now.getTime() });
    found.audience.events.set(found.member.id, events);
    return reply.code(204).send();
  });

  app.get('/3.0/lists/:list/members/:member/notes', async (request: Call, reply) => {
    const found = named(request);
    if (!found) return missing(reply);
    const all = (found.audience.notes.get(found.member.id) ?? []).filter(({ at }) => at <= (state.visible ?? at));
    // The list shows the last ten, whatever is asked for.
    const notes = all
      .slice(-10)
      .reverse()
      .map(({ at: _at, ...note }) => note);
    return picked(
      { notes, email_id: found.member.id, list_id: found.audience.id, total_items: all.length },
      request.query.fields,
    );
  });
  app.post('/3.0/lists/:list/members/:member/notes', async (request: Call, reply) => {
    const found = named(request);
    if (!found) return missing(reply);
    const note = String(request.body?.note ?? '');
    if (note.length > 1000) return problem(reply, 400, 'Invalid Resource', 'A note has 1,000 characters at most.');
    return state.addNote(found.audience, found.member, note);
  });
}
