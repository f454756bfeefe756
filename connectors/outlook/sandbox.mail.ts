import { listAt, textAt } from '../../src/kit/index.ts';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { problem } from './sandbox.limits.ts';
import { shown } from './sandbox.query.ts';
import { type Call, listItems, missing, type Routes } from './sandbox.routes.ts';
import { type Item, type Mailbox, typeOf } from './sandbox.state.ts';

/** A mail that lies in the mailbox. @param given what is known of it */
export function addMail(mailbox: Mailbox, given: Record<string, unknown>, at?: string): Item {
  const when = at ?? mailbox.now();
  const item = mailbox.create(
    'message',
    {
      '@odata.type': typeOf('message'),
      ...{ isDraft: false, isRead: false, parentFolderId: 'inbox', categories: [], hasAttachments: false },
      ...{ receivedDateTime: when, sentDateTime: when },
      ...given,
    },
    when,
  );
  item.conversationId ??= `AAQk${item.id}`;
  item.internetMessageId ??= `<${item.id}@business.example>`;
  item.webLink = `https://outlook.office365.com/owa/?ItemID=${encodeURIComponent(item.id)}&exvsurl=1&viewmodel=ReadMessageItem`;
  return item;
}

/** The mail that a MIME text stands for, with the headers that matter here. */
function mailOfMime(base64: string): Record<string, unknown> {
  const mime = Buffer.from(base64, 'base64').toString('utf8');
  const [head = ''] = mime.split('\r\n\r\n');
  const headers = head
    .replaceAll('\r\n ', ' ')
    .split('\r\n')
    .map((line) => ({ name: line.split(':')[0]!, value: line.slice(line.indexOf(':') + 1).trim() }));
  const header = (name: string): string => headers.find((one) => one.name === name)?.value ?? '';
  const address = /<([^>]*)>/.exec(header('To'))?.[1] ?? header('To');
  return { subject: header('Subject'), toRecipients: [{ emailAddress: { address } }], internetMessageHeaders: headers };
}

/** Exchange refuses an address that cannot exist when the mail is to be sent. */
const sendable = (item: Item): boolean =>
  listAt(item, 'toRecipients').length > 0 &&
  listAt(item, 'toRecipients').every((one) =>
    /^[^@\s]+@[^@\s]+\.(?!invalid$)[^@\s.]+$/.test(textAt(one, 'emailAddress.address') ?? ''),
  );

export function installMail(app: SandboxServer['app'], routes: Routes): void {
  const { mailbox } = routes;
  const draft = (given: Record<string, unknown>): Item =>
    addMail(mailbox, { ...given, isDraft: true, parentFolderId: 'drafts' });

  app.get('/v1.0/me/messages', async (request: Call, reply) =>
    listItems(routes, request, reply, mailbox.all('message', true)),
  );
  app.post('/v1.0/me/messages', async (request: Call, reply) => {
    const given = typeof request.body === 'string' ? mailOfMime(request.body) : (request.body ?? {});
    return reply.code(201).send(shown(draft(given), {}));
  });
  app.get('/v1.0/me/messages/:id', async (request: Call, reply) => {
    const item = mailbox.find('message', request.params.id!);
    return item ? shown(item, request.query) : missing(reply);
  });
  app.get('/v1.0/me/messages/:id/$value', async (request: Call, reply) => {
    const item = mailbox.find('message', request.params.id!);
    return item ? reply.type('text/plain').send(String(item.mime ?? '')) : missing(reply);
  });
  app.patch('/v1.0/me/messages/:id', async (request: Call, reply) => {
    const item = mailbox.update('message', request.params.id!, request.body ?? {});
    return item ? shown(item, {}) : missing(reply);
  });
  app.post('/v1.0/me/messages/:id/createReply', async (request: Call, reply) => {
    const item = mailbox.find('message', request.params.id!);
    if (!item) return missing(reply);
    const { conversationId, subject, from } = item;
    const answer = draft({ conversationId, subject: `RE: ${String(subject)}`, toRecipients: [from] });
    return reply.code(201).send(shown(answer, {}));
  });
  app.post('/v1.0/me/messages/:id/send', async (request: Call, reply) => {
    const item = mailbox.find('message', request.params.id!);
    // What was sent is no draft any more, and cannot be sent again.
    if (!item?.isDraft) return missing(reply);
    if (!sendable(item)) return problem(reply, 400, 'ErrorInvalidRecipients', 'At least one recipient is not valid.');
    mailbox.update('message', item.id, { isDraft: false, parentFolderId: 'sentitems', sentDateTime: mailbox.now() });
    mailbox.sent.push(item.id);
    return reply.code(202).send();
  });
}
