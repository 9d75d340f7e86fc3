// SPDX-License-Identifier: Apache-2.0
// The back office in a browser: an import with live progress and its rejects, jobs, products, duplicates, an evaluation and a
// training with their reports, models, keys, the console, keyboard alone, a phone, dark, Chinese. axe-core looks for faults at every stop.
//
//     node admin.mjs MODULES CHROMIUM URL GOODS KEYED_URL ADMIN_KEY WRITE_KEY [SCREENSHOTS]
import { readFile, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import assert from 'node:assert/strict';
import { openBrowser } from './browser.mjs';

const [modules, executablePath, url, goods, keyedUrl, key, writeKey, shots] = process.argv.slice(2);
const { check, stop, finish } = await openBrowser({
  modules, executablePath, shots, prefix: 'admin-', expected: /status of 40[0139]/, timeout: 30000,
  prepare: page => page.on('dialog', dialog => dialog.accept()),
});

const open = async (page, view, at = url) => {
  await page.goto(`${at}/admin#${view}`);
  await page.locator('#nav a[aria-current=page]').waitFor();
};
const fits = page => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
const signIn = async (page, text) => {
  await page.locator('#key-box[open]').waitFor();
  await page.locator('#key').fill(text);
  await page.keyboard.press('Enter');
};

// The feed and its pictures, as a browser has what is dropped: paths and bytes.
async function filesBelow(folder, list = 'feed.csv', pictures = /\.jpg$/) {
  const names = await readdir(folder, { recursive: true });
  const wanted = names.filter(name => name === list || pictures.test(name));
  return Promise.all(wanted.map(async name => ({ name: relative(folder, join(folder, name)), text: (await readFile(join(folder, name))).toString('base64') })));
}

const drop = (page, dropped) => page.evaluate(async files => {
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const entry = file => ({ isFile: true, name: file.name, file: done => done(new File([bytes(file.text)], file.name.split('/').pop())) });
  const event = new Event('drop', { bubbles: true, cancelable: true });
  // Folders of a drop cannot be made by script: the entries stand in for them, one level, with their paths.
  event.dataTransfer = { items: files.map(file => ({ webkitGetAsEntry: () => entry(file) })), files: [] };
  document.querySelector('.drop').dispatchEvent(event);
}, dropped);

await check('a dropped feed is imported, with progress and rejects', {}, async page => {
  await open(page, 'import');
  await page.locator('.drop').waitFor();
  await stop(page, 'import-empty');
  await drop(page, await filesBelow(goods));
  await page.getByText('Feed: feed.csv').waitFor();
  await page.evaluate(() => {
    window.seen = [];
    new MutationObserver(() => {
      const bar = document.querySelector('.panel .run-bar');
      if (bar) window.seen.push(`${bar.value}/${bar.max}`);
    }).observe(document.getElementById('view'), { subtree: true, childList: true, characterData: true, attributes: true });
  });
  await page.getByRole('button', { name: 'Start the import' }).click();
  await page.locator('.badge.done').waitFor({ timeout: 120000 });
  assert.ok((await page.evaluate(() => window.seen.length)) > 0, 'progress was shown');
  await page.getByRole('cell', { name: '/etc/passwd', exact: true }).waitFor();
  assert.match(await page.locator('.panel .stats').textContent(), /42Rows40New/);
  await stop(page, 'import');
});

await check('jobs are listed, begun and looked at', {}, async page => {
  await open(page, 'jobs');
  await page.getByRole('button', { name: 'Check the index' }).click();
  await page.getByRole('row', { name: /Index check.*done.*Recall/ }).first().waitFor();
  await page.getByLabel('Kind of index').selectOption({ label: 'inverted lists' });
  await page.getByLabel('Memory limit, MB').fill('7');
  await page.keyboard.press('Enter');
  await page.getByRole('row', { name: /Index build.*done.*inverted lists, rabitq/ }).waitFor();
  await stop(page, 'jobs');
  await page.getByRole('button', { name: 'Details of Index build' }).click();
  await page.getByText(/Reason: .* as inverted lists.*the limit is 7\.0 MB/).waitFor();
  await stop(page, 'index-build');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Details of Import: feed.csv' }).click();
  await page.locator('#dialog[open] .stats').waitFor();
  await page.locator('#dialog table').waitFor();
  await stop(page, 'job');
  await page.keyboard.press('Escape');
});

await check('overview', {}, async page => {
  await open(page, 'overview');
  await page.locator('.panels').waitFor();
  assert.match(await page.locator('.stats').textContent(), /40Products/);
  await stop(page, 'overview');
});

await check('products are searched, filtered and paged', {}, async page => {
  await open(page, 'products');
  await page.locator('tbody tr').first().waitFor();
  assert.equal(await page.locator('tbody tr').count(), 25);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 15);
  await page.getByLabel('Filter').fill('price < 0');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.getByText('No product passes').waitFor();
  await page.getByLabel('Filter').fill('nonsense ((');
  await page.keyboard.press('Enter');
  await page.locator('.status.bad').waitFor();
  await page.getByLabel('Filter').fill('');
  const title = await page.evaluate(() => fetch('/v1/products?top=1').then(answer => answer.json()).then(list => list.products[0].title));
  await page.getByLabel('Title contains').fill(title);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: title }).first().waitFor();
  await stop(page, 'products');
});

await check('duplicates are looked at side by side, deleted and kept', {}, async page => {
  await open(page, 'duplicates');
  await page.locator('.empty, .pairs').waitFor();
  const put = async () => {
    const { products } = await (await fetch('/v1/products?top=1')).json();
    const picture = await (await fetch(`/v1/images/${products[0].images[0].hash}`)).blob();
    for (const id of ['twin-a', 'twin-b', 'twin-c']) {
      const form = new FormData();
      form.append('product', JSON.stringify({ title: `Twin ${id.at(-1)}`, category: 'Twins', price: 9, currency: 'EUR' }));
      form.append('image', picture, 'twin.jpg');
      await fetch(`/v1/products/${id}`, { method: 'PUT', body: form });
    }
  };
  await page.evaluate(put);
  await page.reload();
  const pair = name => page.getByRole('region', { name, exact: true });
  await pair('Twin a and Twin b').getByText('The same picture').waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll('.twin img')].every(img => img.complete && img.naturalWidth > 0));
  await stop(page, 'duplicates');
  await pair('Twin a and Twin c').getByRole('button', { name: 'Delete Twin c (twin-c)' }).click();
  await pair('Twin a and Twin c').waitFor({ state: 'detached' });
  const ids = () => page.evaluate(async () => (await (await fetch('/v1/products?top=1000')).json()).products.map(one => one.id));
  assert.equal((await ids()).includes('twin-c'), false);
  await pair('Twin a and Twin b').getByRole('button', { name: 'Keep both' }).click();
  await pair('Twin a and Twin b').waitFor({ state: 'detached' });
  await page.evaluate(() => localStorage.clear()); // the shop remembers, not the browser
  assert.equal((await ids()).includes('twin-b'), true);
  await page.reload();
  await page.locator('.empty, .pairs').waitFor();
  assert.equal(await pair('Twin a and Twin b').count(), 0);
  await page.getByLabel('Show pairs with').selectOption('0');
  await page.waitForFunction(() => document.querySelector('.empty, .pairs'));
  assert.equal(await pair('Twin a and Twin b').count(), 0);
  await page.getByLabel('Which').selectOption('true');
  await pair('Twin a and Twin b').getByRole('button', { name: 'Ask again' }).click();
  await pair('Twin a and Twin b').waitFor({ state: 'detached' });
  await page.getByLabel('Which').selectOption('false');
  await pair('Twin a and Twin b').waitFor();
  await page.evaluate(() => Promise.all(['twin-a', 'twin-b'].map(id => fetch(`/v1/products/${id}`, { method: 'DELETE' }))));
});

await check('the shop is measured with a list that is dropped, and the report is there', {}, async page => {
  await open(page, 'reports');
  await page.locator('.drop').waitFor();
  await stop(page, 'reports-empty');
  await drop(page, await filesBelow(goods, 'queries.csv', /photos.*\.jpg$/));
  await page.getByText('Queries: queries.csv').waitFor();
  await page.getByRole('button', { name: 'Start the evaluation' }).click();
  await page.locator('.run .badge.done').waitFor({ timeout: 120000 });
  assert.match(await page.locator('.run .stats').textContent(), /40Queries[01]\.\d{3}Recall at 1/);
  await page.reload();
  await page.getByRole('row', { name: /Evaluation: queries.csv.*Recall at 1/ }).waitFor();
  const opened = page.waitForEvent('popup');
  await page.getByRole('link', { name: /^Report: Evaluation/ }).click();
  const report = await opened;
  await report.getByRole('heading', { name: 'By category' }).waitFor();
  assert.notEqual(await report.evaluate(() => getComputedStyle(document.body).maxWidth), 'none'); // its styles may be there, scripts may not
  await report.close();
});

await check('a training is begun, followed, and its encoder is kept only if it finds more', {}, async page => {
  await open(page, 'reports');
  await page.getByLabel('Recipe').fill('{');
  await page.getByRole('button', { name: 'Start the training' }).click();
  await page.getByText('The recipe is no JSON.').waitFor();
  await page.getByLabel('Recipe').fill(JSON.stringify({ from: '/etc/passwd' }));
  await page.getByRole('button', { name: 'Start the training' }).click();
  await page.locator('.status.bad').waitFor();
  await page.getByLabel('Recipe').fill(JSON.stringify({ arch: 'resnet9', width: 0.1, size: 32, epochs: 1, batch: 8, augment: 'none', val_share: 0.3, threads: 1 }));
  await page.getByRole('button', { name: 'Start the training' }).click();
  await page.locator('.run .badge.done').waitFor({ timeout: 120000 });
  assert.match(await page.locator('.run .stats').textContent(), /Recall at 1 before[01]\.\d{3}Recall at 1 after/);
  await page.reload();
  await page.getByRole('row', { name: /Training.*(in use|not taken)/ }).waitFor();
  await stop(page, 'reports');
  await open(page, 'models');
  await page.getByRole('row', { name: /in use/ }).waitFor();
  await stop(page, 'models');
});

await check('the console sends a search and shows it as curl', {}, async page => {
  await open(page, 'console');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.waitForFunction(() => document.getElementById('view').textContent.includes('"strategy"'));
  assert.match(await page.locator('pre').first().textContent(), /curl.*\/v1\/search/s);
  await stop(page, 'console');
  await page.locator('textarea').fill('{');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('The request is no JSON.').waitFor();
});

await check('keys are made, shown once and taken back', {}, async page => {
  await page.goto(`${keyedUrl}/admin#keys`);
  await signIn(page, 'wrong');
  await stop(page, 'sign-in');
  await page.waitForFunction(() => document.getElementById('key').value === '');
  await signIn(page, key);
  await page.getByText('yours').waitFor();
  await page.getByLabel('Name').fill('till');
  await page.getByRole('button', { name: 'Make a key' }).click();
  const made = await page.locator('#new-key').textContent();
  assert.match(made, /^vt_[0-9a-f]{12}_[0-9a-f]{64}$/);
  await stop(page, 'keys');
  // The server looks at its keys once a second.
  const info = () => fetch(`${keyedUrl}/v1/info`, { headers: { Authorization: `Bearer ${made}` } });
  for (let tries = 0; (await info()).status !== 200; tries++) {
    assert.ok(tries < 300, 'the new key is known');
    await new Promise(again => setTimeout(again, 200));
  }
  await page.reload();
  await page.getByRole('button', { name: 'Take back till' }).click();
  await page.getByRole('button', { name: 'Take back till' }).waitFor({ state: 'detached' });
  assert.equal(await page.locator('#new-key').count(), 0);
  assert.deepEqual(await page.evaluate(() => [sessionStorage.length, JSON.stringify(localStorage).includes('vt_')]), [1, false]);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.locator('#key-box[open]').waitFor();
});

await check('a key that may not is told so', {}, async page => {
  await page.goto(`${keyedUrl}/admin#keys`);
  await signIn(page, writeKey);
  await page.getByText('needs the scope').waitFor();
  await page.locator('#nav').getByText('Jobs').click();
  await page.getByText('No jobs yet').waitFor();
});

await check('keyboard alone', {}, async page => {
  await open(page, 'overview');
  await page.locator('.panels').waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'content');
  await page.locator('#nav a').nth(2).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Details of Import: feed.csv' }).waitFor();
  assert.equal(await page.locator('h1').textContent(), 'Jobs');
});

await check('a phone, dark', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: 'dark' }, async page => {
  for (const view of ['overview', 'import', 'jobs', 'products', 'duplicates', 'reports', 'models', 'keys', 'console']) {
    await page.goto('about:blank');
    await open(page, view);
    await page.waitForFunction(() => document.getElementById('view').children.length > 0);
    assert.equal(await fits(page), true, view);
    await stop(page, `phone-${view}`);
  }
});

await check('Chinese', { locale: 'zh-CN' }, async page => {
  await open(page, 'overview');
  await page.locator('.panels').waitFor();
  assert.equal(await page.locator('h1').textContent(), '概览');
  await stop(page, 'chinese');
});

await finish();
