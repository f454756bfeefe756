import type { ActionFact, Facts } from './facts.ts';
import type { Find } from './findings.ts';
import type { Ledger, Write } from './ledger.ts';

const DAY_MS = 86_400_000;

/**
 * Within a refresh lease the same token is never to be used again. It lasts a minute from before the call, which may be
 * slow; two who refresh side by side are much closer than this.
 */
const LEASE_MS = 30_000;
/** The order of the chase. */
const STEPS = ['friendly', 'firm', 'final'];

/** What people see: one thing for one key, one message for one step, and the steps in their order. */
export function judgePeople(ledger: Ledger, facts: Facts, find: Find): void {
  const actions = new Map(facts.actions.map((action) => [action.id, action]));
  const keyed = Map.groupBy(
    ledger.writes.filter((write) => write.key !== null),
    (write) => write.key!,
  );
  for (const [key, writes] of keyed)
    if (writes.length > 1)
      find(
        'doubled',
        'two native objects say the same',
        key,
        writes.map((write) => `${write.vendor} ${write.nativeId}`).join(', '),
      );
  const messages = ledger.writes.filter((write) => write.kind === 'send_sms' || write.kind === 'send_email');
  for (const [, same] of Map.groupBy(messages, (write) => `${write.to} ${write.text}`))
    for (let at = 1; at < same.length; at++)
      if (same[at]!.at - same[at - 1]!.at < DAY_MS)
        find('doubled', 'a person got the same message twice within a day', same[at]!.to, same[at]!.text.slice(0, 80));
  const ofRuns = messages.flatMap((write) => {
    const action = actions.get(write.request ?? '');
    return action?.runId && action.step ? [{ write, action, run: action.runId }] : [];
  });
  for (const [run, sent] of Map.groupBy(ofRuns, (entry) => entry.run)) judgeRun(run, sent, find);
}

function judgeRun(run: string, sent: readonly { write: Write; action: ActionFact }[], find: Find): void {
  const visits = Map.groupBy(sent, ({ action }) => `${action.step} ${action.visit}`);
  for (const [step, entries] of visits)
    if (entries.length > 1)
      find(
        'doubled',
        'two messages to one person for one step',
        run,
        `${step}: ${entries.map(({ write }) => write.nativeId).join(', ')}`,
      );
  let furthest = 0;
  for (const { action } of [...sent].sort((a, b) => a.write.at - b.write.at)) {
    const place = STEPS.indexOf(action.step ?? '');
    if (place < 0) continue;
    if (place < furthest)
      find('order', 'a reminder came after a later one', run, `${action.step} after ${STEPS[furthest]}`);
    furthest = Math.max(furthest, place);
  }
}

/** After STOP was taken in, nothing sets out to that number any more. */
export function judgeStops(ledger: Ledger, facts: Facts, find: Find): void {
  const since = new Map(facts.stopped.map(({ phone, at }) => [phone, at]));
  for (const { phone } of ledger.stops) {
    const at = since.get(phone);
    if (at === undefined) {
      find('lost', 'a STOP that was accepted is not known here', phone);
      continue;
    }
    for (const action of facts.actions)
      if (action.kind === 'send_sms' && action.recipient === phone && action.tries.some((tried) => tried > at))
        find('order', 'a text message set out after STOP', action.id, `${phone}, ${action.class}`);
  }
  const tried = new Map(facts.actions.map((action) => [action.id, action]));
  for (const { to, request, at } of ledger.refusedSms) {
    const stopped = since.get(to);
    const began = tried.get(request ?? '')?.tries.findLast((moment) => moment <= at);
    // On its way already when STOP came in.
    if (stopped !== undefined && (began ?? at) > stopped)
      find('order', 'a text message set out after STOP, and the vendor refused it', request ?? to, to);
  }
}

/**
 * A rotating refresh token is used once. When whoever used it was killed before it stored the new one, the next one
 * can only try again, after the lease has run out; the vendor then ends the access.
 */
export function judgeTokens(ledger: Ledger, find: Find): number {
  let ended = 0;
  const uses = ledger.tokens.filter(({ vendor }) => vendor === 'quickbooks');
  for (const [token, same] of Map.groupBy(uses, (use) => use.token)) {
    const given = same.findIndex((use) => use.outcome !== 'refused');
    for (const [at, use] of same.entries()) {
      if (given < 0 || at <= given) continue;
      if (same[given]!.outcome === 'lost' || use.at - same[given]!.at >= LEASE_MS) ended += 1;
      else
        find(
          'tokens',
          'a refresh token was spent again while another held the lease',
          token,
          `${use.at - same[given]!.at} ms later`,
        );
    }
  }
  return ended;
}
