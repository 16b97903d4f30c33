// What every way through the dashboard shares: a real browser, and what every page
// must keep to. A way is a file beside this one that calls walk(); it is run as
//
//   node advertiser.mjs BASE CHROMIUM KEY [JSON]
//
// DASHBOARD_SHOTS names a directory for screenshots: each page on a desktop and a
// phone, in light and dark.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [base, executablePath, key, given] = process.argv.slice(2);
const shots = process.env.DASHBOARD_SHOTS;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// The bounds of a page, from an empty cache.
const maxBytes = 200_000, maxRequests = 20;

/**
 * Signs in and walks. The walker is given
 *   open(path)         goes there and waits until its scripts have run
 *   check(name, {path}) holds the page as it stands to what every page promises
 *   page               Playwright's page, 1280 wide
 *   data               what the test gave as JSON
 *   asked(pattern)     expects that something is refused: its status is no console error
 */
export async function walk(walker) {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--force-color-profile=srgb'] });
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'light', reducedMotion: 'reduce' });
    const page = await context.newPage();
    const wrong = watch(page);
    await signIn(page);
    const open = async (path) => {
      const answer = await page.goto(base + path, { waitUntil: 'load' });
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50))));
      return answer;
    };
    const check = async (name) => {
      await settle(page);
      await checkStyles(page, name);
      await weigh(browser, context, new URL(page.url()), name);
      assert.deepEqual(wrong.splice(0), [], `${name}: errors in the console, or requests elsewhere`);
    };
    await walker({ open, check, page, context, base, key, data: given ? JSON.parse(given) : {}, wrong, measureAxe: () => inspect(page), shot: (name) => shot(page, name) });
    assert.deepEqual(wrong, [], 'errors in the console, or requests elsewhere');
  } finally {
    await browser.close();
  }
}

/** Collects what no page may do. */
function watch(page) {
  const wrong = [];
  page.on('console', (message) => { if (message.type() === 'error' || message.type() === 'warning') wrong.push(`${page.url()}: ${message.text()}`); });
  page.on('pageerror', (error) => wrong.push(`${page.url()}: ${error.stack}`));
  page.on('request', (request) => { if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(base + '/')) wrong.push('request to ' + request.url()); });
  return wrong;
}

async function signIn(page) {
  await page.goto(base + '/login');
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname !== '/login');
}

async function settle(page) {
  await page.waitForFunction(() => [...document.querySelectorAll('figure[data-chart]')].every((f) => f.querySelector('canvas')));
  await page.evaluate(() => document.fonts.ready);
}

/** Tables that are wider than their card, and figures that run into the next one. */
async function cut(page) {
  return page.evaluate(() => [...document.querySelectorAll('.table-box, .figure-value')]
    .filter((node) => node.checkVisibility() && node.scrollWidth > node.clientWidth + 1)
    .map((node) => `${node.getAttribute('aria-label') || node.textContent} is ${node.scrollWidth} wide in ${node.clientWidth}`));
}

/** axe in light and dark, nothing cut or wider than the screen, screenshots. */
async function checkStyles(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.waitForTimeout(150);
    assert.deepEqual(await cut(page), [], `${name}, 1280 wide`);
    assert.deepEqual(await inspect(page), [], `${name}, ${colorScheme}: axe`);
    await shot(page, `${name}-desktop-${colorScheme}`);
    await page.setViewportSize({ width: 1440, height: 900 });
    assert.deepEqual(await cut(page), [], `${name}, 1440 wide`);
    await page.setViewportSize({ width: 375, height: 812 });
    await page.waitForTimeout(200);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await shot(page, `${name}-phone-${colorScheme}`);
    assert.ok(wide <= 0, `${name}: ${wide} pixels wider than a phone`);
    if (colorScheme === 'light') assert.deepEqual(await inspect(page), [], `${name}, phone: axe`);
    await page.setViewportSize({ width: 1280, height: 900 });
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.waitForTimeout(120);
}

/** Serious and critical findings of axe, in short. */
async function inspect(page) {
  if (!await page.evaluate(() => Boolean(window.axe))) await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((n) => n.html.slice(0, 160) + ' ' + (n.any[0]?.message || '')).join(' | ')}`);
}

async function shot(page, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}

/** Loads the page as a browser that was never here, and counts. Time is told, not tested. */
async function weigh(browser, signedIn, url, name) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, storageState: await signedIn.storageState() });
  const page = await context.newPage();
  const client = await context.newCDPSession(page);
  await client.send('Network.enable');
  let bytes = 0, requests = 0;
  client.on('Network.loadingFinished', (event) => { bytes += event.encodedDataLength; requests++; });
  await page.goto(url.href, { waitUntil: 'load' });
  await page.waitForTimeout(100);
  const [paint, server] = await page.evaluate(() => [
    performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1, performance.getEntriesByType('navigation')[0].responseStart,
  ]);
  console.log(`${name.padEnd(24)} ${String(Math.round(bytes / 1000)).padStart(4)} kB ${String(requests).padStart(3)} requests, first byte ${Math.round(server)} ms, first paint ${Math.round(paint)} ms`);
  assert.ok(bytes <= maxBytes, `${name} weighs ${bytes} bytes`);
  assert.ok(requests <= maxRequests, `${name} makes ${requests} requests`);
  await context.close();
}
