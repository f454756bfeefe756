import {
  type ActionMeta,
  listAt,
  type Receipt,
  type Reply,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { sinceFirstTry } from './marks.ts';
import { userOf } from './people.ts';
import { crm } from './version.ts';

interface Mail {
  to: string;
  toName?: string | undefined;
  subject: string;
  content: string;
  format: 'html' | 'text';
  template?: string | undefined;
}

/** One e-mail from a record, so that it stands on the record's own list of e-mails. */
export function mailFrom(ctx: VendorContext, module: string, id: string, mail: Mail): RequestSpec {
  const user = userOf(ctx);
  const email = String(ctx.settings.mailFrom ?? user.email);
  return {
    method: 'POST',
    path: crm(`${module}/${encodeURIComponent(id)}/actions/send_mail`),
    json: {
      data: [
        {
          from: { user_name: String(ctx.settings.mailFromName ?? user.name), email },
          to: [{ user_name: mail.toName ?? mail.to, email: mail.to }],
          subject: mail.subject,
          ...(mail.template
            ? { template: { id: mail.template } }
            : { content: mail.content, mail_format: mail.format }),
        },
      ],
    },
  };
}

export function mailReceipt(reply: Reply): Receipt {
  const nativeId = textAt(reply.body, 'data[0].details.message_id');
  if (!nativeId) throw new VendorError('malformed', 'Zoho CRM answered without a message id.', { mayHaveActed: true });
  return { nativeId, state: 'sent' };
}

/** The e-mail an earlier try sent: on the record's list, to the same person, with the same subject, since that try. */
export async function mailSent(
  ctx: VendorContext,
  module: string,
  id: string,
  mail: Pick<Mail, 'to' | 'subject'>,
  meta: ActionMeta,
): Promise<Receipt | undefined> {
  const query = { type: 'sent_from_crm', owner_id: userOf(ctx).id };
  const { body } = await ctx.call({ method: 'GET', path: crm(`${module}/${encodeURIComponent(id)}/Emails`), query });
  const found = listAt(body, 'Emails').find(
    (sent) =>
      textAt(sent, 'subject') === mail.subject &&
      sinceFirstTry(meta, textAt(sent, 'time') ?? textAt(sent, 'sent_time')) &&
      listAt(sent, 'to').some((person) => textAt(person, 'email')?.toLowerCase() === mail.to.toLowerCase()),
  );
  const nativeId = textAt(found, 'message_id');
  return nativeId ? { nativeId, state: 'sent' } : undefined;
}
