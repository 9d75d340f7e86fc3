// SPDX-License-Identifier: Apache-2.0
// The shop window in a browser: photos by file, paste and drop, the crop frame, examples, filters, one product,
// keyboard alone, a phone, dark, Chinese, a shop with a key. axe-core looks for faults at every stop.
//
//     node window.mjs MODULES CHROMIUM URL PHOTO KEYED_URL KEY [SCREENSHOTS]
import { readFile } from 'node:fs/promises';
import assert from 'node:assert/strict';
import { openBrowser } from './browser.mjs';

const [modules, executablePath, url, photo, keyedUrl, key, shots] = process.argv.slice(2);
const { check, stop, finish } = await openBrowser({
  modules, executablePath, shots, expected: /status of 401/, timeout: 20000,
  prepare: page => page.addInitScript(() => {
    const send = window.fetch;
    window.fetch = (path, what) => {
      if (what?.body instanceof FormData) window.asked = JSON.parse(what.body.get('options'));
      return send(path, what);
    };
  }),
});

const cards = page => page.locator('#grid .card');
const settled = page => page.waitForFunction(() => document.getElementById('progress').hidden);
async function open(page, at = url) {
  await page.goto(at);
  await cards(page).first().waitFor();
  await settled(page);
}
async function choose(page) {
  const answer = page.waitForResponse(response => response.url().endsWith('/v1/search'));
  await page.setInputFiles('#file', photo);
  await answer;
  await settled(page);
}
// What the page last asked for, once it asks for a part of the photo.
const cropped = page => page.waitForFunction(() => window.asked?.crop).then(handle => handle.jsonValue());
const names = page => page.locator('#grid .name').allTextContents();

await check('a photo finds products, its frame searches again', {}, async page => {
  await open(page);
  await stop(page, 'shop');
  await choose(page);
  assert.match(await page.locator('#grid .match').first().textContent(), /^\d+ %$/);
  await stop(page, 'search');
  const area = await page.locator('#crop').boundingBox();
  await page.mouse.move(area.x + area.width * 0.3, area.y + area.height * 0.3);
  await page.mouse.down();
  await page.mouse.move(area.x + area.width * 0.8, area.y + area.height * 0.9, { steps: 4 });
  await page.mouse.up();
  const [x, y, width, height] = await cropped(page);
  assert.ok(x > 0 && y > 0 && width > 0 && height > 0);
  await settled(page);
  await stop(page, 'crop');
});

await check('filters narrow, and can be cleared', {}, async page => {
  await open(page);
  const all = await page.locator('#status').textContent();
  const box = page.locator('#facets input[type=checkbox]').first();
  await box.focus();
  await page.keyboard.press('Space');
  await page.waitForFunction(before => document.getElementById('status').textContent !== before, all);
  await settled(page);
  assert.equal(await box.isChecked(), true);
  await stop(page, 'filter');
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.waitForFunction(before => document.getElementById('status').textContent === before, all);
});

await check('words find, narrow a photo, and can be taken back; orders', {}, async page => {
  await open(page);
  const title = (await names(page))[0];
  const answer = () => page.waitForResponse(response => response.url().endsWith('/v1/search'));
  const ask = async words => {
    await page.getByLabel('In words').fill(words);
    const found = answer();
    await page.keyboard.press('Enter');
    const body = await (await found).json();
    await settled(page);
    return body;
  };
  const body = await ask(title);
  assert.equal(body.strategy, 'words');
  assert.ok((await names(page)).includes(title));
  assert.equal(await page.locator('#grid .match').count(), 0);
  await stop(page, 'words');
  const ordered = answer();
  await page.locator('#sort').selectOption('-price');
  const prices = (await (await ordered).json()).results.map(one => one.product.price);
  assert.deepEqual(prices, [...prices].sort((a, b) => b - a));
  await settled(page);
  assert.equal((await ask('qqqq')).results.length, 0);
  await page.locator('#empty h3').waitFor();
  await stop(page, 'no-words');
  await ask(title);
  await choose(page);
  assert.ok((await names(page)).includes(title));
  assert.ok(await page.locator('#grid .match').count() > 0);
  await stop(page, 'words-and-photo');
});

await check('one product, what resembles it, more and less like it', {}, async page => {
  await open(page);
  await cards(page).first().locator('.open').click();
  await page.locator('#product[open]').waitFor();
  await page.locator('#product .row .card').first().waitFor();
  await stop(page, 'product');
  const first = await page.locator('#product h2').textContent();
  await page.locator('#product').getByRole('button', { name: 'More like this' }).click();
  await page.locator('.chip').waitFor();
  await settled(page);
  assert.ok(!(await names(page)).includes(first) || (await names(page)).length > 0);
  await cards(page).nth(1).getByRole('button', { name: 'Less like this' }).click();
  await page.locator('.chip.less').waitFor();
  await settled(page);
  await stop(page, 'examples');
  await page.locator('.chip').first().click();
  await page.waitForFunction(() => document.querySelectorAll('.chip').length === 1);
});

await check('why it was found', {}, async page => {
  await open(page);
  await choose(page);
  await cards(page).first().getByRole('button', { name: 'Why?' }).click();
  await page.locator('#product[open] .shares li').first().waitFor();
  await stop(page, 'why');
});

const told = (page, kind) => page.waitForResponse(async response =>
  response.url().endsWith('/v1/events') && response.request().postDataJSON().some(one => one.kind === kind));

await check('results that were seen and opened are told, without who it was', {}, async page => {
  const viewed = told(page, 'view');
  await open(page);
  await choose(page);
  const views = (await viewed).request().postDataJSON();
  assert.equal((await viewed).status(), 200);
  assert.ok(views.length > 1);
  assert.ok(views.every(one => one.kind === 'view' && one.search === views[0].search && one.session === views[0].session));
  assert.match(views[0].search, /^[0-9a-f]{32}$/);
  assert.deepEqual(views.map(one => one.position).sort((a, b) => a - b).slice(0, 2), [1, 2]);
  const clicked = told(page, 'click');
  await cards(page).nth(1).locator('.open').click();
  const click = (await clicked).request().postDataJSON().find(one => one.kind === 'click');
  assert.deepEqual([click.position, click.search, click.session], [2, views[0].search, views[0].session]);
});

await check('who wants not to be followed is not', {}, async page => {
  const sent = [];
  await page.addInitScript(() => Object.defineProperty(navigator, 'globalPrivacyControl', { value: true }));
  page.on('request', request => { if (request.url().endsWith('/v1/events')) sent.push(request.url()); });
  await open(page);
  await choose(page);
  await page.waitForTimeout(1500);
  assert.deepEqual(sent, []);
});

await check('a pasted photo', {}, async page => {
  await open(page);
  const bytes = (await readFile(photo)).toString('base64');
  await page.evaluate(async text => {
    const blob = new Blob([Uint8Array.from(atob(text), c => c.charCodeAt(0))], { type: 'image/jpeg' });
    const data = new DataTransfer();
    data.items.add(new File([blob], 'photo.jpg', { type: 'image/jpeg' }));
    dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }));
  }, bytes);
  await page.locator('#grid .match').first().waitFor();
});

await check('keyboard alone', {}, async page => {
  await open(page);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  for (let i = 0; i < 40 && !(await page.evaluate(() => document.activeElement.classList.contains('open'))); i++)
    await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.locator('#product[open]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('#product').waitFor({ state: 'hidden' });
  await choose(page);
  await page.locator('.frame').focus();
  await page.keyboard.press('Shift+ArrowLeft');
  await page.keyboard.press('ArrowRight');
  const [x, y] = await cropped(page);
  assert.ok(x > 0 && y === 0);
});

await check('a phone, dark', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: 'dark' }, async page => {
  await open(page);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  await choose(page);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  await stop(page, 'phone');
});

await check('Chinese', { locale: 'zh-CN' }, async page => {
  await open(page);
  assert.equal(await page.locator('h1').textContent(), '以图找货');
  await stop(page, 'chinese');
});

await check('a shop with a key asks for it', {}, async page => {
  await page.goto(keyedUrl);
  await page.locator('#key').fill('wrong');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.getElementById('key').value === '' && document.getElementById('key-box').open);
  await stop(page, 'key');
  await page.locator('#key').fill(key);
  await page.keyboard.press('Enter');
  await cards(page).first().waitFor();
  await page.waitForFunction(() => document.querySelector('#grid img')?.naturalWidth > 0);
});

await finish();
