/* Documents and listeners: search, what is shown of one, and what is done about it. */
import { assert, test } from './t.mjs';

const newest = (t, query) => t.api('GET', `/api/v1/documents?${query}`).then((a) => a.documents[0]);
const rows = (t) => t.page.getByRole('table').locator('tbody tr');
const confirm = (t, action) => t.page.getByRole('dialog').getByRole('button', { name: action }).click();

test('filters of documents are in the address, and Back takes them away again', async (t) => {
  await t.open('/documents');
  await t.page.getByLabel('State').selectOption('overdue');
  await t.until(async () => (await rows(t).count()) === 1, 'the one that is overdue');
  assert.equal(t.path(), '/documents?state=overdue');
  await t.open('/documents?direction=out&protocol=as2');
  await t.until(async () => (await rows(t).count()) === 4, 'four messages');
  assert.equal(await t.page.getByLabel('Way').inputValue(), 'out');
  await rows(t).first().getByRole('link').click();
  await t.page.getByRole('heading', { name: 'Timeline' }).waitFor();
  await t.page.goBack();
  await t.until(async () => (await rows(t).count()) === 4, 'four messages again');
  assert.equal(t.path(), '/documents?direction=out&protocol=as2');
  await t.button('Clear').click();
  await t.until(async () => (await rows(t).count()) > 20, 'all');
  assert.equal(t.path(), '/documents');
});

test('documents are found by Message-ID, tracked field, file name and time', async (t) => {
  const d = await newest(t, 'protocol=as2&direction=in');
  await t.open('/documents');
  await t.button('More filters').click();
  await t.allNamed();
  await t.page.getByLabel('Message-ID').fill(d.properties['as2.message_id']);
  await t.until(async () => (await rows(t).count()) === 1, 'the message');
  await t.button('Clear').click();
  await t.page.getByLabel('Tracked field').fill('Order file');
  await t.until(async () => (await rows(t).count()) === 8, 'eight orders');
  await t.page.getByLabel('its value begins').fill('NOTHING');
  await t.text('No document fits').waitFor();
  await t.button('Show all documents').click();
  await t.page.getByLabel('File name begins').fill('REMADV');
  await t.until(async () => (await rows(t).count()) === 4, 'four files');
  await t.button('Clear').click();
  await t.page.getByLabel('Created from').fill('2099-01-01T00:00');
  await t.text('No document fits').waitFor();
  await t.until(() => /^\/documents\?from=\d{4}-\d\d-\d\dT/.test(t.path()), 'the time in the address');
});

test('one document shows timeline, decoded receipt, tracked fields and properties', async (t) => {
  const d = await newest(t, 'name=ORDERS.EDI&direction=in');
  await t.open(`/documents/${d.id}`);
  for (const kind of ['received', 'opened', 'processed'])
    await t.page.locator('.timeline').getByText(kind, { exact: true }).waitFor();
  await t.page.getByText('Order file').waitFor();
  await t.page.getByText('oftp2.sfiddsn').waitFor();
  await t.page.locator('.receipt summary').click();
  await t.page.locator('.receipt').getByText('EERPORIG').waitFor();
  await t.page.locator('.receipt').getByText('O0013000002PLANT7').waitFor();
  const at = await t.page.locator('.timeline time').first().getAttribute('title');
  assert.match(at, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC · /);
});

test('the MDN of a message is decoded, and shown as it went over the wire', async (t) => {
  const d = await newest(t, 'protocol=as2&direction=out');
  await t.open(`/documents/${d.id}`);
  await t.page.locator('.receipt summary').first().click();
  await t.page.locator('.receipt').getByText('Received-Content-MIC', { exact: true }).waitFor();
  await t.page.locator('.receipt summary').last().click();
  await t.page.locator('.receipt pre').getByText('message/disposition-notification').waitFor();
});

test('raw and opened octets are downloaded', async (t) => {
  const d = await newest(t, 'name=EXPORT.CSV');
  await t.open(`/documents/${d.id}`);
  const [file] = await Promise.all([t.page.waitForEvent('download'), t.page.getByRole('link', { name: 'Opened' }).click()]);
  const parts = [];
  for await (const part of await file.createReadStream()) parts.push(part);
  assert.equal(Buffer.concat(parts).toString(), '4711;250;PCE\r\n'.repeat(400));
  assert.equal(file.suggestedFilename(), `${d.id}-EXPORT.CSV`);
  const [raw] = await Promise.all([t.page.waitForEvent('download'), t.page.getByRole('link', { name: 'Raw' }).click()]);
  assert.ok(await raw.path());
});

test('a failed document is tried again after a question', async (t) => {
  const d = await newest(t, 'name=EXPORT.CSV');
  await t.open(`/documents/${d.id}`, 'ole');
  await t.text('/bin/false exited with 1').first().waitFor();
  await t.button('Retry').click();
  await t.allNamed();
  await t.page.getByRole('dialog').getByRole('button', { name: 'Do nothing' }).click();
  assert.equal((await t.api('GET', `/api/v1/documents/${d.id}`)).executions.length, 1);
  await t.button('Retry').click();
  await confirm(t, 'Retry');
  await t.told('is tried again');
  await t.until(async () => (await t.page.getByRole('table', { name: 'Executions' }).locator('tbody tr').count()) === 2, 'the second execution');
});

test('a document that waits for release is led to, and acknowledged', async (t) => {
  const d = await newest(t, 'name=DELFOR.EDI');
  assert.equal(d.held, true);
  await t.open('/');
  await t.page.getByRole('link', { name: /^See them: .* for somebody to release/ }).click();
  await t.until(() => t.path() === '/documents?held=true', 'the list');
  await t.page.getByRole('table').getByText('its receipt waits to be released').first().waitFor();
  await t.page.getByLabel('Receipt').waitFor();
  await t.page.getByRole('link', { name: 'DELFOR.EDI' }).first().click();
  await t.page.getByRole('heading', { level: 1, name: /DELFOR/ }).waitFor();
  await t.open(`/documents/${d.id}`);
  await t.button('Acknowledge').click();
  await confirm(t, 'Acknowledge');
  await t.page.locator('.receipt').getByText(/^EERP (pending|sent)/).waitFor();
  await t.until(async () => (await t.button('Acknowledge').count()) === 0, 'nothing left to acknowledge');
  await t.until(async () => !(await t.api('GET', '/api/v1/documents?held=true')).documents.some((x) => x.id === d.id), 'it not to wait any more');
});

test('what the API refuses is shown in its words, within the question', async (t) => {
  t.expect(/409/);
  const d = await newest(t, 'name=ORDERS.EDI&direction=in');
  await t.open('/documents');
  await t.page.route(`**/api/v1/documents/${d.id}`, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ json: { ...(await answer.json()), state: 'failed' } });
  });
  await t.open(`/documents/${d.id}`);
  await t.button('Retry').click();
  await confirm(t, 'Retry');
  await t.page.getByRole('dialog').getByRole('alert').getByText('only failed and rejected ones').waitFor();
});

test('a document is sent again as a new one', async (t) => {
  const d = await newest(t, 'name=DESADV.EDI&direction=out&state=acknowledged');
  await t.open(`/documents/${d.id}`);
  await t.button('Resend').click();
  await confirm(t, 'Resend');
  await t.until(() => /^\/documents\/\d+$/.test(t.path()) && t.path() !== `/documents/${d.id}`, 'the new document');
  await t.page.locator('.page-head').getByText('acknowledged').waitFor();
});

test('a document that waits to be sent is cancelled', async (t) => {
  const d = await newest(t, 'name=DELJIT.EDI');
  await t.open(`/documents/${d.id}`);
  await t.text('Still to be done').waitFor();
  await t.button('Cancel').click();
  await confirm(t, 'Cancel');
  await t.told('is cancelled');
  await t.until(async () => (await t.api('GET', `/api/v1/documents/${d.id}`)).jobs.length === 0, 'its job to be gone');
});

test('a listener is paused by keyboard alone, and resumed', async (t) => {
  await t.open('/listeners?text=erp-import', 'ole');
  await t.button('Pause erp-import').focus();
  await t.page.keyboard.press('Enter');
  await t.page.getByRole('dialog').waitFor();
  for (let i = 0; i < 8; i++) {
    if (await t.page.evaluate(() => document.activeElement.type === 'submit')) break;
    await t.page.keyboard.press('Tab');
  }
  await t.page.keyboard.press('Enter');
  await t.button('Resume erp-import').waitFor();
  await t.page.getByRole('dialog').waitFor({ state: 'detached' });
  await t.button('Resume erp-import').focus();
  await t.page.keyboard.press('Enter');
  await t.button('Pause erp-import').waitFor();
});

test('several listeners are selected, paused and resumed together', async (t) => {
  await t.open('/listeners?text=from-acme');
  await t.until(async () => (await rows(t).count()) === 2, 'two listeners');
  await t.page.getByLabel('Select all').check();
  const bar = t.page.getByRole('region', { name: 'Selected listeners' });
  await bar.getByText('2 listeners selected').waitFor();
  await bar.getByRole('button', { name: 'Pause' }).click();
  await t.allNamed();
  await confirm(t, 'Pause 2');
  await t.until(async () => (await rows(t).getByText('paused').count()) === 2, 'both to be paused');
  await bar.waitFor({ state: 'detached' });
  await t.page.getByLabel('Select all').check();
  await bar.getByRole('button', { name: 'Resume' }).click();
  await confirm(t, 'Resume 2');
  await t.until(async () => (await rows(t).getByText('listening').count()) === 2, 'both to listen');
});

test('an errored listener says why, and the filter by state finds it', async (t) => {
  await t.open('/listeners');
  await t.page.getByRole('group', { name: 'State' }).getByRole('button', { name: /^errored/ }).click();
  await t.until(async () => (await rows(t).count()) === 1, 'one listener');
  await t.text('was deployed earlier with the same from odette_id').waitFor();
  assert.equal(t.path(), '/listeners?state=errored');
});

test('a viewer is offered nothing that changes something', async (t) => {
  const d = await newest(t, 'name=MISDIRECTED.EDI');
  await t.open(`/documents/${d.id}`, 'vic');
  await t.page.getByRole('heading', { name: 'Timeline' }).waitFor();
  assert.equal(await t.button('Retry').count(), 0);
  await t.open('/documents', 'vic');
  await rows(t).first().waitFor();
  assert.equal(await t.button('Send', { exact: true }).count(), 0);
  await t.open('/listeners', 'vic');
  await rows(t).first().waitFor();
  assert.equal(await t.page.getByRole('checkbox').count(), 0);
  assert.equal(await t.button(/^Pause/).count(), 0);
});

test('while documents come in the list stays live, and only what changed is drawn again', async (t) => {
  let under = 0;
  let most = 0;
  const list = (r) => new URL(r.url()).pathname === '/api/v1/documents';
  t.page.on('request', (r) => list(r) && (most = Math.max(most, ++under)));
  t.page.on('requestfinished', (r) => list(r) && under--);
  t.page.on('requestfailed', (r) => list(r) && under--);
  await t.open('/documents?partner=delta-logistics');
  await rows(t).first().waitFor();
  await rows(t).first().evaluate((e) => (e.dataset.mark = 'kept'));
  const before = await rows(t).count();
  for (let i = 0; i < 30; i++)
    await Promise.all([0, 1, 2].map((k) => t.api('POST', `/api/v1/documents?partner=delta-logistics&name=LIVE${i}-${k}`, 'x')));
  await t.until(async () => (await rows(t).count()) === 50, 'a full page');
  await t.text('LIVE29-').first().waitFor();
  assert.equal(most, 1, 'one request at a time');
  await t.open('/');
  await t.page.getByRole('region', { name: 'Latest documents' }).getByText('LIVE29-').first().waitFor();
  await t.open('/documents?partner=delta-logistics&name=LIVE29-0');
  await t.until(async () => (await rows(t).count()) === 1, 'one document');
  await rows(t).first().evaluate((e) => (e.dataset.mark = 'kept'));
  await t.api('POST', '/api/v1/documents?partner=delta-logistics&name=LIVE29-0', 'y');
  await t.until(async () => (await rows(t).count()) === 2, 'the second one');
  assert.equal(await rows(t).last().getAttribute('data-mark'), 'kept');
  assert.ok(before <= 1);
});

test('the chart tells its numbers by the arrow keys', async (t) => {
  await t.open('/');
  const chart = t.page.getByRole('slider', { name: 'Documents per minute, the last hour' });
  await chart.focus();
  assert.equal(await t.page.evaluate(() => document.activeElement.getAttribute('role')), 'slider');
  const now = await chart.getAttribute('aria-valuetext');
  assert.match(now, /^\d\d:\d\d: \d+ received, \d+ sent, \d+ failed$/);
  await t.page.keyboard.press('ArrowLeft');
  await t.until(async () => (await chart.getAttribute('aria-valuetext')) !== now, 'the minute before');
});

test('older documents are paged by a cursor in the address', async (t) => {
  await t.open('/documents');
  await rows(t).first().waitFor();
  const first = await rows(t).first().innerText();
  await t.button('Older documents').click();
  await t.until(async () => /^\/documents\?before=\d+$/.test(t.path()) && (await rows(t).first().innerText()) !== first, 'the next page');
  await t.page.goBack();
  await t.until(async () => t.path() === '/documents' && (await rows(t).count()) === 50, 'the first page');
});

test('a document is handed in, with what the protocol has, and is acknowledged', async (t) => {
  t.expect(/422|400/);
  const file = { name: 'console order.edi', mimeType: 'text/plain', buffer: Buffer.from("UNB+UNOC:3+A+B'\n") };
  const dialog = t.page.getByRole('dialog');
  const send = () => dialog.getByRole('button', { name: 'Send', exact: true }).click();
  await t.open('/documents', 'ole');
  await t.button('Send', { exact: true }).click();
  await dialog.getByLabel('Partner').selectOption('acme');
  await send();
  await dialog.getByRole('alert').getByText('Choose the file first').waitFor();
  await dialog.locator('input[type=file]').setInputFiles(file);
  await dialog.getByText('console order.edi').waitFor();
  await t.allNamed();
  await dialog.getByLabel('Protocol').selectOption('as2');
  await dialog.getByLabel('Subject').fill('from the console');
  await send();
  await t.until(() => /^\/documents\/\d+$/.test(t.path()), 'the page of the new document');
  await t.page.locator('.page-head').getByText('acknowledged').waitFor();
  const d = await t.api('GET', `/api/v1/documents/${t.path().split('/')[2]}`);
  assert.deepEqual([d.protocol, d.partner, d.size, d.properties['as2.subject']], ['as2', 'acme', 16, 'from the console']);
  await t.open('/partners/partner/borealis', 'ole');
  await t.button('Send', { exact: true }).click();
  await dialog.locator('input[type=file]').setInputFiles(file);
  await dialog.getByLabel('Protocol').selectOption('as2');
  await send();
  await dialog.getByRole('alert').getByText('borealis').waitFor();
});

test('several documents are cancelled together; what is refused is told, and the rest goes on', async (t) => {
  t.expect(/409/);
  const ids = [];
  for (let i = 0; i < 4; i++) ids.push((await t.api('POST', `/api/v1/documents?partner=delta-logistics&name=BULK${i}`, 'x')).id);
  await t.page.route(`**/api/v1/documents/${ids[1]}/cancel`, (route) => route.fulfill({ status: 409, json: { error: 'it is on its way' } }));
  await t.open('/documents?text=BULK', 'ole');
  await t.until(async () => (await rows(t).count()) === 4, 'the four');
  await t.page.getByLabel(`Select BULK3 ${ids[3]}`).check();
  const bar = t.page.getByRole('region', { name: 'Selected documents' });
  await bar.getByText('1 document selected').waitFor();
  await t.page.getByLabel('Select all').check();
  await t.page.getByLabel(`Select BULK3 ${ids[3]}`).uncheck();
  await bar.getByRole('button', { name: 'Cancel 3' }).click();
  const dialog = t.page.getByRole('dialog', { name: 'Cancel 3 documents?' });
  await dialog.getByText('BULK0 to delta-logistics').waitFor();
  await t.allNamed();
  await dialog.getByRole('button', { name: 'Do nothing' }).click();
  await bar.getByRole('button', { name: 'Cancel 3' }).click();
  await confirm(t, 'Cancel 3');
  await t.page.getByRole('dialog').getByText('2 documents are done, 1 not.').waitFor();
  await t.page.getByRole('dialog').getByText('it is on its way').waitFor();
  await t.allNamed();
  await t.page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
  await bar.waitFor({ state: 'detached' });
  const left = await Promise.all(ids.map(async (id) => (await t.api('GET', `/api/v1/documents/${id}`)).jobs.length));
  assert.deepEqual(left, [0, 1, 0, 1]);
});

test('what is offered for several is what each of them takes', async (t) => {
  await t.open('/documents?direction=in&protocol=oftp2', 'ole');
  await t.page.getByLabel('Select all').check();
  const bar = t.page.getByRole('region', { name: 'Selected documents' });
  await bar.getByRole('button', { name: /^Retry 1$/ }).waitFor();
  await bar.getByRole('button', { name: /^Process again \d+$/ }).waitFor();
  await bar.getByRole('button', { name: /^Acknowledge \d+$/ }).waitFor(); /* of borealis, acknowledge: manual */
  assert.equal(await bar.getByRole('button', { name: /^Cancel/ }).count(), 0);
  await t.page.getByLabel('Way').selectOption('out');
  await bar.waitFor({ state: 'detached' });
});

test('only what waits for a release is offered one', async (t) => {
  const d = await newest(t, 'name=INVOIC-1.edi&direction=in');
  await t.page.route(`**/api/v1/documents/${d.id}`, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ json: { ...(await answer.json()), receipts: [] } });
  });
  await t.open(`/documents/${d.id}`);
  await t.button('Process again').waitFor();
  await t.page.getByRole('region', { name: 'Receipts' }).getByText('None.').waitFor();
  assert.equal(await t.button('Acknowledge').count(), 0);
});

test('a number that is no name leads to the document, and partners are offered by name', async (t) => {
  const d = await newest(t, 'name=FORECAST.EDI');
  await t.open('/documents');
  await t.page.getByRole('searchbox').fill(`${d.id}`);
  await t.page.getByRole('link', { name: `Open the document with the number ${d.id}` }).click();
  await t.page.getByRole('heading', { level: 1, name: 'FORECAST.EDI' }).waitFor();
  await t.page.locator('.facts').getByText(/^\d+ octets$/).first().waitFor();
  await t.page.goBack();
  await t.page.locator('#known-partner option[value="quiet-supplier"]').waitFor({ state: 'attached' });
});

test('names that are long, from right to left, of four octets or like markup are shown as they are, on paper too', async (t) => {
  const names = ['\u0641\u0627\u062a\u0648\u0631\u0629-2026.edi', '\u{1D518}\u{1F600}.edi', '{b}&lt;b&gt;.edi', `${'A'.repeat(180)}.edi`];
  const ids = [];
  for (const n of names) ids.push((await t.api('POST', `/api/v1/documents?partner=acme&protocol=as2&file_name=${encodeURIComponent(n)}`, 'x')).id);
  for (const width of [1440, 390]) {
    await t.again({ viewport: { width, height: 900 } });
    for (const [i, id] of ids.entries()) {
      if (width === 390 && i < 3) continue;
      await t.open(`/documents/${id}`);
      await t.page.getByRole('heading', { level: 1, name: names[i], exact: true }).waitFor();
      const wide = await t.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${names[i].slice(0, 9)}: ${wide} pixels wider than ${width}`);
    }
    await t.open('/documents?protocol=as2&direction=out');
    await t.page.getByRole('table').getByRole('link', { name: names[3] }).waitFor();
    const inner = await t.page.locator('.table-box').evaluate((e) => e.scrollWidth - e.clientWidth);
    assert.ok(inner <= 0, `the table is ${inner} pixels wider than its place at ${width}`);
  }
  await t.again({ colorScheme: 'dark' });
  await t.open(`/documents/${ids[3]}`);
  await t.page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  assert.equal(await t.page.getByRole('navigation', { name: 'Main', includeHidden: true }).isVisible(), false);
  await t.text(/^Waybill plant-7 · .* · times: UTC/).waitFor();
  assert.equal(await t.page.evaluate(() => getComputedStyle(document.body).color), 'rgb(26, 33, 48)', 'dark on white');
});
