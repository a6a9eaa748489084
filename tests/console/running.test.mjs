/* What runs, what was changed, and what the runtime is. */
import { assert, test } from './t.mjs';

const rows = (t) => t.page.getByRole('table').locator('tbody tr');

test('a session under way is shown with its progress, and its commands are traced', async (t) => {
  await t.open('/sessions?trace=acme', 'ole');
  await t.text('following').waitFor();
  /* large enough to be seen while it is under way: held by the answer of this page alone */
  await t.page.route('**/api/v1/sessions', async (route) => {
    const answer = await route.fetch();
    const real = await answer.json();
    const s = { id: 900, protocol: 'oftp2', partner: 'acme', peer: 'O0013000001ACME', address: '192.0.2.1:3305', state: 'transfer', tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
      initiator: false, since: new Date().toISOString(), document: 7, done: 250000, total: 1000000, octets_in: 250100, octets_out: 90 };
    await route.fulfill({ json: { sessions: [...real.sessions, s] } });
  });
  const bar = t.page.getByRole('progressbar', { name: 'Document 7 of acme' });
  await bar.waitFor();
  assert.equal(await bar.evaluate((e) => e.value), 0.25);
  await t.text('250 kB of 1.0 MB, 25 %').waitFor();
  await t.allNamed();
  await t.api('POST', '/api/v1/partners/acme/test');
  await t.page.locator('.trace').getByText('SSID').first().waitFor();
  assert.ok(!(await t.page.locator('.trace').innerText()).includes('OURPW'), 'no password in it');
  await t.button('Clear').click();
  await t.page.getByLabel('Commands of').selectOption('');
  await t.until(() => t.path() === '/sessions', 'the trace to be off');
});

test('a viewer sees sessions, and is told who may trace', async (t) => {
  await t.open('/sessions', 'vic');
  await t.text('Traces are for operators and admins').waitFor();
  assert.equal(await t.page.getByLabel('Commands of').count(), 0);
});

test('the audit is searched by who and by time', async (t) => {
  await t.api('POST', '/api/v1/partners/acme/test');
  await t.open('/audit', 'vic');
  await t.text('test partner').first().waitFor();
  await t.allNamed();
  await t.page.getByLabel('Who').fill('token:');
  await t.until(async () => (await rows(t).count()) > 0 && (await rows(t).filter({ hasNotText: 'token:' }).count()) === 0, 'tokens only');
  await t.until(() => /who=token/.test(t.path()), 'the filter in the address');
  await t.page.getByLabel('From').fill('2099-01-01T00:00');
  await t.text('No change fits').waitFor();
  await t.button('Show all').click();
  await t.until(async () => (await rows(t).count()) > 5 && t.path() === '/audit', 'all');
  await t.page.getByRole('cell', { name: /^test partner acme/ }).first().getByRole('link', { name: 'acme' }).click();
  await t.page.getByRole('heading', { level: 1, name: 'acme' }).waitFor();
});

test('settings in force are shown to admins, and read again', async (t) => {
  await t.open('/settings');
  await t.page.getByLabel('Settings in force').getByText('data_directory:').waitFor();
  await t.page.locator('.facts').getByText('plant-7').waitFor();
  await t.button('Read settings and certificates again').click();
  await t.told('were read again');
  await t.page.route('**/api/v1/reload', (route) => route.fulfill({ json: { reloaded: true, later: 'admin.listen' } }));
  await t.button('Read settings and certificates again').click();
  await t.told('counting from the next start: admin.listen');
});
