import type { Member } from './sandbox.audience.ts';

/** What is posted about a member, PHP-style names and all (vendor's webhook guide, samples). */
export const formOf = (
  type: string,
  member: Member,
  fired: Date,
  more: Record<string, string> = {},
): Record<string, string> => ({
  type,
  fired_at: fired.toISOString().slice(0, 19).replace('T', ' '),
  'data[id]': member.unique_email_id,
  'data[list_id]': member.list_id,
  'data[email]': member.email_address,
  'data[email_type]': member.email_type,
  'data[web_id]': String(member.web_id),
  ...Object.fromEntries(
    Object.entries(member.merge_fields).map(([tag, value]) => [`data[merges][${tag}]`, String(value)]),
  ),
  ...more,
});
