// Opens a shop's pages in a browser and does what shoppers and shops do there.
// Arguments: the shop's origin and the browser. It asserts what the browser keeps;
// what the tracker was told, the test that runs it reads from the spool. It stays
// until its standard input is closed, so that beacons are on their way.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const [shop, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const id = (name) => name.padEnd(43, '0');

async function shopper(prepare) {
  const context = await browser.newContext();
  if (prepare) await context.addInitScript(prepare);
  const page = await context.newPage();
  page.on('pageerror', (error) => { throw error; });
  const open = async (path) => {
    await page.goto(shop + path);
    await page.waitForFunction(() => window.tributary && window.tributary.on);
  };
  const kept = async () => {
    for (const patient = Date.now() + 10_000; ; ) { // a page's cookies reach the browser a little later than its storage
      const cookie = (await context.cookies()).find((c) => c.name === 'tributary');
      const stored = await page.evaluate(() => localStorage.getItem('tributary'));
      if ((cookie ? cookie.value : null) === stored) return stored ? stored.split('.') : [];
      if (Date.now() > patient) assert.equal(cookie ? cookie.value : null, stored, 'cookie and localStorage hold the same');
    }
  };
  return { context, page, open, kept };
}

{ // A landing is kept and reported once; a sale on a later page names it.
  const s = await shopper();
  await s.open('/plain?x=1&tcid=' + id('landing'));
  assert.deepEqual(await s.kept(), [id('landing')]);
  await s.page.reload();
  await s.open('/plain?tcid=' + id('second') + '#top');
  await s.open('/plain?tcid=tooshort');
  assert.deepEqual(await s.kept(), [id('landing'), id('second')]);
  await s.page.evaluate(() => tributary('track', 'sale', { order_id: 'tracked', amount: '49.90', currency: 'USD' }));
  await s.page.evaluate(() => tributary('customer', 77));
  await s.page.evaluate(() => { tributary('nonsense'); tributary(); tributary('track'); });
}

{ // What is in the data layer before and after, and calls queued before the tag came.
  const s = await shopper();
  await s.open('/early?tcid=' + id('early'));
  await s.page.evaluate(() => {
    gtag('event', 'purchase', { transaction_id: 'gtag', value: 0.1 + 0.2, currency: 'USD' });
    dataLayer.push({ event: 'view_item' }, { event: 'purchase', ecommerce: { transaction_id: 9001, value: 500, currency: 'JPY', coupon: 'ANA10',
      items: [{ item_id: 'sku1', item_name: 'Shoe', item_category: 'shoes', quantity: 2, price: 250.4 }] } });
    dataLayer.push({ event: 'purchase', ecommerce: { transaction_id: 9001, value: 500, currency: 'JPY' } });
  });
  assert.equal(await s.page.evaluate(() => dataLayer.length), 6, 'the data layer works as before');
}

{ // The last 20 ids.
  const s = await shopper();
  await s.open('/param?cid=' + id('n10'));
  const many = [...Array(20).keys()].map((i) => id('n' + (i + 10))).join('.');
  await s.page.evaluate((ids) => {
    localStorage.setItem('tributary', ids);
    document.cookie = 'tributary=' + ids + ';path=/';
  }, many);
  for (const i of [30, 31]) await s.open('/param?cid=' + id('n' + i));
  const kept = await s.kept();
  assert.equal(kept.length, 20);
  assert.deepEqual([kept[0], kept[19]], [id('n12'), id('n31')]);
  await s.open('/param?cid=' + id('n15'));
  assert.equal((await s.kept())[19], id('n15'), 'the newest landing comes last');
}

{ // Nothing before consent, everything with it, nothing after it is taken back.
  const s = await shopper();
  await s.open('/consent?tcid=' + id('consent'));
  await s.page.evaluate(() => tributary('track', 'sale', { order_id: 'refused' }));
  assert.deepEqual(await s.kept(), []);
  await s.page.evaluate(() => tributary('consent', true));
  assert.deepEqual(await s.kept(), [id('consent')]);
  await s.page.evaluate(() => tributary('track', 'lead', { order_id: 'consented' }));
  await s.page.evaluate(() => tributary('consent', false));
  assert.deepEqual(await s.kept(), []);
  await s.page.evaluate(() => tributary('track', 'sale', { order_id: 'refused' }));
}

{ // Global Privacy Control: nothing is kept, no landing told, sales without what was kept.
  const s = await shopper(() => Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { value: true }));
  await s.open('/plain?tcid=' + id('gpc'));
  assert.deepEqual(await s.kept(), []);
  await s.page.evaluate(() => tributary('track', 'sale', { order_id: 'gpc-here' }));
  await s.open('/plain');
  await s.page.evaluate(() => tributary('track', 'sale', { order_id: 'gpc-later' }));
}

{ // Browsers without beacons, and without storage.
  const s = await shopper(() => { delete Navigator.prototype.sendBeacon; });
  await s.open('/plain');
  await s.page.evaluate(() => tributary('track', 'sale', { order_id: 'fetched' }));
  const t = await shopper(() => {
    delete Navigator.prototype.sendBeacon; delete window.fetch;
    Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } });
    Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('denied'); } });
  });
  await t.open('/plain?tcid=' + id('bare'));
  await t.page.evaluate(() => tributary('track', 'sale', { order_id: 'requested' }));
}

{ // A sandboxed frame: it has no origin, and whatever looks at its cookies throws.
  const s = await shopper();
  await s.page.goto(shop + '/framing');
  const frame = s.page.frames()[1];
  await frame.waitForFunction(() => window.tributary && window.tributary.on);
  assert.match(await frame.evaluate(() => { try { return document.cookie; } catch (error) { return error.name; } }), /SecurityError/);
  await frame.evaluate(() => tributary('track', 'sale', { order_id: 'framed' }));
}

console.log('done');
process.stdin.resume();
await new Promise((resolve) => process.stdin.on('end', resolve));
await browser.close();
