import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addDays, localDate } from '../src/base/time.ts';
import { isAwayNotice, returnDay } from '../src/sequences/away.ts';
import { beginStory, type Customer, type Row, type Story, ZONE } from './support/story.ts';

let story: Story;
const today = (): string => localDate(story.clock.now(), ZONE);

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'quickbooks', 'twilio', 'slack', 'smtp', 'webhook'] });
});
afterAll(() => story?.end());

test('switching on: what happens today is found at once, not with the next round', async () => {
  const ann = await story.customer({ owes: [100] });
  await story.playbook('overdue-chase');
  // No time passes.
  await story.settle();
  expect(await story.enrolment(ann)).toMatchObject({ state: 'waiting' });
  expect(story.mailsTo(ann)).toHaveLength(1);
});

test('settled: credit in another currency settles nothing, credit in the same one does', async () => {
  const { quickbooks: books } = story.vendors;
  const ann = await story.chased({ owes: [100] });
  const account = books.state.find('Customer', ann.account)!;
  const dollars = account.CurrencyRef;
  const credit = async (amount: number, currency: unknown): Promise<void> => {
    account.CurrencyRef = currency as never;
    await books.credit(ann.account, amount);
    account.CurrencyRef = dollars;
    await story.settle();
  };
  await credit(5_000, { value: 'EUR', name: 'Euro' });
  const [held] = await story.rows(
    "select currency, unapplied from payment where tenant_id = $1 and customer_id = $2 and currency = 'EUR'",
    ann.id,
  );
  expect(held).toMatchObject({ currency: 'EUR', unapplied: expect.stringMatching(/^5000/) });
  expect(await story.enrolment(ann)).toMatchObject({ state: 'waiting', step: 'firm' });
  // Nor does less than what is owed, in the right currency.
  await credit(99, dollars);
  expect(await story.enrolment(ann)).toMatchObject({ state: 'waiting', step: 'firm' });
  await credit(1, dollars);
  expect(await story.enrolment(ann)).toMatchObject({ state: 'exited', endReason: 'nothing is overdue any more' });
});

let mails = 0;
/** A machine of the customer answers. */
async function machine(ann: Customer, body: string, more: Row = {}): Promise<void> {
  const at = story.clock.now().toISOString();
  await story.vendors.webhook.send('activity.created', {
    ...{
      id: `away-${++mails}`,
      kind: 'email',
      channel: 'email',
      direction: 'in',
      email: ann.email,
      subject: 'Re: reminder',
    },
    ...{ occurred_at: at, updated_at: at, automatic: true, body, ...more },
  });
  await story.settle();
}
const wakesOn = async (ann: Customer): Promise<string> =>
  localDate(
    new Date(
      (await story.rows('select wake_at from run where tenant_id = $1 and customer_id = $2', ann.id))[0]!.wake_at,
    ),
    ZONE,
  );

describe('away', () => {
  test('away: a notice with a date puts the next reminder off until then, and the later ones by as much', async () => {
    const ann = await story.chased();
    const start = today();
    const back = addDays(start, 20);
    await machine(ann, `I am out of the office and will be back on ${back}.`);
    expect(await wakesOn(ann)).toBe(back);
    expect(await story.enrolment(ann)).toMatchObject({ state: 'waiting', step: 'firm' });
    expect((await story.audit(ann)).at(-1)).toMatchObject({
      action: 'enrolment.parked',
      data: { until: back, stated: true },
    });
    await story.until(19, '12:00');
    expect(story.textsTo(ann)).toEqual([]);
    await story.until(1, '12:00');
    expect(story.textsTo(ann)).toHaveLength(1);
    // A week between the second and the third, as without the absence.
    expect(await wakesOn(ann)).toBe(addDays(back, 7));
  });

  test('away: a reminder that already waits for its hour waits until the day of return, and is not stale then', async () => {
    const ann = await story.chased();
    await story.until(6, '00:30');
    expect((await story.actions(ann)).at(-1)).toMatchObject({ channel: 'sms', state: 'planned' });
    await machine(ann, `Automatic reply: on vacation until ${addDays(today(), 9)}`);
    expect((await story.actions(ann)).at(-1)).toMatchObject({ channel: 'sms', state: 'planned', reason: 'away' });
    await story.until(9, '12:00');
    expect(story.textsTo(ann)).toEqual([]);
    await story.until(1, '12:00');
    expect(story.textsTo(ann)).toHaveLength(1);
  });

  test('away: without a date it is seven days; a bounce, a person’s own words and what is later anyway change nothing', async () => {
    const ann = await story.chased();
    await story.until(5, '12:00');
    await machine(ann, 'Undeliverable: the mailbox is full', { subject: 'Undeliverable: reminder' });
    expect(await wakesOn(ann)).toBe(addDays(today(), 1));
    await machine(ann, 'I am out of the office.');
    expect(await wakesOn(ann)).toBe(addDays(today(), 7));
    await machine(ann, `Out of office, back on ${addDays(today(), 2)}`);
    expect(await wakesOn(ann)).toBe(addDays(today(), 7));
    await machine(ann, 'I am on vacation, but I will pay.', { automatic: false });
    expect(await story.enrolment(ann)).toMatchObject({ state: 'exited', endReason: 'the customer answered' });
  });

  const MONDAY = '2026-03-02';
  test.each([
    ['I am out of the office until March 10.', '2026-03-11'],
    ['Away from 3 March through 10 March 2026, back on 11 March.', '2026-03-11'],
    ['I will return on Monday.', '2026-03-09'],
    ['Back on Thursday, March 5th', '2026-03-05'],
    ['Ich bin bis zum 10.03.2026 nicht im Büro.', '2026-03-11'],
    ['Im Urlaub; ab dem 16. März bin ich wieder da.', '2026-03-16'],
    ['Je suis en congé jusqu’au 6 mars.', '2026-03-07'],
    ['Estoy fuera de la oficina hasta el 6 de marzo', '2026-03-07'],
    ['I am back on 03/09/2026', '2026-03-09'],
    ['Returning January 4', '2026-05-01'],
    ['I was away until 2026-02-20', undefined],
    ['I am out of the office. My number is 555 1234 since 2019.', undefined],
    ['Back on 2026-02-30', undefined],
  ])('away: the day of return in "%s" is %s', (text, day) => {
    expect(returnDay(text, MONDAY)).toBe(day);
  });

  test('away: what is a notice and what is not', () => {
    expect(isAwayNotice('Automatic reply: your invoice', '')).toBe(true);
    expect(isAwayNotice('Abwesenheitsnotiz', 'Ich bin im Urlaub')).toBe(true);
    expect(isAwayNotice('Undeliverable: x', 'out of office')).toBe(false);
    expect(isAwayNotice('Re: invoice', 'We received your message and will answer soon.')).toBe(false);
  });
});
