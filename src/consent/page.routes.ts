import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Clock } from '../base/clock.ts';
import { type Database, one, type Tx } from '../base/database.ts';
import { hashToken } from '../base/ids.ts';
import type { App } from '../http/app.ts';
import {
  type PageOf,
  preferencesPage,
  unknownPage,
  unsubscribedPage,
  unsubscribePage,
  whyPage,
} from '../http/recipient.ts';
import { findCustomer } from '../model/store.ts';
import type { Language, SettingValue } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import {
  applyChoices,
  type ChoiceDeps,
  type LinkSubject,
  loadChoices,
  RATES,
  type Rate,
  type Told,
  type Wanted,
} from './choices.ts';
import { optOut } from './optout.ts';
import { languageOf, TEXTS, textIn } from './texts/index.ts';

interface Link {
  tenant_id: string;
  subject: LinkSubject;
}

/** What the pages need of the rooms above. */
export interface PagePorts {
  /** Channels the business can write on. */
  channels: (tx: Tx) => Promise<string[]>;
  /** What was sent to the address of a link, newest first, with reasons in the language. */
  messages: (tx: Tx, link: LinkSubject, language: Language, zone: string) => Promise<Told[]>;
  /**
   * Keeps a birthday somebody tells of themselves; absent: it is not asked for.
   * @returns what is wrong with it
   */
  birthday?: {
    wanted: (tx: Tx, customerId: string) => Promise<boolean>;
    save: (tx: Tx, customerId: string, birthday: string, at: Date) => Promise<string | undefined>;
  };
}

export interface PageRouteDeps extends PagePorts {
  db: Database;
  clock: Clock;
  choices: ChoiceDeps;
}

type Form = Record<string, unknown>;

/** Which boxes were shown how, and how they came back: what was not shown is no choice. */
function wantedOf(form: Form): Wanted {
  const topics = new Map<string, { was: boolean; now: boolean }>();
  for (const [name, value] of Object.entries(form)) {
    const key = /^was:(\w+:.{1,50})$/.exec(name)?.[1];
    if (key) topics.set(key, { was: value === '1', now: form[`topic:${key}`] === '1' });
  }
  const rate = String(form.rate ?? '');
  return {
    topics,
    ...(Object.hasOwn(RATES, rate) ? { rate: { was: String(form['was:rate'] ?? ''), now: rate as Rate } } : {}),
    ...(form.pause === '1' ? { pause: 'begin' as const } : form.resume === '1' ? { pause: 'end' as const } : {}),
    nothing: form.do === 'nothing',
  };
}

/** The pages a recipient sees. Whoever has the link may use them: the link is the secret, and no cookie is needed. */
export function recipientRoutes(app: App, deps: PageRouteDeps): void {
  const find = async (token: string): Promise<Link | undefined> =>
    one(
      await deps.db.statement<Link>(
        "select tenant_id, subject from link_route where token_hash = $1 and purpose = 'unsubscribe'",
        [hashToken(token)],
      ),
    );
  const Params = Type.Object({ token: Type.String({ maxLength: 100 }) });
  type Call = FastifyRequest<{ Params: { token: string } }>;
  const options = { config: { permission: 'public' as const }, schema: { hide: true, params: Params } };
  const accepts = (request: FastifyRequest): string | undefined => request.headers['accept-language'];
  const html = (reply: FastifyReply, body: string, status = 200): FastifyReply =>
    reply
      .code(status)
      .type('text/html')
      .header('cache-control', 'no-store')
      .header('x-robots-tag', 'noindex')
      .header('vary', 'accept-language')
      .send(body);
  const unknown = (request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    html(reply, unknownPage(languageOf({ accept: accepts(request), country: '' })), 404);

  /** In which language, and whose page it is. */
  const pageOf = async (tx: Tx, request: Call, { subject }: Link): Promise<PageOf> => {
    const { name, zone, country } = await setting(tx, 'business');
    const person = await findCustomer(tx, subject.customerId);
    const language = languageOf({
      locale: person?.locale as string | null | undefined,
      accept: accepts(request),
      country,
    });
    return { language, business: name, zone, token: request.params.token };
  };
  const proof = (request: FastifyRequest) => ({ ip: request.ip, agent: request.headers['user-agent'] ?? null });

  // GET shows, POST acts: link scanners follow every link of a mail, and must not unsubscribe anybody (RFC 8058).
  app.get('/u/:token', options, async (request, reply) => {
    const link = await find(request.params.token);
    if (!link) return unknown(request, reply);
    return html(
      reply,
      await deps.db.tenant(link.tenant_id, async (tx) => {
        const of = await pageOf(tx, request as Call, link);
        const { topics } = (await setting(tx, 'topics')) as SettingValue<'topics'>;
        const { topic } = link.subject;
        const known = topics.find(({ key }) => key === topic);
        const title = topic === '*' ? undefined : known ? textIn(known.title, of.language) : topic;
        return unsubscribePage(of, title);
      }),
    );
  });

  app.post('/u/:token', options, async (request, reply) => {
    const link = await find(request.params.token);
    // Whether a token exists is nobody's business: the answer is the same.
    const language = languageOf({ accept: accepts(request), country: '' });
    if (!link) return html(reply, unsubscribedPage(language, request.params.token));
    const { customerId, channel, topic, address } = link.subject;
    const of = await deps.db.tenant(link.tenant_id, async (tx) => {
      await optOut(deps.choices, tx, {
        ...{ channel, address, customerId, scope: 'marketing', reason: 'unsubscribe_link', source: 'one_click' },
        topic: topic === '*' ? undefined : topic,
        evidence: proof(request),
        at: deps.clock.now(),
      });
      return pageOf(tx, request as Call, link);
    });
    return html(reply, unsubscribedPage(of.language, of.token, of.business));
  });

  const preferences = async (request: Call, link: Link, form?: Form): Promise<string> => {
    const now = deps.clock.now();
    return deps.db.tenant(link.tenant_id, async (tx) => {
      const offered = await deps.channels(tx);
      const of = await pageOf(tx, request, link);
      const customer = await findCustomer(tx, link.subject.customerId);
      const asks = customer ? await deps.birthday?.wanted(tx, customer.id) : undefined;
      let saved: boolean | undefined;
      let wrong: string | undefined;
      if (form) {
        const wanted = wantedOf(form);
        saved = await applyChoices(deps.choices, tx, link.subject, offered, wanted, proof(request), now);
        const birthday = typeof form.birthday === 'string' ? form.birthday.trim() : '';
        if (asks && birthday) {
          wrong = await deps.birthday?.save(tx, customer!.id, birthday, now);
          saved = saved || wrong === undefined;
        }
      }
      const choices = await loadChoices(deps.choices, tx, link.subject, offered, of.language, now);
      const still = asks && customer ? await deps.birthday?.wanted(tx, customer.id) : false;
      const problem = wrong ? TEXTS[of.language].birthdayWrong : undefined;
      const news = form && { ...(saved === undefined ? {} : { saved }), ...(problem ? { problem } : {}) };
      return preferencesPage(of, choices, news, still === true);
    });
  };

  app.get('/p/:token', options, async (request, reply) => {
    const link = await find(request.params.token);
    return link ? html(reply, await preferences(request as Call, link)) : unknown(request, reply);
  });

  app.post('/p/:token', options, async (request, reply) => {
    const link = await find(request.params.token);
    if (!link) return unknown(request, reply);
    const form = request.body !== null && typeof request.body === 'object' ? (request.body as Form) : {};
    return html(reply, await preferences(request as Call, link, form));
  });

  app.get('/w/:token', options, async (request, reply) => {
    const link = await find(request.params.token);
    if (!link) return unknown(request, reply);
    return html(
      reply,
      await deps.db.tenant(link.tenant_id, async (tx) => {
        const of = await pageOf(tx, request as Call, link);
        return whyPage(of, link.subject.address, await deps.messages(tx, link.subject, of.language, of.zone));
      }),
    );
  });
}
