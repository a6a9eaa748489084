/* node pictures.mjs DIRECTORY: one picture of each page. */
import path from 'node:path';
import { chromium, T } from './t.mjs';

const out = process.argv[2];
const browser = await chromium.launch({ executablePath: process.env.WAYBILL_CHROMIUM, args: ['--no-sandbox'] });
const t = new T(browser);

async function shot(name, { wait, before } = {}) {
  await t.page.locator('main .loading').first().waitFor({ state: 'detached' });
  if (wait) await t.page.getByText(wait).first().waitFor();
  await before?.();
  await t.page.waitForTimeout(700);
  await t.page.screenshot({ path: path.join(out, `console-${name}.png`) });
}

const view = { viewport: { width: 1280, height: 800 } };
await t.begin(view);
await t.page.goto(t.url);
await t.page.getByLabel('Name').waitFor();
await shot('log-on');
await t.page.setViewportSize({ width: 1280, height: 980 });
await t.open('/');
await shot('overview', { wait: 'Latest documents' });
await t.page.setViewportSize(view.viewport);
await t.open('/listeners');
await shot('listeners', { wait: 'orders-from-acme' });
await t.open('/documents?partner=acme');
await shot('documents', { wait: 'ORDERS' });
const { documents } = await t.api('GET', '/api/v1/documents?direction=out&protocol=as2&state=acknowledged&limit=1');
await t.open(`/documents/${documents[0].id}`);
await shot('document', { wait: 'Timeline', before: () => t.page.locator('.receipt summary').first().click() });
const failed = await t.api('GET', '/api/v1/documents?name=EXPORT.CSV');
await t.open(`/documents/${failed.documents[0].id}`);
await shot('retry', { wait: 'Timeline', before: () => t.button('Retry').click() });
await t.open('/sessions');
await shot('sessions', { wait: 'borealis' });
await t.open('/partners');
await shot('partners', { wait: 'delta-logistics' });
await t.open('/partners/partner/acme');
await shot('partner', { wait: 'acme' });
await shot('partner-test', { before: async () => {
  await t.button('Test connection').click();
  await t.text('Everything that can be tried').waitFor();
} });
await t.open('/certificates');
await shot('certificates', { wait: 'our-keys' });
await t.open('/audit');
await shot('audit');
await t.open('/users');
await shot('users');
await t.open('/settings');
await shot('settings');
await t.again({ viewport: { width: 1280, height: 980 }, colorScheme: 'dark' });
await t.open('/');
await shot('overview-dark', { wait: 'Latest documents' });
await t.again({ viewport: { width: 390, height: 780 } });
await t.open('/');
await shot('narrow', { wait: 'Latest documents' });
await browser.close();
