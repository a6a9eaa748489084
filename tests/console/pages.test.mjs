/* The frame, and every page as such: no error, each control named, keyboard, light and dark. */
import { assert, PASSWORD, test } from './t.mjs';

const newest = (t, query) => t.api('GET', `/api/v1/documents?${query}`).then((a) => a.documents[0]);

test('a wrong password is refused in the words of the API, the right one opens the page', async (t) => {
  t.expect(/401/);
  await t.page.goto(t.url);
  await t.page.getByLabel('Name').fill('zoe');
  await t.page.getByLabel('Password').fill('not the password');
  await t.button('Log on').click();
  await t.page.getByRole('alert').getByText('the name or the password is wrong').waitFor();
  await t.allNamed();
  await t.page.getByLabel('Password').fill(PASSWORD);
  await t.page.keyboard.press('Enter');
  await t.page.getByRole('navigation', { name: 'Main' }).waitFor();
  await t.button('Log off').click();
  await t.page.getByLabel('Password').waitFor();
  assert.equal(await t.page.getByRole('alert').count(), 0);
});

test('without a user the page says which command makes the first one', async (t) => {
  await t.page.goto(process.env.WAYBILL_CONSOLE_EMPTY);
  await t.text('waybill users add NAME --role admin').waitFor();
  await t.allNamed();
  assert.equal(await t.page.getByLabel('Password').count(), 0);
});

test('a session that ended leads to log-on, and log-on back to the same page', async (t) => {
  t.expect(/401/);
  await t.page.goto(`${t.url}listeners?state=errored`);
  await t.page.getByLabel('Name').fill('vic');
  await t.page.getByLabel('Password').fill(PASSWORD);
  await t.button('Log on').click();
  await t.text('delfor-test-from-borealis').first().waitFor();
  await t.context.clearCookies();
  const dialog = t.page.getByRole('dialog', { name: 'Log on again' });
  await dialog.getByText('The session has ended').waitFor();
  await dialog.getByLabel('Password').fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Log on' }).click();
  await dialog.waitFor({ state: 'detached' });
  await t.text('delfor-test-from-borealis').first().waitFor();
  assert.equal(t.path(), '/listeners?state=errored');
});

async function everyPage(t, colorScheme) {
  await t.again({ colorScheme });
  await t.open('/');
  const main = t.page.getByRole('navigation', { name: 'Main' });
  const names = await main.getByRole('listitem').getByRole('link').allInnerTexts();
  assert.ok(names.length >= 4, names.join());
  for (const name of names) {
    await main.getByRole('link', { name, exact: true }).click();
    await t.page.locator('main h1').waitFor();
    await t.page.locator('main .loading').first().waitFor({ state: 'detached' });
    await t.allNamed();
    assert.equal(await t.page.getByRole('alert').count(), 0, name);
    assert.equal(await t.page.locator('h1').count(), 1, name);
  }
  return t.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

test('every page of the navigation opens in light, and each control has a name', async (t) => {
  assert.equal(await everyPage(t, 'light'), 'rgb(245, 246, 248)');
});

test('every page of the navigation opens in dark, and each control has a name', async (t) => {
  assert.equal(await everyPage(t, 'dark'), 'rgb(15, 19, 25)');
});

test('the details of documents of all kinds open, each control has a name', async (t) => {
  const { documents } = await t.api('GET', '/api/v1/documents?limit=1000');
  const kinds = new Map();
  for (const d of documents) kinds.set(`${d.state} ${d.direction} ${d.protocol}`, d.id);
  assert.ok(kinds.size >= 7, [...kinds.keys()].join());
  await t.open('/documents');
  for (const id of kinds.values()) {
    await t.open(`/documents/${id}`);
    await t.page.getByRole('heading', { name: 'Timeline' }).waitFor();
    for (const d of await t.page.locator('details').all()) await d.locator('summary').first().click();
    await t.allNamed();
  }
});

test('text has enough contrast in light and dark', async (t) => {
  for (const colorScheme of ['light', 'dark']) {
    await t.again({ colorScheme });
    await t.open('/listeners');
    await t.text('delfor-test-from-borealis').first().waitFor();
    const low = await t.page.evaluate(lowContrast);
    assert.deepEqual(low, [], colorScheme);
  }
});

/* Texts with less than 4.5:1 (WCAG 1.4.3). Runs in the page. */
function lowContrast() {
  const parse = (c) => (c.match(/[\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0.99) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
    if (e.closest('.hidden, .skip, :disabled')) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.push(`${e.className} "${e.textContent.slice(0, 30)}" ${ratio.toFixed(2)}`);
  }
  return bad;
}

test('shortcuts are listed, lead to pages, and can be switched off', async (t) => {
  await t.open('/');
  await t.page.keyboard.press('?');
  const dialog = t.page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await dialog.getByText('go to documents').waitFor();
  await t.allNamed();
  await t.page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await t.shortcut('g l', 'Listeners');
  await t.page.keyboard.press('?');
  await dialog.getByLabel('Shortcuts are on').uncheck();
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await t.page.keyboard.press('g');
  await t.page.keyboard.press('d');
  await t.page.keyboard.press('?');
  assert.equal(t.path(), '/listeners');
  assert.equal(await dialog.count(), 0);
});

test('the theme that was chosen is kept', async (t) => {
  const shade = () => t.page.evaluate(() => document.documentElement.dataset.theme ?? 'auto');
  await t.open('/');
  await t.button(/^Theme/).click();
  assert.equal(await shade(), 'dark');
  await t.page.reload();
  await t.button('Theme: dark').waitFor();
  assert.equal(await shade(), 'dark');
});

test('on a narrow screen the navigation opens by its button', async (t) => {
  await t.again({ viewport: { width: 390, height: 800 } });
  await t.open('/');
  const nav = t.page.getByRole('navigation', { name: 'Main' });
  assert.equal(await nav.isVisible(), false);
  await t.button('Navigation').click();
  await nav.getByRole('link', { name: 'Documents' }).click();
  await t.page.getByRole('heading', { level: 1, name: 'Documents' }).waitFor();
  await nav.waitFor({ state: 'hidden' });
  const wide = await t.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `the page is ${wide} pixels wider than the screen`);
});

test('on a phone no page is wider than the screen, and a listener’s reason and buttons are seen', async (t) => {
  await t.again({ viewport: { width: 390, height: 844 } });
  for (const path of ['/documents', '/sessions?trace=acme', '/certificates', '/partners/new/process']) {
    await t.open(path);
    await t.page.locator('main .loading').first().waitFor({ state: 'detached' });
    const wide = await t.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${path} is ${wide} pixels wider than the screen`);
  }
  await t.open('/listeners?state=errored');
  const row = t.page.getByRole('row').filter({ hasText: 'delfor-test-from-borealis' });
  for (const part of [row.getByText('was deployed earlier with the same'), row.getByRole('button', { name: 'Restart delfor-test-from-borealis' })]) {
    const box = await part.boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 390 && box.height < 140, JSON.stringify(box));
  }
});

test('times tell their zone, and can be shown in UTC', async (t) => {
  await t.again({ timezoneId: 'America/St_Johns' });
  const d = await newest(t, 'state=overdue');
  await t.open(`/documents/${d.id}`);
  const created = t.page.locator(`.facts time[datetime="${d.created}"]`).first();
  const utc = d.created.slice(0, 19).replace('T', ' ');
  const there = new Date(new Date(d.created).getTime() - 12600000).toISOString().slice(0, 19).replace('T', ' ');
  assert.equal(await created.innerText(), `${there} UTC-03:30`);
  await t.button('Times: UTC-03:30, America/St_Johns').click();
  await t.button('Times: UTC', { exact: true }).waitFor();
  assert.equal(await created.innerText(), `${utc} UTC`);
  await t.open('/documents?from=2026-01-01T03:30:00Z');
  await t.button('Times: UTC', { exact: true }).waitFor(); /* it is kept */
  assert.equal(await t.page.getByLabel('Created from').inputValue(), '2026-01-01T03:30');
  await t.button('Times: UTC', { exact: true }).click();
  await t.until(async () => (await t.page.getByLabel('Created from').inputValue()) === '2026-01-01T00:00', 'the time there');
});

test('the window tells whose console it is, and two of them on one host have a session each', async (t) => {
  await t.open('/listeners');
  await t.until(async () => (await t.page.title()) === 'Listeners · plant-7 · Waybill', 'the name of the runtime');
  const names = (await t.context.cookies()).map((c) => c.name);
  assert.deepEqual(names, [`waybill-${new URL(t.url).port}`]);
});

test('by keyboard alone a document is found and opened', async (t) => {
  const d = await newest(t, 'state=overdue');
  await t.open('/');
  await t.page.keyboard.press('Tab');
  assert.equal(await t.page.evaluate(() => document.activeElement.className), 'skip');
  await t.page.keyboard.press('Enter');
  assert.equal(await t.page.evaluate(() => document.activeElement.id), 'main');
  await t.shortcut('g d', 'Documents');
  await t.page.keyboard.press('/');
  await t.page.keyboard.type('FORECAST');
  const link = t.page.getByRole('table').getByRole('link', { name: 'FORECAST.EDI' });
  await t.until(async () => (await t.page.getByRole('table').getByRole('link').count()) === 1, 'one document');
  for (let i = 0; i < 20 && !(await link.evaluate((e) => e === document.activeElement)); i++)
    await t.page.keyboard.press('Tab');
  const ring = await link.evaluate((e) => getComputedStyle(e).outlineStyle);
  assert.equal(ring, 'solid', 'the focus is seen');
  await t.page.keyboard.press('Enter');
  await t.page.getByRole('heading', { level: 1, name: 'FORECAST.EDI' }).waitFor();
  assert.equal(t.path(), `/documents/${d.id}`);
  await t.focused('page-title');
});

test('a page that does not exist says so', async (t) => {
  await t.open('/nowhere');
  await t.text('There is no such page').waitFor();
  await t.allNamed();
});
