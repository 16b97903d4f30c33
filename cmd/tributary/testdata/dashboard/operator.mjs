// An operator's way: how it does, what arrives, what is in quarantine, who may do
// what, and who did what.
import assert from 'node:assert/strict';
import { walk } from './browser.mjs';

await walk(async ({ open, check, page, data }) => {
  const said = (text) => page.getByText(text).first().waitFor();

  // Health: in sentences, and every click and report accounted for.
  await open('/operator');
  await page.locator('.verdict').waitFor();
  await page.locator('.identity').nth(1).waitFor();
  for (const identity of await page.locator('.identity').allInnerTexts()) {
    const numbers = identity.match(/[\d,]+/g).map((n) => Number(n.replaceAll(',', '')));
    assert.equal(numbers[0], numbers.slice(1).reduce((sum, n) => sum + n), `received is the sum of the rest: ${identity}`);
    assert.ok(numbers[0] > 0, 'there are some');
  }
  await check('operator-health');
  await page.getByRole('button', { name: 'Add everything up' }).click();
  await page.getByText('The books agree').waitFor({ timeout: 60_000 });
  await page.keyboard.press('Escape');

  // Live: a click shows while one looks.
  await open('/operator/live');
  await page.locator('[data-live-state][data-state=open]').waitFor();
  await fetch(data.link, { redirect: 'manual', headers: { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36' } });
  await page.locator('.feed .state-valid').first().waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  await check('operator-live');
  await page.getByRole('button', { name: 'Go on' }).click();
  await open('/operator/live?verdict=bot');
  await page.locator('[data-live-state][data-state=open]').waitFor();
  await fetch(data.link, { redirect: 'manual', headers: { 'User-Agent': 'Googlebot/2.1 (+http://www.google.com/bot.html)' } });
  await page.locator('.feed .state-bot').first().waitFor();
  assert.equal(await page.locator('.feed .state-valid').count(), 0, 'the filter leaves others out');

  // Quarantine: the reason, the report itself, a replay that says what is left.
  await open('/operator/quarantine');
  const row = page.getByRole('row').filter({ hasText: data.conflict });
  await row.getByRole('button', { name: 'See' }).click();
  await page.locator('dialog[open] pre').first().waitFor();
  await page.keyboard.press('Escape');
  await check('operator-quarantine');
  await row.getByRole('checkbox').check();
  await page.locator('.bulk').getByRole('button', { name: 'Replay' }).click();
  await said('What stood in the way is still there');
  await Promise.all([page.waitForEvent('load'), page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()]);
  await open('/operator/quarantine?replayed=true');

  // Advertisers and creators: made, found, and refused with the reason at the field.
  await open('/operator/advertisers');
  await page.getByRole('button', { name: 'New advertiser' }).click();
  await page.getByLabel('Name', { exact: true }).last().fill('Brand ' + data.stamp);
  await page.getByLabel('Domains').fill('brand.example, shop.brand.example');
  await page.getByLabel('Currency').fill('USD');
  await page.getByLabel('Time zone').fill('Asia/Bangkok');
  await page.getByRole('button', { name: 'Make it' }).click();
  await said('The advertiser has been created');
  await page.getByRole('searchbox').fill('Brand ' + data.stamp);
  await page.getByRole('button', { name: 'Search' }).click();
  assert.equal(await page.locator('tbody tr').count(), 1);
  await open('/operator/advertisers');
  await check('operator-advertisers');
  await open('/operator/creators');
  await page.getByRole('button', { name: 'New creator' }).click();
  await page.getByLabel('Name', { exact: true }).last().fill('Creator ' + data.stamp);
  await page.getByLabel('Country').fill('TH');
  await page.getByRole('button', { name: 'Make it' }).click();
  await said('The creator has been created');
  await check('operator-creators');

  // A key is shown once, works, and is refused once it is revoked.
  await open('/operator/keys');
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.getByLabel('What it may do').selectOption('creator');
  assert.equal(await page.locator('#key-advertiser').isVisible(), false);
  await page.locator('#key-creator').selectOption({ label: 'Creator ' + data.stamp });
  await page.getByRole('dialog').getByLabel('Name').fill('Phone ' + data.stamp);
  await page.getByRole('button', { name: 'Make the key' }).click();
  await page.locator('#new-key[open]').waitFor();
  const secret = await page.locator('[data-key-text]').innerText();
  assert.match(secret, /^trb_.{32,}$/);
  const works = async () => (await fetch(new URL('/v1/tasks', page.url()), { headers: { Authorization: 'Bearer ' + secret } })).status;
  assert.equal(await works(), 200);
  await page.getByRole('button', { name: 'I have it' }).click();
  const key = page.getByRole('row').filter({ hasText: 'Phone ' + data.stamp });
  await key.waitFor();
  assert.equal((await page.content()).includes(secret), false, 'the key is not shown again');
  await check('operator-keys');
  await key.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await said('The key is revoked');
  assert.equal(await works(), 401);

  // Webhooks: everybody's, with whose they are.
  await open('/operator/webhooks');
  await page.getByRole('button', { name: 'New webhook' }).click();
  await page.getByLabel('Address').fill('https://hooks.tributary.invalid/all');
  await page.getByRole('dialog').getByRole('button', { name: 'Make' }).click();
  await page.getByText('Keep it now').waitFor();
  await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'I have it' }).click()]);
  await page.getByRole('cell', { name: 'The operator' }).waitFor();
  await check('operator-webhooks');
  await page.getByRole('link', { name: 'hooks.tributary.invalid' }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.waitForURL(/operator\/webhooks$/);
  await said('No webhook');

  await open('/operator/audit');
  await page.getByText('Archive').first().waitFor();
  await page.getByLabel('Kind of thing').selectOption('key');
  await page.waitForURL('**thing=key**');
  await check('operator-audit');
  await open('/operator/notifications');
  await check('operator-notifications');
});
