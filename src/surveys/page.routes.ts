import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Clock } from '../base/clock.ts';
import { type Database, one, type Tx } from '../base/database.ts';
import { hashToken } from '../base/ids.ts';
import { languageOf } from '../consent/texts/index.ts';
import type { App } from '../http/app.ts';
import { unknownPage } from '../http/recipient.ts';
import { answeredPage, closedPage, examplePage, type SurveyPageOf, surveyPage, thanksPage } from '../http/survey.ts';
import { setting } from '../settings/store.ts';
import { handIn, keepPartial, type SurveyDeps } from './answer.ts';
import { EXAMPLE } from './context.ts';
import { firstShown, readAnswer, turn } from './form.ts';
import { findInvitation, type InvitationRow, invitedCustomer } from './invitations.ts';
import { askedOf, mainQuestion } from './questions.ts';
import type { Answers, SurveyDefinition } from './schema.ts';
import { findSurvey, loadVersion } from './store.ts';

type Form = Record<string, unknown>;

/** Requests for one link in a minute; who fills in a page of questions needs a fraction of that. */
const PER_MINUTE = 60;

interface Found {
  row: InvitationRow;
  survey: SurveyDefinition;
  closed: boolean;
  of: SurveyPageOf;
}

/** The page of a survey. Whoever has the link may answer, once: the link is the secret, and no cookie is needed. */
export function surveyPageRoutes(app: App, deps: { db: Database; clock: Clock; surveys: SurveyDeps }): void {
  const Params = Type.Object({ token: Type.String({ maxLength: 100 }) });
  type Call = FastifyRequest<{ Params: { token: string } }>;
  const options = {
    config: {
      permission: 'public' as const,
      rateLimit: {
        max: PER_MINUTE,
        timeWindow: '1 minute',
        keyGenerator: (request: FastifyRequest) => `s ${hashToken((request as Call).params.token)}`,
      },
    },
    schema: { hide: true, params: Params },
  };
  const accepts = (request: FastifyRequest): string | undefined => request.headers['accept-language'];
  const html = (reply: FastifyReply, { body, status }: Shown): FastifyReply =>
    reply
      .code(status ?? 200)
      .type('text/html')
      .header('cache-control', 'no-store')
      .header('referrer-policy', 'no-referrer')
      .header('x-robots-tag', 'noindex')
      .header('vary', 'accept-language')
      .send(body);

  const unknown = (request: FastifyRequest): Shown => ({
    body: unknownPage(languageOf({ accept: accepts(request), country: '' })),
    status: 404,
  });

  /** The invitation of a link, in a transaction of its tenant. */
  const within = async (request: Call, lock: boolean, show: (tx: Tx, found: Found) => Promise<Shown | undefined>) => {
    const link = one(
      await deps.db.statement<{ tenant_id: string; subject: { invitation: string } }>(
        "select tenant_id, subject from link_route where token_hash = $1 and purpose = 'survey'",
        [hashToken(request.params.token)],
      ),
    );
    if (!link) return unknown(request);
    const page = await deps.db.tenant(link.tenant_id, async (tx) => {
      const row = await findInvitation(tx, link.subject.invitation, lock);
      const customer = row && (await invitedCustomer(tx, row));
      const [survey, own] = row
        ? [await loadVersion(tx, row.survey_id, row.number), await findSurvey(tx, row.survey_id)]
        : [];
      // Who was erased is not here any more, and nobody says whether they ever were.
      if (!row || !customer || !survey || !own) return undefined;
      const { name, zone, country } = await setting(tx, 'business');
      const locale = customer.locale as string | null | undefined;
      const language = languageOf({ locale, accept: accepts(request), country });
      const of = { language, business: name, zone };
      if (row.state !== 'answered') return show(tx, { row, survey, closed: own.state === 'closed', of });
      const { answers, answered_at, completed_by } = row;
      return {
        body: answeredPage(of, survey, { answers, answeredAt: answered_at!, byPerson: completed_by === 'person' }),
      };
    });
    return page ?? unknown(request);
  };

  // GET shows, POST acts: link scanners follow every link of a mail, and must not answer for anybody.
  app.get('/s/:token', options, async (request, reply) => {
    if (request.params.token === EXAMPLE)
      return html(reply, { body: examplePage(languageOf({ accept: accepts(request), country: '' })) });
    const query = request.query as Form;
    return html(
      reply,
      await within(request as Call, false, async (_tx, { row, survey, closed, of }) => {
        if (closed) return { body: closedPage(of) };
        const answers = chosenBefore(survey, row.answers, query.a);
        const show = firstShown(survey, row.answers);
        return { body: surveyPage(of, survey, { ...EMPTY, show, answers }) };
      }),
    );
  });

  app.post('/s/:token', options, async (request, reply) => {
    const form = request.body !== null && typeof request.body === 'object' ? (request.body as Form) : {};
    return html(
      reply,
      await within(request as Call, true, async (tx, { row, survey, closed, of }) => {
        const now = deps.clock.now();
        if (closed) return { body: closedPage(of) };
        const next = turn(survey, row.answers, form);
        if (next.done) {
          const taken = await handIn(deps.surveys, tx, row, survey, next.answers, 'person', now);
          return taken ? { body: thanksPage(of, survey, next.answers) } : undefined;
        }
        await keepPartial(tx, row, survey, next.answers, now);
        return {
          body: surveyPage(of, survey, { ...next, typed: form }),
          ...(next.mistakes.size > 0 ? { status: 422 } : {}),
        };
      }),
    );
  });
}

interface Shown {
  body: string;
  status?: number;
}

const EMPTY = { mistakes: new Map(), typed: {}, more: false };

/** The answer that was clicked in the message is chosen already; it is not given before it is sent. */
function chosenBefore(survey: SurveyDefinition, kept: Answers, clicked: unknown): Answers {
  const main = mainQuestion(survey) ?? askedOf(survey.questions, {})[0];
  const read = main && readAnswer(main, clicked);
  return main && read && 'answer' in read ? { ...kept, [main.key]: read.answer } : kept;
}
