import type { Tx } from '../base/database.ts';
import { CONFIRMATION } from '../consent/compliance.ts';
import { type OptOut, optIn, optOut } from '../consent/optout.ts';
import { customerOfAddress, noteAnswered } from '../consent/store.ts';
import { fill, languageOf, textIn } from '../consent/texts/index.ts';
import { answerLanguage } from '../consent/words.ts';
import { findCustomer } from '../model/store.ts';
import { setting } from '../settings/store.ts';
import type { ActionDeps } from './deps.ts';
import { optOutDeps } from './optouts.ts';
import { KIND_OF_CHANNEL } from './plan.ts';
import { insertRequest } from './store.ts';

/** HELP is answered once in so long; whoever writes it again meanwhile has the answer. */
const HELP_AGAIN_MS = 3_600_000;

/** A word somebody wrote, with where it came in. */
export interface Written {
  channel: string;
  address: string;
  text: string;
  connection: { id: string; connector: string } | undefined;
  at: Date;
}

/** Somebody wrote STOP: it counts, and is confirmed once where the platform does not do that itself. */
export async function takeStop(
  deps: ActionDeps,
  tx: Tx,
  written: Written,
  choice: Pick<OptOut, 'source' | 'evidence'> & { topic?: string | undefined; scope?: 'marketing' | undefined },
): Promise<void> {
  const { channel, address, connection, at } = written;
  // By mail there is no carrier that would close the address for everything.
  const scope = choice.scope ?? (channel === 'email' ? ('marketing' as const) : ('all' as const));
  const from = connection ? [connection.id] : [];
  const { news, customerId } = await optOut(optOutDeps(deps), tx, {
    ...choice,
    ...{ channel, address, scope, reason: 'stop_reply', from, at },
  });
  if (news && customerId) await deps.ears?.stopped(tx, customerId, channel, at);
  if (!news || choice.topic || choice.scope) return;
  const until = new Date(at.getTime() + CONFIRMATION.value.minutes * 60_000);
  await answer(deps, tx, 'stop', written, customerId, until);
}

export const takeStart = (
  deps: ActionDeps,
  tx: Tx,
  { channel, address, at }: Written,
  choice: Pick<OptOut, 'source' | 'evidence'>,
): Promise<void> => optIn(deps, tx, { channel, address, at, ...choice });

/** Somebody asked for help. */
export async function takeHelp(deps: ActionDeps, tx: Tx, written: Written): Promise<void> {
  const { channel, address, at } = written;
  const customerId = await customerOfAddress(tx, channel, address);
  await answer(deps, tx, 'help', written, customerId, new Date(at.getTime() + HELP_AGAIN_MS));
}

/** Plans the answer to a word: transactional, at once whatever the hour, and too late after a while. */
async function answer(
  deps: ActionDeps,
  tx: Tx,
  word: 'stop' | 'help',
  { channel, address, text, connection, at }: Written,
  customerId: string | undefined,
  until: Date,
): Promise<void> {
  if (channel !== 'sms' && channel !== 'whatsapp') return;
  const replies = await setting(tx, 'replies');
  const when = word === 'stop' ? replies.answerStop : replies.answerHelp;
  const platform = connection && deps.registry.find(connection.connector)?.answers?.[channel];
  if (when === 'never' || (when !== 'always' && platform?.includes(word))) return;
  const hash = deps.hash(tx.tenantId, channel, address);
  const again = word === 'help' ? HELP_AGAIN_MS : CONFIRMATION.value.minutes * 60_000;
  if (!(await noteAnswered(tx, { channel, addressHash: hash, word, at, notSince: new Date(at.getTime() - again) })))
    return;
  const business = await setting(tx, 'business');
  const person = customerId ? await findCustomer(tx, customerId) : undefined;
  const own = languageOf({ locale: person?.locale as string | null | undefined, country: business.country });
  const language = answerLanguage(text, own);
  const said = fill(textIn(word === 'stop' ? replies.stop : replies.help, language), {
    business: business.name,
    // Without a number nobody can be told to call one.
    phone: business.phone || business.replyTo || business.name,
  });
  await insertRequest(
    tx,
    {
      kind: KIND_OF_CHANNEL[channel],
      ...{ channel, recipient: address, class: 'transactional', customer_id: customerId ?? null },
      plan: { type: 'answer', to: word, input: { to: address, text: said } },
      connection_id: connection?.id ?? null,
      ...{ stale_after: until, priority: 9, created_by: `consent:${word}` },
    },
    at,
  );
  await deps.queue.send(tx, 'dispatch', { tenantId: tx.tenantId });
}
