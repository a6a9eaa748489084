/* What tests of the console are written with. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

const env = process.env;
export const { chromium } = createRequire(path.join(env.WAYBILL_TEST_MODULES, 'x.js'))('playwright-core');
export const registered = [];
export { assert };

/* test('a sentence', async (t) => ...) */
export const test = (name, run) => registered.push({ name, run });

export const PASSWORD = env.WAYBILL_PASSWORD;
const patience = 90000 * Number(env.WAYBILL_TEST_SLOW || 1);
const sessions = new Map(); /* user -> cookies: logged on once */

/* Roles whose nodes somebody uses or that somebody is told of: each has to have a name. */
const named = new Set([
  'button', 'link', 'textbox', 'searchbox', 'checkbox', 'combobox', 'radio', 'slider', 'spinbutton', 'menuitem', 'tab', 'switch', 'listbox',
  'option', 'dialog', 'img', 'image', 'region', 'progressbar', 'table', 'heading', 'navigation', 'columnheader', 'DisclosureTriangle', 'tabpanel',
]);

export class T {
  constructor(browser) {
    this.browser = browser;
    this.url = env.WAYBILL_CONSOLE;
    this.problems = [];
    this.expected = [];
  }

  /* options of the context: colorScheme, viewport */
  async begin(options = {}) {
    this.context = await this.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    this.context.setDefaultTimeout(patience);
    this.page = await this.context.newPage();
    await this.page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (e) =>
        console.error(`Content Security Policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`),
      );
      window.told = [];
      new MutationObserver((changes) => {
        for (const { addedNodes } of changes)
          for (const n of addedNodes) if (n.matches?.('.message') && n.checkVisibility()) window.told.push(n.textContent);
      }).observe(document, { subtree: true, childList: true });
    });
    this.page.on('console', (m) => m.type() === 'error' && this.problems.push(`console: ${m.text()}`));
    this.page.on('pageerror', (e) => this.problems.push(`exception: ${e.stack}`));
  }

  /* Another context in place of the first. */
  async again(options) {
    await this.context.close();
    await this.begin(options);
  }

  /* Console errors with such a text are no failure. */
  expect(pattern) {
    this.expected.push(pattern);
  }

  async check() {
    const bad = this.problems.filter((p) => !this.expected.some((e) => e.test(p)));
    assert.deepEqual(bad, [], 'the browser’s console is clean');
  }

  async seen() {
    const text = await this.page?.locator('body').innerText({ timeout: 2000 }).catch(() => '');
    return `at ${this.page?.url()}\n${this.problems.join('\n')}\n${(text ?? '').slice(0, 3000)}`;
  }

  async end() {
    await this.context?.close().catch(() => {});
  }

  /* To a page, as this user: zoe is admin, ole operator, vic viewer. */
  async open(to = '/', user = 'zoe') {
    if (!sessions.has(user)) {
      const answer = await this.context.request.post(new URL('/api/v1/session', this.url).href, {
        data: { name: user, password: PASSWORD },
      });
      assert.equal(answer.status(), 200, await answer.text());
      sessions.set(user, (await this.context.storageState()).cookies);
    }
    await this.context.addCookies(sessions.get(user));
    await this.page.goto(this.url.replace(/\/$/, '') + to);
    await this.page.getByRole('heading', { level: 1 }).first().waitFor();
    await this.drawn();
  }

  /* Until what a page does once it is drawn is done: it listens for keys, the focus is where it belongs. */
  async drawn() {
    await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
  }

  /* A shortcut of two keys, which must not come far apart, and the page it leads to. */
  async shortcut(keys, name) {
    const there = this.page.getByRole('heading', { level: 1, name });
    await this.until(async () => {
      for (const k of keys.split(' ')) await this.page.keyboard.press(k);
      return there.waitFor({ timeout: 3000 }).then(() => true, () => false);
    }, `${keys} to lead to ${name}`);
    await this.focused('page-title');
  }

  async focused(id) {
    await this.until(() => this.page.evaluate((x) => document.activeElement.id === x, id), `${id} to have the focus`);
  }

  /* A message at the edge, which goes away after some seconds. */
  async told(text) {
    await this.until(() => this.page.evaluate((x) => window.told.some((m) => m.includes(x)), text), `"${text}" to be told`);
  }

  /* Holds what the page asks for by itself until that is called which this gives. */
  async hold() {
    const held = [];
    const take = (route) => (route.request().method() === 'GET' ? void held.push(route) : route.fallback());
    await this.page.route('**/api/v1/**', take);
    return async () => {
      await this.page.unroute('**/api/v1/**', take);
      await Promise.all(held.map((route) => route.continue().catch(() => {})));
    };
  }

  /* A request to the API with an admin's token, past the page. */
  async api(method, to, body) {
    const answer = await fetch(new URL(to, this.url), {
      method,
      headers: { Authorization: `Bearer ${env.WAYBILL_TOKEN}` },
      body,
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${to}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  /* Polls until check gives something true. */
  async until(check, what) {
    const end = Date.now() + patience;
    for (;;) {
      const value = await check();
      if (value) return value;
      assert.ok(Date.now() < end, `waited for ${what}`);
      await new Promise((r) => setTimeout(r, 100));
    }
  }

  /* Every control in the accessibility tree has a name. */
  async allNamed() {
    const cdp = await this.context.newCDPSession(this.page);
    const { nodes } = await cdp.send('Accessibility.getFullAXTree');
    await cdp.detach();
    const bad = nodes
      .filter((n) => !n.ignored && named.has(n.role?.value) && !n.name?.value?.trim())
      .map((n) => `${n.role.value} ${n.backendDOMNodeId}`);
    assert.ok(nodes.length > 20, 'there is a tree');
    assert.deepEqual(bad, [], `each control has a name at ${this.page.url()}`);
    return nodes.length;
  }

  text(pattern) {
    return this.page.getByText(pattern);
  }

  button(name, options = {}) {
    return this.page.getByRole('button', { name, ...options });
  }

  path() {
    const u = new URL(this.page.url());
    return u.pathname.replace(/^\/console/, '') + u.search;
  }
}
