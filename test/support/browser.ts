import chromium from '@sparticuz/chromium';
import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium as driver, type Page } from 'playwright-core';

/** Widths a page must work at: a small telephone, and a desk. */
export const WIDTHS = [380, 1280] as const;

/** A real browser; it comes inside a package, and nothing is downloaded. */
export async function startBrowser(): Promise<Browser> {
  return driver.launch({
    executablePath: await chromium.executablePath(),
    // Not those of the package, which are for one page in a small function: with them the first page that is closed ends it.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--headless=shell'],
    headless: true,
  });
}

/** A browser as a person has it who speaks a language. @param scripts whether pages may run any */
export const contextOf = (browser: Browser, language: string, scripts = false): Promise<BrowserContext> =>
  browser.newContext({ locale: language, javaScriptEnabled: scripts, bypassCSP: scripts });

/**
 * What is wrong with a page for people who use it with a screen reader, a keyboard or large letters: everything axe-core
 * finds against WCAG 2.2 A and AA, whatever its weight.
 */
export async function faultsIn(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { axe: inPage } = globalThis as unknown as {
      axe: {
        run(options: unknown): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }>;
      };
    };
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    return (await inPage.run({ runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })).violations;
  });
  return found.map(
    ({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
  );
}

/** Whether something of a page lies outside its width. */
export const isTooWide = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
