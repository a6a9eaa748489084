/* Partners, identities, processes, certificates, users: made, changed, tried and taken away. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { assert, test } from './t.mjs';

const confirm = (t, action) => t.page.getByRole('dialog').getByRole('button', { name: action, exact: true }).click();
const component = (t, kind, name) => t.api('GET', `/api/v1/components/${kind}/${name}`);
const saved = (t, n) => t.told(`Version ${n} of`);
const rows = (t) => t.page.getByRole('table').locator('tbody tr');
const setting = (t, at, name) => t.page.locator(`[data-path="${at}"]`).getByLabel(new RegExp(`^${name}( \\*)?$`)).first();
const key = (name) => path.join(process.env.WAYBILL_KEYS, name);

test('partners are found by name and by the ID a process knows them by', async (t) => {
  await t.open('/partners');
  await t.until(async () => (await rows(t).count()) >= 4, 'the partners');
  await t.allNamed();
  await t.page.getByRole('searchbox').fill('O0942BOREALIS');
  await t.until(async () => (await rows(t).count()) === 1, 'one partner');
  assert.match(t.path(), /q=O0942BOREALIS/);
  await t.page.getByRole('link', { name: 'borealis', exact: true }).click();
  await t.page.getByRole('heading', { level: 1, name: 'borealis' }).waitFor();
  await t.page.goBack();
  await t.button(/^Identities/).click();
  await t.page.getByRole('link', { name: 'us', exact: true }).waitFor();
  assert.equal(t.path(), '/partners?kind=identity');
  await t.button(/^Processes/).click();
  await t.page.getByRole('cell', { name: 'erp-import', exact: true }).first().waitFor();
});

test('a partner is made by form; what is wrong stands at its field', async (t) => {
  await t.open('/partners/new/partner');
  await setting(t, 'partner', 'partner').fill('formed');
  await t.button('Add oftp2').click();
  await setting(t, 'oftp2.odette_id', 'odette_id').fill('lower case');
  await t.text('must be made of A-Z 0-9').first().waitFor();
  await t.page.locator('[data-path="oftp2.odette_id"] .error').getByText('must be made of').waitFor();
  await t.allNamed();
  t.expect(/422/);
  await t.button('Make partner').click();
  await t.text('nothing was saved').waitFor();
  await setting(t, 'oftp2.odette_id', 'odette_id').fill('O0013FORMED');
  await setting(t, 'oftp2.password', 'password').selectOption('value');
  await t.page.getByLabel('password: value').fill('PW#1');
  await setting(t, 'oftp2.host', 'host').fill('127.0.0.1');
  await setting(t, 'oftp2.identity', 'identity').selectOption('us');
  await t.text('Nothing is wrong with it').waitFor();
  await t.button('Make partner').click();
  await t.page.getByRole('heading', { level: 1, name: 'formed' }).waitFor();
  const { text } = await component(t, 'partner', 'formed');
  assert.equal(text, 'partner: formed\noftp2:\n  odette_id: O0013FORMED\n  password: "PW#1"\n  host: 127.0.0.1\n  identity: us\n');
});

test('a form keeps comments, order and passwords of a text that somebody wrote', async (t) => {
  const text = '# of the north\npartner: commented\noftp2:\n  # as told by phone\n  password: SECRETPW\n  odette_id: O0013COMMENTED\n';
  await t.api('POST', '/api/v1/components?file=x', text);
  await t.open('/partners/partner/commented');
  assert.equal(await t.page.content().then((c) => c.includes('SECRETPW')), false);
  await setting(t, 'oftp2.poll', 'poll').fill('7 days');
  await t.page.locator('[data-path="oftp2.poll"] .error').getByText("'poll' must be a time").waitFor();
  await setting(t, 'oftp2.poll', 'poll').fill('15m');
  await t.text("'poll' needs 'host'").first().waitFor();
  await setting(t, 'oftp2.host', 'host').fill('192.0.2.7');
  await t.text('Nothing is wrong with it').waitFor();
  await t.button('Save').click();
  await saved(t, 2);
  assert.equal((await component(t, 'partner', 'commented')).text, `${text}  poll: 15m\n  host: 192.0.2.7\n`);
});

test('a text is changed as text, problems lead to their line, and versions are compared', async (t) => {
  await t.api('POST', '/api/v1/components?file=x', 'partner: worded\noftp2: {odette_id: O0013WORDED, password: PW}\n');
  await t.open('/partners/partner/worded?view=text');
  const area = t.page.getByRole('textbox', { name: /Text of the partner/ });
  const before = await area.inputValue();
  assert.ok(before.includes('password: "********"') || before.includes('password: ********'), before);
  await area.fill(`${before}as2:\n  as2_id: W\n  colour: red\n`);
  await t.text("unknown setting 'colour'").first().waitFor();
  await t.button('line 5, column 3').click();
  assert.equal(await area.evaluate((e) => e.value.slice(e.selectionStart, e.selectionStart + 6)), 'colour');
  await area.fill(`${before}as2:\n  as2_id: W\n`);
  await t.text('Nothing is wrong with it').waitFor();
  await t.button('Save').click();
  await saved(t, 2);
  assert.ok((await component(t, 'partner', 'worded')).text.includes('password: PW}'));
  await t.button('Versions').click();
  await t.page.locator('.diff .added').getByText('as2_id: W').waitFor();
  await t.allNamed();
  await t.button('Change back to version 1').click();
  await t.button('Save').click();
  await saved(t, 3);
  assert.ok(!(await component(t, 'partner', 'worded')).text.includes('as2_id'));
});

test('what was applied meanwhile is not overwritten without a question', async (t) => {
  const text = (host) => `partner: raced\noftp2: {odette_id: O0013RACED, password: PW, host: ${host}}\n`;
  t.expect(/412/);
  await t.api('POST', '/api/v1/components?file=x', text('one.example'));
  await t.open('/partners/partner/raced');
  await setting(t, 'oftp2.host', 'host').fill('mine.example');
  await t.api('POST', '/api/v1/components?file=x', text('theirs.example'));
  await t.button('Save').click();
  await t.page.getByRole('dialog').getByText('version 2').first().waitFor();
  await confirm(t, 'Do nothing');
  assert.ok((await component(t, 'partner', 'raced')).text.includes('theirs.example'));
  await t.button('Save').click();
  await confirm(t, 'Save mine over it');
  await saved(t, 3);
  /* theirs, instead */
  await setting(t, 'oftp2.host', 'host').fill('mine-again.example');
  await t.api('POST', '/api/v1/components?file=x', text('theirs-again.example'));
  await t.button('Save').click();
  const dialog = t.page.getByRole('dialog', { name: 'It was changed meanwhile' });
  await dialog.getByText(/version 4 was saved by token:/).waitFor();
  await dialog.locator('.removed').getByText('theirs-again.example').waitFor();
  await t.allNamed();
  await t.page.setViewportSize({ width: 390, height: 800 });
  for (const b of await dialog.getByRole('button').all()) {
    const { x, width } = await b.boundingBox();
    assert.ok(x >= 0 && x + width <= 390, `${await b.textContent()} can be pressed on a phone: ${x} + ${width}`);
  }
  await t.page.setViewportSize({ width: 1280, height: 900 });
  await confirm(t, 'Drop mine, take theirs');
  await t.text('version 4').first().waitFor();
  await t.until(async () => (await setting(t, 'oftp2.host', 'host').inputValue()) === 'theirs-again.example', 'theirs');
  await t.text('No change').waitFor();
  /* nor is it deleted unseen */
  await t.api('POST', '/api/v1/components?file=x', text('once-more.example'));
  await t.button('Delete').click();
  await confirm(t, 'Delete partner');
  await t.page.getByRole('dialog').getByRole('alert').getByText('version 5 was saved').waitFor();
  await confirm(t, 'Do nothing');
  await t.text('version 5').first().waitFor();
  /* and what was deleted meanwhile is made again only when that is meant */
  await setting(t, 'oftp2.host', 'host').fill('mine-at-last.example');
  t.expect(/404/);
  await t.api('DELETE', '/api/v1/components/partner/raced');
  await t.button('Save').click();
  await t.page.getByRole('dialog', { name: 'It was deleted meanwhile' }).getByText(/deleted by token:/).waitFor();
  t.expect(/422/);
  await confirm(t, 'Make it again');
  await t.text(/is hidden \(\*+\), and there is none before it/).first().waitFor();
  await t.button('Text').click();
  await t.page.getByRole('textbox', { name: /Text of the partner/ }).fill(text('mine-at-last.example'));
  await t.text('Nothing is wrong with it').waitFor();
  await t.button('Save').click();
  await saved(t, 6);
});

test('a process is made of steps, and tells what its protocol has', async (t) => {
  await t.open('/partners/new/process');
  await setting(t, 'process', 'process').fill('stepped');
  await setting(t, 'start.operation.from.partner', 'partner').selectOption('acme');
  await setting(t, 'start.operation.to.identity', 'identity').selectOption('us');
  await setting(t, 'start.listen', 'listen').selectOption('as2-server');
  await t.page.locator('[data-path="start.operation"]').getByText('mdn_delivery').first().waitFor({ state: 'attached' });
  await t.page.getByLabel('Kind of step').selectOption('write');
  await t.button('Add step').click();
  await t.page.locator('[data-path="steps[1].write.directory"]').getByRole('textbox').fill('/srv/edi');
  await t.text('Nothing is wrong with it').waitFor();
  await t.allNamed();
  await t.button('Make process').click();
  await t.page.getByRole('heading', { level: 1, name: 'stepped' }).waitFor();
  await t.text('This process is errored').waitFor(); /* the same partner and identity as another one */
  await t.button('Delete').click();
  await confirm(t, 'Delete process');
  await t.until(() => t.path() === '/partners?kind=process', 'the list');
});

test('what others refer to is not deleted, and it is told who', async (t) => {
  t.expect(/409/);
  await t.open('/partners/identity/us');
  await t.button('Delete').click();
  await confirm(t, 'Delete identity');
  await t.page.getByRole('dialog').getByRole('alert').getByText(/acme|orders-from-acme/).waitFor();
  await confirm(t, 'Do nothing');
  await t.page.getByRole('heading', { level: 1, name: 'us' }).waitFor();
});

test('a test of a partner says step by step what was found, with its trace', async (t) => {
  await t.open('/partners/partner/acme', 'ole');
  await t.button('Test connection').click();
  const dialog = t.page.getByRole('dialog');
  await dialog.getByText('Everything that can be tried').waitFor();
  await dialog.getByText(/^log on/).first().waitFor();
  await dialog.locator('.trace').getByText('SSID').first().waitFor();
  assert.ok(!(await dialog.innerText()).includes('OURPW'), 'no password in it');
  await t.allNamed();
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await t.open('/partners/partner/delta-logistics', 'ole');
  await t.button('Test connection').click();
  await t.page.getByRole('dialog').getByText('It does not work yet').waitFor();
});

test('a viewer sees settings without passwords, and changes nothing', async (t) => {
  await t.open('/partners/partner/acme', 'vic');
  await setting(t, 'oftp2.host', 'host').waitFor();
  await t.text('Only an admin changes components').waitFor();
  assert.equal(await setting(t, 'oftp2.host', 'host').isDisabled(), true);
  for (const name of ['Save', 'Delete', 'Test connection', 'Call now']) assert.equal(await t.button(name).count(), 0, name);
  assert.equal(await t.page.content().then((c) => c.includes('OURPW')), false);
  await t.open('/users', 'vic');
  await t.text('Users and tokens are for admins').waitFor();
  await t.open('/settings', 'vic');
  await t.text('The settings are for admins').waitFor();
});

test('a certificate is imported from a dropped file, with its key', async (t) => {
  await t.open('/certificates');
  await t.text('delta-files').first().waitFor();
  await t.allNamed();
  await t.button('Import').click();
  const files = ['delta-logistics.example.crt', 'delta-logistics.example.key'].map((n) => ({ name: n, text: readFileSync(key(`edi.${n}`), 'utf8') }));
  const data = await t.page.evaluateHandle((list) => {
    const d = new DataTransfer();
    for (const f of list) d.items.add(new File([f.text], f.name));
    return d;
  }, files);
  await t.page.getByRole('dialog').locator('.drop').dispatchEvent('drop', { dataTransfer: data });
  await t.page.getByRole('dialog').getByText('private key').first().waitFor();
  assert.equal(await t.page.getByLabel('Name of the component').inputValue(), 'delta-logistics.example');
  await t.page.getByLabel('Name of the component').fill('dropped');
  await t.allNamed();
  await confirm(t, 'Import');
  await t.told('dropped version 1');
  const c = (await t.api('GET', '/api/v1/certificates')).certificates.find((x) => x.name === 'dropped');
  assert.equal(c.has_key, true);
  assert.ok(!(await component(t, 'certificate', 'dropped')).text.includes('PRIVATE KEY'));
});

test('a roll-over adds the next certificate, and PKCS#12 goes out and in with a password', async (t) => {
  t.expect(/422|400/);
  await t.api('POST', '/api/v1/certificates/rolled/import', JSON.stringify({ certificate: readFileSync(key('plant-7.example.crt'), 'utf8'), key: readFileSync(key('plant-7.example.key'), 'utf8') }));
  await t.open('/certificates/rolled');
  await t.button('Import the next').click();
  await t.page.getByLabel('Files with certificate and key').setInputFiles([key('acme.example.crt'), key('acme.example.key')]);
  await t.page.getByRole('dialog').getByText('certificate', { exact: true }).waitFor();
  await t.text('Roll over: keep the present one').waitFor();
  await confirm(t, 'Import');
  await t.page.getByRole('heading', { name: '2. acme.example' }).waitFor();
  await t.page.getByRole('heading', { name: 'Roll-over' }).waitFor();
  await t.allNamed();
  await t.button('Export').click();
  await t.page.getByLabel('As', { exact: true }).selectOption('pkcs12');
  await t.page.getByLabel('Password to encrypt').fill('export secret');
  const [file] = await Promise.all([t.page.waitForEvent('download'), confirm(t, 'Download')]);
  assert.equal(file.suggestedFilename(), 'rolled.p12');
  const p12 = readFileSync(await file.path());
  await t.open('/certificates');
  await t.button('Import').click();
  await t.page.getByLabel('Files with certificate and key').setInputFiles({ name: 'Copy of Rolled.p12', mimeType: 'application/x-pkcs12', buffer: p12 });
  await t.page.getByRole('dialog').getByText('PKCS#12', { exact: true }).waitFor();
  await confirm(t, 'Import');
  await t.page.getByRole('dialog').getByRole('alert').waitFor();
  await t.page.getByLabel('Password of the file').fill('export secret');
  await confirm(t, 'Import');
  await t.told('copy-of-rolled version 1');
});

test('certificates are filtered by state, and drawn by when they end', async (t) => {
  await t.open('/certificates');
  await t.page.locator('.expiry li').first().waitFor();
  await t.button(/^expired/).click();
  await t.until(async () => (await rows(t).count()) === 1, 'one that is over');
  assert.equal(t.path(), '/certificates?state=expired');
  await t.page.getByRole('table').getByRole('link', { name: 'borealis-files' }).click();
  await t.page.getByRole('heading', { level: 1, name: 'borealis-files' }).waitFor();
});

test('a user is added, gets another role and password, and is deleted', async (t) => {
  t.expect(/400/);
  await t.open('/users');
  await t.button('New user').click();
  const dialog = t.page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('ida');
  await dialog.getByLabel('Role').selectOption('operator');
  await dialog.getByLabel('Password').fill('short');
  await t.allNamed();
  await confirm(t, 'Add user');
  await dialog.getByRole('alert').waitFor();
  await dialog.getByLabel('Password').fill('a long password');
  await confirm(t, 'Add user');
  await t.page.getByLabel('Role of ida').selectOption('viewer');
  await confirm(t, 'Make viewer');
  await t.told('User ida is viewer now');
  await t.button('New password for ida').click();
  await dialog.getByLabel('New password').fill('another password');
  await confirm(t, 'Set password');
  await t.button('Delete user ida').click();
  await confirm(t, 'Delete user');
  await t.until(async () => (await t.page.getByLabel('Role of ida').count()) === 0, 'the user to be gone');
});

test('a token is shown once, works, and is taken away', async (t) => {
  await t.open('/users');
  await t.button('New token').click();
  await t.page.getByRole('dialog').getByLabel('Name').fill('robot');
  await confirm(t, 'Make token');
  const token = await t.page.locator('.token .mono').innerText();
  assert.match(token, /^waybill_[0-9a-f]{64}$/);
  await t.allNamed();
  await confirm(t, 'I have it');
  const ask = () => fetch(new URL('/api/v1/session', t.url), { headers: { Authorization: `Bearer ${token}` } });
  assert.equal((await (await ask()).json()).role, 'operator');
  assert.ok(!(await t.page.content()).includes(token));
  await t.button('Delete token robot').click();
  await confirm(t, 'Delete token');
  await t.until(async () => (await ask()).status === 401, 'the token to be refused');
});

test('files dropped on the page are imported: several in DER together, and PKCS#7 is taken', async (t) => {
  const der = (name) => Buffer.from(readFileSync(key(name), 'utf8').replace(/-----[^-]+-----/g, ''), 'base64').toString('base64');
  const drop = async (target, files) => {
    const data = await t.page.evaluateHandle((list) => {
      const d = new DataTransfer();
      for (const f of list) d.items.add(new File([Uint8Array.from(atob(f.octets), (c) => c.charCodeAt(0))], f.name));
      return d;
    }, files);
    await target.dispatchEvent('drop', { dataTransfer: data });
  };
  await t.open('/certificates');
  const dialog = t.page.getByRole('dialog');
  await drop(t.page.locator('main h1'), [
    { name: 'acme-in-der.cer', octets: der('acme.example.crt') },
    { name: 'acme-key.der', octets: der('acme.example.key') },
  ]);
  await dialog.getByText('private key', { exact: true }).waitFor();
  assert.equal(await t.page.getByLabel('Name of the component').inputValue(), 'acme-in-der');
  await drop(dialog.locator('.drop'), [{ name: 'all.p7b', octets: Buffer.from('300b06092a864886f70d010702', 'hex').toString('base64') }]);
  await dialog.getByRole('button', { name: 'Leave out all.p7b' }).click();
  await drop(dialog.locator('.drop'), [{ name: 'second.der', octets: der('plant-7.example.crt') }]);
  await dialog.getByText('second.der').waitFor();
  await confirm(t, 'Import');
  await t.told('acme-in-der version 1');
  const c = (await t.api('GET', '/api/v1/certificates')).certificates.find((x) => x.name === 'acme-in-der');
  assert.equal(c.has_key, true);
});

test('the overview leads to the certificate that ends, and a runtime without components says how to begin', async (t) => {
  await t.open('/');
  await t.page.getByRole('link', { name: /^Renew: Certificate borealis-files expired/ }).click();
  await t.page.getByRole('heading', { level: 1, name: 'borealis-files' }).waitFor();
  await t.page.route('**/api/v1/listeners', (route) => route.fulfill({ json: { listeners: [] } }));
  await t.open('/listeners');
  await t.text('No listener yet').waitFor();
  await t.page.getByRole('link', { name: 'identity', exact: true }).click();
  await t.page.getByRole('heading', { level: 1, name: 'New identity' }).waitFor();
});

test('a certificate of ours is sent to a partner', async (t) => {
  await t.open('/certificates/acme-files');
  await t.page.getByRole('heading', { name: 'Used by' }).waitFor();
  assert.equal(await t.button('Send to a partner').count(), 0, 'it is not ours');
  await t.open('/certificates/our-keys');
  await t.button('Send to a partner').click();
  await t.page.getByRole('dialog').getByLabel('Partner').selectOption('acme');
  await t.allNamed();
  await confirm(t, 'Send');
  await t.page.getByRole('heading', { level: 1, name: 'ODETTE_CERTIFICATE_DELIVER' }).waitFor();
});
