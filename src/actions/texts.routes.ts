import { listUsers } from '../access/store.ts';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { forbidden, invalid } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { App } from '../http/app.ts';
import { caller, ref, tag } from '../http/helpers.ts';
import { listStaff } from '../sequences/staff.ts';
import type { ActionDeps } from './deps.ts';
import { previewText } from './preview.ts';
import { toAction } from './routes.ts';
import { ActionView } from './schema.ts';
import { findRequestByKey, insertRequest } from './store.ts';
import { TestSendInput, TextPreview, TextPreviewInput } from './texts.schema.ts';

/** Looking at texts, and trying them on oneself. */
export function textRoutes(app: App, deps: ActionDeps): void {
  const looking = () => ({ publicUrl: deps.config.publicUrl, now: deps.clock.now() });

  app.post(
    '/v1/templates/preview',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'A text as a customer would get it, with what is missing, how long it is, and what to mind',
        body: ref(TextPreviewInput),
        response: { 200: ref(TextPreview) },
      },
    },
    async (request) => deps.db.tenant(caller(request).tenantId, (tx) => previewText(tx, request.body, looking())),
  );

  app.post(
    '/v1/templates/test-send',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sequences'],
        summary: "Send an e-mail text to oneself or to staff: on the way of real messages, counted in nobody's limits",
        body: ref(TestSendInput),
        response: { 202: ref(ActionView) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor, userId } = caller(request);
      const { to, ...asked } = request.body;
      if (asked.channel !== 'email')
        throw invalid(
          'Tests go by e-mail: no phone numbers of staff are known.',
          [{ path: 'channel', message: 'must be email' }],
          'The preview shows the text, and what it takes as text messages.',
        );
      const now = deps.clock.now();
      const key = (request.headers['idempotency-key'] as string | undefined) ?? newId();
      const row = await deps.db.tenant(tenantId, async (tx) => {
        const recipient = await recipientOf(tx, userId, to);
        const { subject, text, html, missing, problems, locale, customer } = await previewText(tx, asked, looking());
        const wrong = [
          ...problems,
          ...missing.map(({ name }) => ({ path: 'body', message: `there is no value for ${name}` })),
        ];
        if (wrong.length > 0 || !subject || !text)
          throw invalid(
            `The text cannot be written like this: ${wrong.map(({ message }) => message).join('; ')}.`,
            wrong,
            'Look at the preview, or leave the customer out to try it with example values.',
          );
        const made = await insertRequest(
          tx,
          {
            ...{ kind: 'send_email', channel: 'email', recipient, class: 'internal', topic: 'test' },
            plan: {
              type: 'direct',
              input: { to: recipient, subject: `[Test] ${subject}`.slice(0, 500), text, ...(html ? { html } : {}) },
            },
            ...{ idempotency_key: key, created_by: actor },
          },
          now,
        );
        if (!made) return findRequestByKey(tx, key);
        await appendEvents(tx, [
          {
            ...{ actor, action: 'template.test_sent', at: now },
            subject: { kind: 'template', id: `${asked.key ?? 'draft'}/email/${locale}` },
            data: { to: recipient, as: customer?.id ?? 'example', action: made.id },
          },
        ]);
        await deps.queue.send(tx, 'dispatch', { tenantId });
        return made;
      });
      tag(reply, row!.version);
      return reply.code(202).send(toAction(row!));
    },
  );
}

/** @throws Problem when the address is nobody's who works here */
async function recipientOf(tx: Tx, userId: string | undefined, to: string | undefined): Promise<string> {
  const own = (await listUsers(tx)).find(({ id }) => id === userId)?.email;
  if (to === undefined) {
    if (own) return own;
    throw invalid('An API key has no address of its own.', [
      { path: 'to', message: 'is missing: an address of staff' },
    ]);
  }
  const wanted = to.trim().toLowerCase();
  const staff = (await listStaff(tx)).filter(({ departed_on }) => departed_on === null).map(({ email }) => email);
  const known = [...(own ? [own] : []), ...staff].find((email) => email.toLowerCase() === wanted);
  if (known) return known;
  throw forbidden(
    `${to} is no address of yours or of your staff.`,
    'Tests go to those who work here; add them as staff.',
  );
}
