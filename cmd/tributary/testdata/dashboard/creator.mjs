// A creator's way: what is earned, joining, a draft and a post, making a link and a
// code, why an action is what it is, and asking about a sale that is missing.
import assert from 'node:assert/strict';
import { walk } from './browser.mjs';

await walk(async ({ open, check, page, data, wrong }) => {
  // A refusal that is asked for is in the console, and no error.
  const refused = (status) => {
    const at = wrong.findIndex((line) => line.includes(`status of ${status} `));
    assert.notEqual(at, -1, `a refusal with status ${status}`);
    wrong.splice(at, 1);
  };
  const said = (text) => page.getByText(text).first().waitFor();

  await open('/creator');
  assert.match(await page.locator('.figures').first().innerText(), /Payable/);
  await check('creator-home');
  await page.getByRole('button', { name: 'Earnings' }).click();
  await open('/creator?period=7d&compare=none');

  // Campaigns: what is open, joining one, leaving it again.
  await open('/creator/campaigns');
  await check('creator-campaigns');
  await open('/creator/campaigns?tab=mine');
  await page.getByRole('link', { name: data.joined.title }).waitFor();
  await open('/creator/campaigns/' + data.open.id);
  await check('creator-campaign');
  await page.getByRole('button', { name: data.open.verb, exact: true }).click();
  await said(data.open.done);
  await page.getByRole('button', { name: data.open.out }).click();
  await page.getByLabel('Why, if you like').fill('No time this month');
  await page.getByRole('dialog').getByRole('button', { name: data.open.leave, exact: true }).click();
  await page.waitForURL('**/creator/campaigns');
  await said('You are out of the campaign');

  // A task that asks for a draft.
  await open('/creator/tasks');
  await check('creator-tasks');
  await open('/creator/tasks/' + data.drafted);
  await page.getByRole('button', { name: 'Hand in the draft' }).click();
  await page.locator('#draft-text[aria-invalid=true]').waitFor();
  assert.match(await page.locator('#draft-text-error').innerText(), /required/);
  refused(422);
  await page.getByLabel('What you want to post').fill('Sunrise, coffee, SPF. In that order.');
  await page.getByLabel('Where pictures and videos can be seen').fill('https://files.example/reel.mp4');
  await page.getByRole('button', { name: 'Hand in the draft' }).click();
  await said('Your draft waits for the advertiser');
  await check('creator-task-draft');

  // A link of one's own, its QR code, and a code.
  await open('/creator/tasks/' + data.task);
  await page.getByRole('button', { name: 'Make a link' }).click();
  await page.getByLabel('Name').fill('Bio');
  await page.getByLabel('Your own ending').fill('mali-' + data.stamp);
  await page.getByRole('button', { name: 'Make the link' }).click();
  const made = page.getByRole('dialog', { name: 'Your link is ready' });
  assert.match(await made.locator('[data-made]').innerText(), new RegExp('/mali-' + data.stamp + '$'));
  await page.waitForFunction(() => document.querySelector('#made img').naturalWidth > 0);
  await made.getByRole('button', { name: 'Done' }).click();
  await page.getByRole("rowheader", { name: "mali-" + data.stamp }).waitFor();
  await check('creator-task');
  await page.getByRole('button', { name: 'Get a code' }).click();
  await page.getByRole('button', { name: 'Get the code' }).click();
  await page.getByRole('dialog', { name: 'Your code' }).getByRole('button', { name: 'Done' }).click();
  await open('/creator/links');
  await check('creator-links');
  await page.getByRole('button', { name: /^QR code of/ }).first().click();
  await page.waitForFunction(() => document.querySelector('#qr img').naturalWidth > 0);
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#qr').evaluate((d) => d.open), false, 'Escape closes a dialog');
  await page.getByRole('button', { name: 'Make a link' }).click();
  await page.getByLabel('Your own ending').fill('mali-' + data.stamp);
  await page.getByRole('button', { name: 'Make the link' }).click();
  await page.getByRole('dialog').locator('.field-error, .form-error').waitFor();
  refused(409);
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();

  // Earnings, and why one is what it is: never what the advertiser pays.
  await open('/creator/actions?period=90d');
  await check('creator-earnings');
  await page.locator('tbody .rowlink').first().click();
  await page.getByRole('heading', { name: 'What happened' }).waitFor();
  assert.doesNotMatch(await page.locator('main').innerText(), /cost|margin/i);
  await check('creator-earning');
  await open('/creator/statement?period=90d');
  assert.doesNotMatch(await page.locator('main').innerText(), /cost|margin/i);
  await check('creator-statement');

  await open('/creator/inquiries');
  await page.getByRole('button', { name: 'Ask about a sale' }).click();
  await page.getByLabel('Order number').fill('missing-' + data.stamp);
  await page.getByLabel('Bought at').fill(data.day + 'T10:30');
  await page.getByLabel('Amount').fill('49.90');
  await page.getByLabel('What shows it').fill('She sent me the receipt.');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await said('You have asked');
  await page.getByText('missing-' + data.stamp).waitFor();
  await check('creator-inquiries');

  // What was told, and the profile that campaigns' conditions ask for.
  await open('/creator/notifications');
  await check('creator-notifications');
  await open('/creator/profile');
  await page.getByLabel('Gender').fill('female');
  await page.getByLabel('Handle').last().fill('mali-blog');
  await page.getByLabel('Platform').last().selectOption('blog');
  await page.getByLabel('Account number').fill('TH-123');
  await page.getByRole('button', { name: 'Save' }).click();
  await said('Your profile is saved');
  assert.equal(await page.getByLabel('Handle').nth(-2).inputValue(), 'mali-blog');
  assert.equal(await page.getByLabel('Account number').inputValue(), 'TH-123');
  await page.getByLabel('Handle').nth(-2).fill('');
  await page.getByRole('button', { name: 'Save' }).click();
  await said('Your profile is saved');
  await check('creator-profile');

  // With the keyboard alone: the first stop skips to the content.
  await open('/creator');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');

  // What is another's is not there.
  assert.equal((await open('/creator/tasks/' + data.foreign)).status(), 404);
  refused(404);
  assert.equal((await open('/operator')).status(), 403);
  refused(403);
});
