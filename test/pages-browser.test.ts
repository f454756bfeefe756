import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LANGUAGES } from '../src/settings/schema.ts';
import { contextOf, faultsIn, isTooWide, startBrowser, WIDTHS } from './support/browser.ts';
import { dispatch } from './support/sending.ts';
import { beginStory, type Customer, type Story } from './support/story.ts';
import { afterTheJob, invited, putTexts, responsesOf } from './support/surveys.ts';

let story: Story;
let browser: Browser;
let ann: Customer;
/** The links of a mail Ann got. */
let mail: { u: string; p: string; w: string };

beforeAll(async () => {
  const starting = startBrowser();
  story = await beginStory({ vendors: ['hubspot', 'smtp'], roles: 'api,sync,engine', alwaysOpen: true });
  await putTexts(story);
  for (const layout of ['one_page', 'step_by_step'] as const)
    await story.must('POST', '/v1/surveys', afterTheJob({ key: layout.replaceAll('_', '-'), layout }));
  ann = await story.customer();
  await story.must('POST', `/v1/customers/${ann.id}/consent`, {
    ...{ channel: 'email', state: 'granted', evidence: 'a form of 2 March' },
  });
  const offer = { customerId: ann.id, class: 'marketing', topic: 'offers' };
  await story.plan('send_email', { subject: 'Half price', text: 'Only today.' }, offer);
  await dispatch(story);
  const u = /<([^>]+\/u\/[^>]+)>/.exec(story.mailsTo(ann)[0]!.headers['list-unsubscribe']![0]!)![1]!;
  mail = { u, p: u.replace('/u/', '/p/'), w: u.replace('/u/', '/w/') };
  browser = await starting;
});
afterAll(async () => {
  await browser?.close();
  await story?.end();
});

/** Comes back when the page that follows says something. */
const toldOn = (page: Page, text: string): Promise<void> =>
  page.locator('[role=status]', { hasText: text }).waitFor({ timeout: 20_000 });

/** Pages of a kind in every state a person can meet, each as a way to get there. */
type Way = (page: Page) => Promise<unknown>;
async function waysOf(): Promise<Record<string, Way>> {
  const link = (survey: string): Promise<string> => invited(story, ann, survey);
  const [one, steps, done] = [await link('one-page'), await link('step-by-step'), await link('one-page')];
  await fetch(done, {
    method: 'POST',
    body: new URLSearchParams({ shown: 'happy,again,liked,word', 'q-happy': '5', do: 'send' }),
  });
  return {
    'the survey': (page) => page.goto(`${one}?a=4`),
    'the survey with mistakes': async (page) => {
      await page.goto(one);
      await page.locator('#q-word').fill('Fine');
      await page.locator('button[value=send]').click();
    },
    'one question of many': (page) => page.goto(steps),
    'what was answered': (page) => page.goto(done),
    'an unknown link': (page) => page.goto(`${one}x`),
    'the choices about messages': (page) => page.goto(mail.p),
    unsubscribe: (page) => page.goto(mail.u),
    'why somebody got it': (page) => page.goto(mail.w),
  };
}

test.each(LANGUAGES)(
  'pages: nothing stands in the way of anybody on the pages of recipients, at 380 and 1280 pixels (%s)',
  async (language) => {
    const context = await contextOf(browser, language, true);
    const page = await context.newPage();
    const faults: Record<string, unknown> = {};
    for (const [name, way] of Object.entries(await waysOf())) {
      await page.setViewportSize({ width: WIDTHS[1], height: 900 });
      await way(page);
      expect(await page.locator('html').getAttribute('lang'), name).toBe(language);
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        const found = [...(await faultsIn(page)), ...((await isTooWide(page)) ? ['wider than the screen'] : [])];
        if (found.length > 0) faults[`${name} at ${width}`] = found;
      }
    }
    await context.close();
    expect(faults).toEqual({});
  },
);

test('pages: what stands in the way is found', async () => {
  const context = await contextOf(browser, 'en', true);
  const page = await context.newPage();
  await page.setContent(
    '<html lang="en"><title>x</title><main><h1>x</h1><input><p style="width: 3000px">x</p></main></html>',
  );
  expect(await faultsIn(page)).toEqual([expect.stringContaining('critical label')]);
  expect(await isTooWide(page)).toBe(true);
  await context.close();
});

test('pages: a survey is answered with the keyboard alone, without scripts, and what has the focus is seen', async () => {
  const context = await contextOf(browser, 'en');
  const page = await context.newPage();
  await page.goto(await invited(story, ann, 'one-page'));
  const press = async (...keys: string[]): Promise<void> => {
    for (const key of keys) await page.keyboard.press(key);
  };
  // The first of five is taken with a blank, the next with an arrow, as in every group of choices.
  await press('Tab', 'Space', 'ArrowRight');
  const focused = page.locator(':focus');
  expect(await focused.getAttribute('id')).toBe('q-happy-2');
  expect(await focused.evaluate((box) => getComputedStyle(box).outlineStyle)).not.toBe('none');
  await press('Tab', 'Space', 'Tab', 'Space', 'Tab', 'Tab');
  await page.keyboard.type('Late');
  await press('Enter');
  // Two is bad: one more question came up, and the rest is still there.
  await toldOn(page, 'something more');
  expect(await page.locator('#q-word').inputValue()).toBe('Late');
  await page.locator('#q-why').focus();
  await page.keyboard.type('Nobody called.\nNobody came.');
  await press('Tab');
  for (let tabs = 0; tabs < 6 && (await page.locator('button:focus').count()) === 0; tabs++) await press('Tab');
  await press('Enter');
  await toldOn(page, 'Thank you very much.');
  expect((await responsesOf(story, ann)).at(-1)).toMatchObject({
    score: 2,
    answers: { happy: 2, again: true, liked: ['speed'], word: 'Late', why: 'Nobody called.\nNobody came.' },
  });
  await context.close();
});

test('pages: choices about messages are made and unmade without scripts', async () => {
  const context = await contextOf(browser, 'de');
  const page = await context.newPage();
  await page.goto(mail.p);
  const box = page.locator('input[type=checkbox][name^="topic:email"]').first();
  expect(await box.isChecked()).toBe(true);
  await box.uncheck();
  await page.locator('form').first().locator('button').click();
  await toldOn(page, 'Ihre Auswahl ist gespeichert.');
  expect(await page.locator('input[type=checkbox][name^="topic:email"]').first().isChecked()).toBe(false);
  await page.goto(mail.u);
  await page.locator('button').click();
  await toldOn(page, 'Sie bekommen');
  await context.close();
});
