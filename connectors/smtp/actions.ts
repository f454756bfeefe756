import { type ActionDefinition, defineAction, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** An address without anything that could end it and begin something else. */
const ADDRESS = /^[^\s@<>(),;:"[\]\\]+@[^\s@<>(),;:"[\]\\]+$/;

const setting = (ctx: VendorContext, name: string): string | undefined => {
  const value = ctx.settings[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** One line: a line break in a header would begin another header. */
const oneLine = (text: string): string =>
  [...text]
    .map((sign) => (sign < ' ' || sign === '\u007f' ? ' ' : sign))
    .join('')
    .replace(/ +/g, ' ')
    .trim();

function address(value: string, whose: string): string {
  if (ADDRESS.test(value)) return value;
  throw new VendorError('invalid', `The address of ${whose} is not one: ${oneLine(value)}`);
}

/** Reading programs show a button for it; the server must honour a bare POST, which only works over https (RFC 8058). */
function listHeaders(unsubscribeUrl: string | undefined, fromName: string, domain: string): Record<string, string> {
  if (unsubscribeUrl === undefined) return {};
  const url = new URL(unsubscribeUrl);
  return {
    'List-Unsubscribe': `<${url.href}>`,
    ...(url.protocol === 'https:' ? { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' } : {}),
    'List-ID': `${fromName.replace(/[^\w .-]/g, '')} <messages.${domain}>`.trim(),
  };
}

const sendEmail = defineAction<'send_email'>({
  kind: 'send_email',
  title: 'E-mail',
  idempotency: {
    kind: 'none',
    reason:
      'SMTP neither takes a key nor tells afterwards what it took. A mail whose confirmation got lost is not sent again; its Message-ID is the same for every try, so a person can look for it at the mail server.',
  },
  request: (ctx, input, meta) => {
    const from = address(setting(ctx, 'fromAddress') ?? '', 'the sender');
    const fromName = oneLine(setting(ctx, 'fromName') ?? '');
    const to = address(input.to, 'the recipient');
    const domain = from.slice(from.lastIndexOf('@') + 1);
    const replyTo = setting(ctx, 'replyTo');
    const bounceDomain = setting(ctx, 'bounceDomain');
    const answers = input.inReplyTo && /^<[^<>\s]+>$/.test(input.inReplyTo) ? input.inReplyTo : undefined;
    return {
      method: 'POST',
      path: '/send',
      json: {
        from: { name: fromName, address: from },
        to: { name: oneLine(input.toName ?? ''), address: to },
        ...(replyTo ? { replyTo: address(replyTo, 'answers') } : {}),
        subject: oneLine(input.subject),
        text: input.text,
        ...(input.html === undefined ? {} : { html: input.html }),
        date: ctx.now.toUTCString().replace('GMT', '+0000'),
        messageId: `<${meta.requestId}@${domain}>`,
        ...(answers ? { inReplyTo: answers, references: answers } : {}),
        headers: { 'Auto-Submitted': 'auto-generated', ...listHeaders(input.unsubscribeUrl, fromName, domain) },
        // A bounce comes back to an address that names the message it is about.
        envelope: { from: bounceDomain ? `bounce+${meta.requestId}@${bounceDomain}` : from, to: [to] },
      },
    };
  },
  receipt: (reply) => ({ nativeId: textAt(reply.body, 'messageId') ?? '', state: 'accepted' }),
});

export const actions: readonly ActionDefinition[] = [sendEmail];
