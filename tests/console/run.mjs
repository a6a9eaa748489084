/* Runs the tests of one file in headless Chromium and prints a line of JSON for each.
 *   node run.mjs FILE.test.mjs      environment: see test_console.py
 * A test fails also by an error on the browser's console, by an exception in the page, or by a
 * violation of the content security policy, unless it says t.expect(/text/) before. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, registered, T } from './t.mjs';

const file = path.resolve(process.argv[2]);
await import(pathToFileURL(file));
const browser = await chromium.launch({
  executablePath: process.env.WAYBILL_CHROMIUM,
  args: ['--no-sandbox', '--disable-dev-shm-usage'],
  timeout: 180000,
});
for (const { name, run } of registered) {
  const t = new T(browser);
  let error = null;
  const began = Date.now();
  try {
    await t.begin();
    await run(t);
    await t.check();
  } catch (e) {
    error = `${e.stack}\n${await t.seen()}`;
  }
  await t.end();
  console.log(JSON.stringify({ name, error, seconds: (Date.now() - began) / 1000 }));
}
await browser.close();
