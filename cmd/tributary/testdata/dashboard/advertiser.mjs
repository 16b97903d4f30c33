// An advertiser's way: from the overview into a campaign, its links, its actions and
// the payouts, and what is done there. JSON: {campaign} of the demo data.
import assert from 'node:assert/strict';
import { walk } from './browser.mjs';

await walk(async ({ open, check, page, data, shot, measureAxe, wrong }) => {
  const done = async (text) => {
    await page.getByRole('status').getByText(text).waitFor();
  };
  const reloaded = async (act) => {
    await Promise.all([page.waitForEvent('load'), act()]);
    await page.waitForFunction(() => document.readyState === 'complete');
  };

  await open('/overview');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await check('overview');
  await page.setViewportSize({ width: 375, height: 812 });
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('link', { name: 'Integrations' }).waitFor();
  assert.deepEqual(await measureAxe(), []);
  await shot('menu');
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('link', { name: 'Integrations' }).isVisible(), false, 'the menu is closed');
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.getByRole('link', { name: data.title }).click();
  await page.waitForURL(/\/campaigns\/cmp_/);
  await check('campaign');
  await page.getByRole('button', { name: 'Sales' }).click();
  await page.getByText('Show as a table').first().click();
  await page.getByLabel('Period', { exact: true }).selectOption('7d');
  await page.waitForURL(/period=7d/);
  await page.getByLabel('Break down by').getByRole('link', { name: 'Country' }).click();
  await page.waitForURL(/by=country/);
  await check('campaign-country');

  await page.getByRole('link', { name: 'Journey' }).click();
  await page.waitForURL(/journey/);
  await check('campaign-journey');
  await page.getByRole('link', { name: 'Creators', exact: true }).click();
  await page.waitForURL(/creators/);
  await check('campaign-creators');
  await page.getByRole('button', { name: 'Task', exact: true }).click();
  await page.getByRole('dialog').getByLabel('Fee').fill('25.00');
  await page.getByRole('dialog').getByLabel('Title').fill('Second reel');
  await reloaded(() => page.getByRole('dialog').getByRole('button', { name: 'Make' }).click());
  await done('Task made');
  await page.getByRole('link', { name: 'Links and codes' }).click();
  await page.waitForURL(/links/);
  await check('campaign-links');
  await page.getByRole('button', { name: 'Link', exact: true }).click();
  await page.getByLabel('Address').fill('no way');
  await page.getByRole('button', { name: 'Make', exact: true }).click();
  await page.locator('.field-error').waitFor();
  assert.equal(await page.getByLabel('Address').getAttribute('aria-invalid'), 'true');
  await shot('dialog-refused');
  assert.match(wrong.splice(0).join(), /status of 422/, 'the browser notes what the API refused, and nothing else');
  await page.getByLabel('Address').fill('glow-' + Date.now().toString(36));
  await reloaded(() => page.getByRole('button', { name: 'Make', exact: true }).click());
  await done('Made http');
  await page.getByRole('button', { name: 'QR' }).first().click();
  await page.locator('#qr-image').evaluate((image) => image.complete || new Promise((resolve) => { image.onload = resolve; }));
  assert.ok(await page.locator('#qr-image').evaluate((image) => image.naturalWidth > 20), 'a QR code is shown');
  assert.deepEqual(await measureAxe(), []);
  await shot('dialog-qr');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Code', exact: true }).click();
  await page.getByRole('button', { name: 'Make', exact: true }).click();
  await done('Made ');
  for (const [name, path] of [['Posts', 'posts'], ['Terms', 'terms']]) {
    await page.getByLabel('Parts of the campaign').getByRole('link', { name }).click();
    await page.waitForURL(new RegExp(path));
    await check('campaign-' + path);
  }

  await page.getByLabel('Pages', { exact: true }).getByRole('link', { name: 'Actions' }).click();
  await page.waitForURL(/\/actions/);
  await check('actions');
  // The file has what the page has, whatever is filtered for.
  const order = (await page.locator('a[data-sheet]').first().textContent()).split(' ').pop();
  const creator = await page.locator('select[name=creator_id] option').nth(1).getAttribute('value');
  for (const filter of ['state=held', 'platform=tiktok', 'referral=code', 'referral=task', 'event=sale&from=2026-01-01&to=2026-01-02', `order_id=${order}`, `creator_id=${creator}`, 'reason=over_budget', 'code=none']) {
    await open('/actions?' + filter);
    const rows = await page.locator('a[data-sheet]').count(), more = await page.getByRole('link', { name: 'Next page' }).count() > 0;
    const lines = await page.evaluate(async (address) => { const answer = await fetch(address); return answer.ok ? (await answer.text()).trim().split('\n').length - 1 : answer.status; }, await page.getByRole('link', { name: 'CSV' }).getAttribute('href'));
    assert.ok(more ? lines > rows : lines === rows, `${filter}: ${lines} actions in the file, ${rows}${more ? ' and more' : ''} on the page`);
  }
  await open('/actions');
  await page.getByLabel('State', { exact: true }).getByRole('link', { name: 'Pending' }).click();
  await page.waitForURL(/state=pending/);
  await page.locator('a[data-sheet]').first().click();
  await page.locator('#sheet #detail').waitFor();
  assert.deepEqual(await measureAxe(), []);
  await shot('sheet');
  await page.locator('#sheet').getByText('Adjust', { exact: true }).first().click();
  await page.locator('#sheet').getByLabel('or payout').fill('1.00');
  await page.locator('#sheet').getByLabel('Reason').first().fill('Agreed by e-mail');
  await reloaded(() => page.locator('#sheet').getByRole('button', { name: 'Adjust' }).click());
  await done('Adjusted');
  for (const box of await page.locator('input[name=id]').all().then((all) => all.slice(0, 3))) await box.check();
  await page.getByText('3 chosen').waitFor();
  await page.getByRole('button', { name: 'Approve' }).click();
  await shot('confirm');
  await reloaded(() => page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click());
  await done('Approved 3 of 3');
  for (const box of await page.locator('input[name=id]').all().then((all) => all.slice(0, 2))) await box.check();
  await page.getByRole('button', { name: 'Reverse…' }).click();
  await page.getByRole('dialog').getByLabel('Reason').selectOption('returned');
  await reloaded(() => page.getByRole('dialog').getByRole('button', { name: 'Reverse' }).click());
  await done('Reversed 2 of 2');
  await page.locator('a[data-sheet]').first().click({ modifiers: [] });
  await page.locator('#sheet #detail').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await open(await page.locator('a[data-sheet]').first().getAttribute('href'));
  await check('action');

  await open('/conversions');
  await check('conversions');
  for (const name of ['Unattributed', 'Could not be taken', 'Missed by creators']) {
    await page.getByRole('link', { name }).click();
    await page.waitForURL(/show=/);
    assert.deepEqual(await measureAxe(), []);
  }

  await open('/pay');
  await check('pay');
  await page.getByRole('button', { name: 'Make payouts' }).click();
  await reloaded(() => page.getByRole('dialog').getByRole('button', { name: 'Make payouts' }).click());
  await done('Payouts made');
  await page.getByRole('button', { name: 'Mark paid…' }).first().click();
  await page.getByLabel('The bank’s reference').fill('SEPA-2027-001');
  await reloaded(() => page.getByRole('dialog').getByRole('button', { name: 'Mark paid' }).click());
  await done('Marked paid');
  await check('pay-made');

  await open('/integrations');
  await check('integrations');
  await page.getByRole('button', { name: 'Key', exact: true }).click();
  await page.getByLabel('Name').first().fill('Shop server');
  await page.getByRole('button', { name: 'Make' }).first().click();
  await page.getByText('Keep it now').waitFor();
  assert.match(await page.locator('#reveal-text').textContent(), /^trb_/);
  await reloaded(() => page.getByRole('button', { name: 'I have it' }).click());

  await open('/campaigns');
  await page.getByRole('button', { name: 'Dark or light' }).click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  await open('/campaigns');
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark', 'the theme is kept');
  await page.getByRole('button', { name: 'Dark or light' }).click();
  await check('campaigns');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(/login/);
  await shot('signin');
  assert.deepEqual(await measureAxe(), []);
});
