// The Overview in a real browser, under the product's Content-Security-Policy plus Trusted Types, against canned answers that
// carry markup, javascript: addresses and bidi overrides (T54, T55).
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HOSTILE, connectorOf, eventOf, stubData } from './stub-data.ts';
import { openStub, type Stub } from './stub-server.ts';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const present = existsSync(CHROMIUM);

let folder: string;
let browser: Browser | undefined;
let stub: Stub;
let page: Page;
/** Whatever must never happen on the page: violations of the policy, dialogs, uncaught errors. */
let alarms: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-dashboard-'));
  await build({ root: import.meta.dirname, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } });
  if (present) browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
});

afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async (ctx) => {
  alarms = [];
  if (browser === undefined) return ctx.skip('chromium is not installed');
  stub = await openStub(folder, stubData());
  page = await newPage(browser, {});
});

afterEach(async () => {
  if (browser === undefined) return;
  await page.context().close();
  await stub.close();
  expect(alarms).toEqual([]);
});

async function newPage(
  from: Browser,
  options: { colorScheme?: 'light' | 'dark'; viewport?: { width: number; height: number } },
): Promise<Page> {
  const context = await from.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const opened = await context.newPage();
  opened.on('dialog', (dialog) => {
    alarms.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  opened.on('pageerror', (error) => alarms.push(`error ${error.message}`));
  opened.on('console', (message) => {
    if (/Content.Security.Policy|TrustedHTML|TrustedScript/i.test(message.text())) alarms.push(message.text());
  });
  await opened.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) =>
      console.error(`Content Security Policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  return opened;
}

const open = async (path = '/'): Promise<void> => {
  await page.goto(stub.origin + path);
  await settled();
};
/** The stream stands and each panel has its first answer. */
const settled = async (): Promise<void> => {
  for (const part of [
    '.live-state.live',
    '.row-name, .card',
    '.figures[aria-busy=false], .card',
    '.event-list, .empty',
  ]) {
    await page.locator(part).first().waitFor();
  }
};
const names = (): Promise<string[]> => page.locator('.row-name .name').allTextContents();
const row = (name: string) => page.locator(`tr[data-row="${name}"]`).first();

describe('the overview', () => {
  it('says first what is wrong, then shows the connectors worst first and N/A where there were no calls', async () => {
    await open();
    expect(await page.locator('h1').textContent()).toContain('2 of 5 connectors need attention');
    expect(await names()).toEqual(['teams', 'slack', 'host', 'git', 'logs']);
    const host = await row('host').locator('td').allTextContents();
    expect(host.slice(1, 6)).toEqual(['N/A', 'idle', 'N/A', 'N/A', '0']);
    expect(await page.title()).toBe('(2) Weir');
    expect(await page.locator('.figures').textContent()).toContain('1,204 of 10,000, 12 %');
  });

  it('shows hostile text as text, with controls made visible, and never as a link', async () => {
    await open('/?q=cursor&open=teams');
    await page.locator('.result-list li').nth(2).waitFor();
    await page.locator('.drill table').nth(2).waitFor();
    const text = (await page.locator('body').textContent()) ?? '';
    expect(text.split(HOSTILE.markup).length - 1).toBeGreaterThanOrEqual(5); // reason, event, snippet, title, run message
    expect(text).not.toMatch(/[\u0000-\u0008\u009b\u202e\u2066]/);
    expect(await page.locator('#app img, #app script').count()).toBe(0);
    const links = await page
      .locator('a')
      .evaluateAll((all) => all.map((link) => [(link as HTMLAnchorElement).protocol, link.getAttribute('rel')]));
    expect(links.filter(([protocol]) => protocol !== 'https:')).toEqual([['http:', null]]); // the word mark, to the page itself
    expect(links.filter(([protocol]) => protocol === 'https:').every(([, rel]) => rel?.includes('noopener'))).toBe(
      true,
    );
  });

  it.each(['light', 'dark'] as const)(
    'has no axe violation in %s, neither plain nor with everything open nor empty',
    async (colorScheme) => {
      await page.context().close();
      page = await newPage(browserOf(), { colorScheme });
      // Policies that forbid script text are bypassed for the checker alone, by evaluating it through the debugger.
      const violations = async (): Promise<unknown> => {
        await page.evaluate(axe.source);
        const result = (await page.evaluate('axe.run()')) as {
          violations: { id: string; nodes: { html: string }[] }[];
        };
        return result.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
      };
      await open();
      expect(await violations()).toEqual([]);
      stub.failing.add('/api/v1/connectors/git/runs');
      await open('/?q=cursor&open=teams&sort=-p95');
      await page.locator('.drill table').nth(2).waitFor();
      await page.getByRole('button', { name: 'Run now git' }).click();
      await page.locator('.notice .problem').waitFor();
      expect(await violations()).toEqual([]);
      await page.keyboard.press('?');
      expect(await violations()).toEqual([]);
      stub.allowStreams(false);
      await page.locator('.stale').waitFor();
      await page.keyboard.press('Escape');
      expect(await violations()).toEqual([]);
      stub.allowStreams(true);
      stub.data.connectors = { schemaVersion: 1, summary: 'No connectors yet.', connectors: [] };
      stub.data.events = [];
      await open();
      await page.getByText('weir init').first().waitFor();
      expect(await violations()).toEqual([]);
    },
  );

  it('sorts by pressing a header, says so by aria-sort, and keeps it in the address', async () => {
    await open();
    const header = page.getByRole('columnheader', { name: 'P95' });
    await header.getByRole('button').click();
    expect(await names()).toEqual(['slack', 'teams', 'git', 'logs', 'host']);
    expect(await header.getAttribute('aria-sort')).toBe('descending');
    await page.reload();
    await settled();
    expect(await names()).toEqual(['slack', 'teams', 'git', 'logs', 'host']);
    await header.getByRole('button').click();
    await header.getByRole('button').click();
    expect(await header.getAttribute('aria-sort')).toBeNull();
    expect(await names()).toEqual(['teams', 'slack', 'host', 'git', 'logs']);
  });

  it('pans the table at 375 pixels, never the page, and the first column stays', async () => {
    await page.context().close();
    page = await newPage(browserOf(), { viewport: { width: 375, height: 780 } });
    await open('/?q=cursor&open=teams');
    await page.locator('.drill table').nth(2).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(375);
    const frame = page.locator('.table-scroll').first();
    expect(await frame.evaluate((element) => element.scrollWidth > element.clientWidth)).toBe(true);
    const left = () =>
      row('teams')
        .locator('th')
        .evaluate((cell) => cell.getBoundingClientRect().left);
    const before = await left();
    await frame.evaluate((element) => (element.scrollLeft = 300));
    expect(await left()).toBe(before);
  });

  it('without connectors there is something to paste instead of a table', async () => {
    stub.data.connectors = { schemaVersion: 1, summary: 'No connectors yet.', connectors: [] };
    await open();
    expect((await page.locator('.card code').first().textContent())?.split('\n')).toHaveLength(3);
    expect(await page.locator('table').count()).toBe(0);
  });
});

describe('search', () => {
  it('opens with /, marks the hits, keeps the words in the address and shows files as path and line', async () => {
    await open();
    await page.keyboard.press('/');
    await page.keyboard.type('cursor');
    await page.locator('.result-list li').nth(2).waitFor();
    expect(await page.locator('.snippet').first().locator('mark').allTextContents()).toEqual(['cursor', 'cursor']);
    expect(new URL(page.url()).searchParams.get('q')).toBe('cursor');
    expect(await page.locator('.result-place code').textContent()).toBe('/srv/docs/reliability notes.md:12');
    expect(
      await page.locator('.result-list a').evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href)),
    ).toEqual(['https://docs.example/design#cursor']);
    await page.reload();
    await page.locator('.result-list li').nth(2).waitFor();
  });

  it('says when nothing matches, and clears', async () => {
    await open('/?q=nothing');
    await page.getByRole('heading', { name: 'No match for “nothing”' }).waitFor();
    await page.getByRole('button', { name: 'Clear search' }).click();
    await page.locator('.results').waitFor({ state: 'detached' });
    expect(new URL(page.url()).search).toBe('');
    expect(await page.locator('#q').evaluate((box) => box === document.activeElement)).toBe(true);
  });

  it('a failure shows title and request id, leaves the rest of the page standing, and can be tried again', async () => {
    stub.failing.add('/api/v1/search');
    await open('/?q=cursor');
    const problem = page.locator('.results .problem');
    await problem.waitFor();
    expect(await problem.textContent()).toContain(`The log is full ${HOSTILE.markup}`);
    expect(await problem.textContent()).toContain('req-7f3a');
    expect(await names()).toHaveLength(5);
    stub.failing.clear();
    await problem.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.result-list li').nth(2).waitFor();
  });
});

describe('live data', () => {
  it('patches rows in place: focus, the very element, the order and the scroll stay until the focus leaves', async () => {
    await open();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.evaluate(() => {
      window.scrollTo(0, 120);
      document.activeElement?.setAttribute('data-witness', 'slack');
    });
    const scrolled = await page.evaluate(() => window.scrollY);
    const { connectors } = stub.data.connectors;
    stub.send('connectors', {
      schemaVersion: 1,
      summary: '1 of 6 connectors needs attention.',
      connectors: [
        connectorOf('mail', 'down'),
        ...connectors.toReversed().map((one) => ({ ...one, activity: 'patched' })),
      ],
    });
    await row('slack').getByText('patched').waitFor();
    expect(
      await page.evaluate(() => [
        document.activeElement?.getAttribute('data-witness'),
        document.activeElement?.textContent,
      ]),
    ).toEqual(['slack', 'slack']);
    expect(await page.evaluate(() => window.scrollY)).toBe(scrolled);
    expect(await names()).toEqual(['teams', 'slack', 'host', 'git', 'logs', 'mail']);
    expect(await page.locator('h1').textContent()).toContain('1 of 6');
    await page.getByText('The order is held').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('tbody tr:first-child .name').getByText('mail').waitFor();
    expect(await names()).toEqual(['mail', 'logs', 'git', 'host', 'slack', 'teams']);
  });

  it('appends events on top, each once, never more than twenty', async () => {
    await open();
    for (let index = 0; index < 40; index += 1)
      stub.send('event', eventOf(`n${index % 30}`, 'git', `live ${index % 30}`));
    await page.locator('.event-list li').first().getByText('live 9', { exact: true }).waitFor();
    const titles = await page.locator('.event-title').allTextContents();
    expect(titles).toHaveLength(20);
    expect(new Set(titles).size).toBe(20);
  });

  it('tells that it is lost and how old the data is, then resumes by itself with what was missed', async () => {
    await open();
    stub.allowStreams(false);
    await page.locator('.stale').waitFor();
    expect(await page.locator('.stale').textContent()).toMatch(/Live data lost, data \d+ s old/);
    expect(await names()).toHaveLength(5);
    stub.data.connectors = { ...stub.data.connectors, summary: 'All 5 connectors are healthy.' };
    stub.allowStreams(true);
    await page.locator('.live-state.live').waitFor();
    await page.getByRole('heading', { name: 'All 5 connectors are healthy.' }).waitFor();
    expect(await page.locator('.stale').count()).toBe(0);
  });

  it('leaves out messages that make no sense', async () => {
    await open();
    for (const nonsense of [
      null,
      7,
      {},
      { summary: 'x', connectors: [{ name: 'x' }] },
      { summary: 'x', connectors: [null] },
    ]) {
      for (const topic of ['connectors', 'queue', 'event']) stub.send(topic, nonsense);
    }
    stub.send('queue', { ...stub.data.queue, size: 7 });
    await page.locator('.figures').getByText('7 of 10,000').waitFor();
    expect(await names()).toHaveLength(5);
    expect(await page.locator('.problem').count()).toBe(0);
  });

  it('pauses and resumes', async () => {
    await open();
    await page.getByRole('button', { name: 'Pause' }).click();
    stub.send('queue', { ...stub.data.queue, size: 7 });
    stub.data.queue = { ...stub.data.queue, size: 9 };
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.locator('.figures').getByText('9 of 10,000').waitFor();
  });
});

describe('keys', () => {
  it('j and k walk the rows, enter opens, r runs the one in focus, f filters, ? helps', async () => {
    await open();
    for (const key of ['j', 'j', 'j', 'k']) await page.keyboard.press(key);
    await page.keyboard.press('Enter');
    await page.locator('.drill table').nth(2).waitFor();
    expect(new URL(page.url()).searchParams.get('open')).toBe('slack');
    expect(stub.requests).toContain('GET /api/v1/connectors/slack');
    await page.keyboard.press('r');
    await page.getByText('slack: succeeded, 12 appended, 400 unchanged, 1 deleted').first().waitFor();
    expect(stub.requests.filter((request) => request.startsWith('POST'))).toEqual([
      'POST /api/v1/connectors/slack/runs',
    ]);
    await page.keyboard.press('f');
    expect(await names()).toEqual(['teams', 'slack']);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.getByLabel('Single keys do this').uncheck();
    await page.keyboard.press('Escape');
    await page.keyboard.press('f');
    expect(await names()).toEqual(['teams', 'slack']);
  });
});

function browserOf(): Browser {
  if (browser === undefined) throw new Error('beforeEach has skipped every test without a browser');
  return browser;
}
