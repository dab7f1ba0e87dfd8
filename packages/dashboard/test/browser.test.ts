import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Component } from '@weir/core';
import { weir } from '@weir/http/node';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dashboard } from '../src/index.ts';
import { component, counter } from './components.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);
if (executablePath === undefined) {
  const how = 'no Chromium here; apt-get install chromium';
  if (process.env.CI === 'true') throw new Error(how);
  console.log(`the dashboard's browser tests are skipped: ${how}`);
}

/** A whole small service: every kind that the page knows, and one that it does not. */
function service() {
  const pool = component(
    'pool',
    'api',
    {
      strategy: 'leastConnections',
      upstreams: [
        { url: 'http://10.0.0.7:8080', state: 'up', inFlight: 2, latencyMs: 12.5 },
        { url: 'http://10.0.0.8:8080', state: 'up', inFlight: 0, latencyMs: 11 },
      ],
    },
    { samples: [counter('weir_load_balancer_requests_total', 10, { pool: 'api', outcome: 'ok' })] },
  );
  const done: string[] = [];
  const breaker = component(
    'breaker',
    'payments',
    { state: 'closed', forced: false },
    {
      actions: {
        forceOpen() {
          done.push('forceOpen');
          breaker.state = { state: 'open', forced: true };
        },
        reset() {
          done.push('reset');
          breaker.state = { state: 'closed', forced: false };
        },
      },
    },
  );
  const pages = component('cache', 'pages', { entries: 12, hitRate: 0.93 });
  const others: Component[] = [
    component('limiter', '<img src=x onerror=alert(1)>', { maxKeys: 8192 }),
    pages,
    component('topology', 'shards', {
      algorithm: 'ring',
      shares: [
        { id: 'a', share: 0.4 },
        { id: 'b', share: 0.6 },
      ],
    }),
    component('something of yours', 'x', { nested: { a: 1, b: null } }),
  ];
  return { pool, breaker, pages, done, components: [pool, breaker, ...others] };
}

describe.skipIf(executablePath === undefined)('in a real browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
  }, 60_000);
  afterAll(() => browser?.close());

  async function open(options: Parameters<Browser['newPage']>[0] = {}) {
    const { components, ...rest } = service();
    const shown = dashboard(components, { actions: true });
    const server = createServer(weir(shown).wrap((_req, res) => res.end()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const page = await browser.newPage(options);
    const trouble: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') trouble.push(message.text());
    });
    page.on('pageerror', (error) => trouble.push(error.message));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/_weir/`;
    await page.goto(url);
    await page.locator('#tiles .tile').first().waitFor();
    return {
      ...{ page, trouble, url, ...rest },
      async [Symbol.asyncDispose]() {
        await page.close();
        shown.close();
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }
  const tile = (page: Page, name: string) => page.locator('.tile', { hasText: name });

  test('the page loads under its own policy without a word on the console, and draws every kind', async () => {
    await using opened = await open();
    const { page, trouble } = opened;
    expect(await page.locator('.tile').count()).toBe(6);
    expect(await page.locator('article').count()).toBe(6);
    expect(await page.locator('#summary').textContent()).toBe('All green');
    // A name is text, whatever it looks like.
    expect(await page.locator('img').count()).toBe(0);
    expect(trouble).toEqual([]);
  });

  test('what needs a look, and is not down, is amber', async () => {
    await using opened = await open();
    const { page, pool } = opened;
    const [first, second] = pool.state.upstreams as { state: string }[];
    pool.state = { ...pool.state, upstreams: [first!, { ...second!, state: 'draining' }] };
    await page.locator('.tile.warn', { hasText: '1 draining' }).waitFor({ timeout: 10_000 });
    expect(await page.locator('#summary').textContent()).toBe('1 amber, the rest green');
  });

  test('a cache of responses tells what it serves', async () => {
    await using opened = await open();
    const { page, pages } = opened;
    let hits = 0;
    // More at each look.
    Object.defineProperty(pages, 'samples', {
      get: () => [counter('weir_cache_http_requests_total', (hits += 100), { result: 'hit' })],
    });
    await tile(page, 'pages')
      .locator('.headline', { hasText: /^[1-9].* hits · 0 missed$/ })
      .waitFor({ timeout: 10_000 });
  });

  test('a tile turns red when an upstream dies, comes first, says why, and turns green again', async () => {
    await using opened = await open();
    const { page, pool } = opened;
    const [first, second] = pool.state.upstreams as { state: string }[];
    pool.state = { ...pool.state, upstreams: [first!, { ...second!, state: 'down' }] };
    await page.locator('.tile.bad', { hasText: 'api' }).waitFor({ timeout: 10_000 });
    expect(await page.locator('.tile').first().textContent()).toContain('1 of 2 out');
    expect(await page.locator('#summary').textContent()).toBe('1 red: pool api');
    expect(await page.title()).toBe('(1) Weir');
    pool.state = { ...pool.state, upstreams: [first!, second!] };
    await page.locator('.tile.ok', { hasText: 'api' }).waitFor({ timeout: 10_000 });
  });

  test('an action works from the page, and is refused without its token', async () => {
    await using opened = await open();
    const { page, done, url } = opened;
    await page.getByRole('button', { name: 'force open' }).click();
    await page.locator('.tile.bad', { hasText: 'payments' }).waitFor();
    expect(done).toEqual(['forceOpen']);
    await page.getByText('dashboard:action').waitFor();
    const status = await page.evaluate(async (base) => {
      const response = await fetch(`${base}actions?kind=breaker&name=payments&action=reset`, {
        method: 'POST',
      });
      return response.status;
    }, url);
    expect(status).toBe(403);
    expect(done).toEqual(['forceOpen']);
  });

  test('the keyboard reaches every tile and action, and a tile leads to its details', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.keyboard.press('Tab');
    const focused = () => page.evaluate<string>("document.activeElement?.outerHTML.slice(0, 60) ?? ''");
    expect(await focused()).toMatch(/^<a href="#/);
    await tile(page, 'pages').press('Enter');
    expect(new URL(page.url()).hash).toBe('#cache-pages');
    // A frame later the focus is where it was.
    await page.getByRole('button', { name: 'reset' }).focus();
    const clock = await page.locator('#clock').textContent();
    await expect.poll(() => page.locator('#clock').textContent(), { timeout: 10_000 }).not.toBe(clock);
    expect(await focused()).toMatch(/^<button/);
  });

  test.each([['dark'], ['light']] as const)(
    'on a phone in the %s it is read without scrolling sideways',
    async (colorScheme) => {
      await using opened = await open({ viewport: { width: 360, height: 740 }, colorScheme });
      const { page } = opened;
      const { scroll, width, ground } = await page.evaluate<{
        scroll: number;
        width: number;
        ground: string;
      }>(`({
        scroll: document.documentElement.scrollWidth,
        width: document.documentElement.clientWidth,
        ground: getComputedStyle(document.body).backgroundColor,
      })`);
      expect(scroll).toBe(width);
      expect(ground).toBe(colorScheme === 'dark' ? 'rgb(20, 23, 26)' : 'rgb(246, 247, 248)');
    },
  );
});
