// SPDX-License-Identifier: Apache-2.0
// What the tests of pages share: a browser, checks that are counted, and stops at which axe-core looks for faults.
//
//     const { check, stop, finish } = await openBrowser({ modules, executablePath, shots, prefix: 'admin-' });
//     await check('what holds', {}, async page => { ...; await stop(page, 'name'); });
//     await finish();
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import assert from 'node:assert/strict';

// prefix: of screenshots; expected: console errors that a test provokes; prepare: of each new page; timeout: in ms.
export async function openBrowser({ modules, executablePath, shots, prefix = '', expected, prepare, timeout }) {
  const load = createRequire(`${modules}/`);
  const { chromium } = load('playwright-core');
  const axe = await readFile(load.resolve('axe-core/axe.min.js'), 'utf8');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  let passed = 0;

  async function stop(page, name) {
    await page.waitForTimeout(350); // pictures and transitions settle before colours are judged
    const found = await page.evaluate(`${axe}; axe.run({ resultTypes: ['violations'] })`);
    assert.deepEqual(found.violations.map(one => `${one.id}: ${one.nodes.map(node => node.target).join(' ')}`), [], name);
    if (shots) await page.screenshot({ path: `${shots}/${prefix}${name}.jpg`, quality: 85 });
  }

  async function check(name, options, steps) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', ...options });
    const page = await context.newPage();
    await prepare?.(page);
    const faults = [];
    page.on('pageerror', error => faults.push(String(error)));
    page.on('console', message => { if (message.type() === 'error' && !expected.test(message.text())) faults.push(message.text()); });
    page.setDefaultTimeout(timeout);
    try {
      await steps(page);
      assert.deepEqual(faults, []);
      passed++;
      console.log(`[       OK ] ${name}`);
    } catch (error) {
      console.log(`[  FAILED  ] ${name}\n${error.stack}`);
      process.exitCode = 1;
    }
    await context.close();
  }

  async function finish() {
    await browser.close();
    console.log(`[  PASSED  ] ${passed} test(s)`);
  }

  return { check, stop, finish };
}
