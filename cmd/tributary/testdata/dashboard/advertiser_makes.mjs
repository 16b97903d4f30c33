// What an advertiser makes: a campaign and who is in it, a webhook; what it was told,
// and where there is nothing. JSON: {destination} that the advertiser allows.
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

  // A campaign is made, refused with the reason at its field, changed, and taken through its states.
  await open('/campaigns');
  await page.getByRole('link', { name: 'New campaign' }).click();
  await page.waitForURL(/campaigns\/new/);
  await check('campaign-new');
  await page.getByLabel('Title').fill('Winter skin');
  await page.getByLabel('Starts').fill('2027-12-01T09:00');
  await page.getByLabel('Ends').fill('2027-11-01T09:00');
  await page.getByLabel('Page of the shop').fill('https://elsewhere.example/');
  await page.getByRole('group', { name: 'A sale' }).getByLabel('Percent of it').fill('12.5');
  await page.getByRole('button', { name: 'Make the campaign' }).click();
  await page.locator('.field-error').first().waitFor();
  for (const label of ['Ends', 'Page of the shop', 'Instagram']) assert.equal(await page.getByLabel(label).getAttribute('aria-invalid'), 'true', `${label} is refused`);
  assert.equal(await page.locator('.form-error').count(), 0, 'each refusal stands at its field');
  assert.deepEqual(await measureAxe(), []);
  await shot('campaign-refused');
  assert.match(wrong.splice(0).join(), /status of 422/);
  await page.getByLabel('Ends').fill('2027-12-31T18:30');
  await page.getByLabel('Page of the shop').fill(data.destination);
  await page.getByLabel('TikTok').check();
  await page.getByLabel('Budget, ').fill('500');
  await page.getByRole('button', { name: 'Make the campaign' }).click();
  await page.waitForURL(/campaigns\/cmp_/);
  await done('The campaign is made');
  const made = await page.evaluate(async () => (await fetch('/v1' + location.pathname)).json());
  assert.equal(made.terms.events.sale.rate, '0.125');
  assert.deepEqual(made.terms.lock, { basis: 'day', days: 30 });
  assert.equal(new Date(made.starts_at).toLocaleString('sv-SE', { timeZone: made.timezone }), '2027-12-01 09:00:00', 'times are those of the advertiser');
  await page.getByRole('link', { name: 'Edit' }).click();
  await page.getByText('More: who may join').click();
  await check('campaign-edit');
  await page.getByLabel('Description').fill('For cold days');
  await page.getByRole('group', { name: 'A lead' }).getByLabel('Amount').fill('2.00');
  await page.getByLabel('Budget, ').fill('');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.waitForURL(/campaigns\/cmp_[^/]*$/);
  await done('Saved');
  const now = await page.evaluate(async () => (await fetch('/v1' + location.pathname)).json());
  assert.deepEqual([now.description, now.budget.amount, now.terms.events.lead, now.terms.events.sale, now.starts_at], ['For cold days', null, { type: 'flat', amount: '2.00' }, made.terms.events.sale, made.starts_at]);
  for (const [name, verb, said] of [['Approve', 'Approve', 'Approved'], ['Pause', 'Pause', 'Paused'], ['Resume', 'Resume', 'The campaign goes on']]) {
    await page.locator('.page-head').getByRole('button', { name, exact: true }).click();
    await reloaded(() => page.getByRole('dialog').getByRole('button', { name: verb }).click());
    await done(said);
  }
  await page.getByLabel('Parts of the campaign').getByRole('link', { name: 'Creators' }).click();
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByLabel('Find').fill('mali');
  await page.locator('[data-person]:visible').first().getByRole('checkbox').check();
  assert.deepEqual(await measureAxe(), []);
  await shot('invite');
  await reloaded(() => page.getByRole('dialog').getByRole('button', { name: 'Invite' }).click());
  await done('1 of 1 invited');
  await page.getByRole('button', { name: 'Close…' }).click();
  await reloaded(() => page.getByRole('dialog').getByRole('button', { name: 'Close it' }).click());
  await done('Closed');

  // A webhook: its secret once, a test that is not delivered, why, again, another secret, off.
  await open('/webhooks');
  await page.getByRole('button', { name: 'New webhook' }).click();
  await page.getByLabel('Address').fill('http://hooks.example.com/x');
  await page.getByRole('dialog').getByRole('button', { name: 'Make' }).click();
  await page.locator('.field-error').waitFor();
  assert.match(wrong.splice(0).join(), /status of 422/);
  await page.getByLabel('Address').fill('https://hooks.tributary.invalid/x');
  await page.getByLabel('Actions').check();
  await page.getByRole('dialog').getByRole('button', { name: 'Make' }).click();
  await page.getByText('Keep it now').waitFor();
  assert.match(await page.locator('#reveal-text').textContent(), /^whsec_/);
  await reloaded(() => page.getByRole('button', { name: 'I have it' }).click());
  await check('webhooks');
  await page.getByRole('link', { name: 'hooks.tributary.invalid' }).click();
  await page.waitForURL(/webhooks\/whk_/);
  await reloaded(() => page.getByRole('button', { name: 'Send a test' }).click());
  await done('The test was not delivered');
  await page.getByText('1 attempt failed.').waitFor();
  await check('webhook');
  await page.getByRole('button', { name: 'See' }).first().click();
  await page.locator('#delivery[open]').waitFor();
  assert.deepEqual(await measureAxe(), []);
  await shot('delivery');
  await page.keyboard.press('Escape');
  await reloaded(() => page.getByRole('button', { name: 'Send again' }).first().click());
  await done('It is sent again');
  await page.getByRole('button', { name: 'New secret…' }).click();
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByText('Keep it now').waitFor();
  await reloaded(() => page.getByRole('button', { name: 'I have it' }).click());
  await page.getByText('the old secret signs beside').waitFor();
  await page.getByRole('button', { name: 'Turn off' }).click();
  await reloaded(() => page.getByRole('dialog').getByRole('button', { name: 'Turn off' }).click());
  await page.getByRole('button', { name: 'Turn on' }).waitFor();

  await open('/notifications');
  await check('notifications');
  assert.equal((await open('/campaigns/nowhere/at/all')).status(), 404);
  await page.getByText('There is nothing here').waitFor();
  await page.getByLabel('Pages', { exact: true }).getByRole('link', { name: 'Overview' }).waitFor();
  wrong.splice(0); // the browser notes the status
  assert.deepEqual(await measureAxe(), []);
  await shot('nothing-here');
});
