/* What goes away: the session, the runtime, the page one was on, and what somebody else does meanwhile. Nothing
 * typed is lost, nothing is overwritten unseen, and nothing old is shown as if it were new. */
import { assert, PASSWORD, test } from './t.mjs';

const component = (t, kind, name) => t.api('GET', `/api/v1/components/${kind}/${name}`);
const setting = (t, at, name) => t.page.locator(`[data-path="${at}"]`).getByLabel(new RegExp(`^${name}( \\*)?$`)).first();
const partner = (t, name, more = '') => t.api('POST', '/api/v1/components?file=x', `partner: ${name}\noftp2: {odette_id: O0013${name.toUpperCase()}, password: PW${more}}\n`);

/* The session ends, and it is this that meets it first: nothing that the page asks for by itself. */
async function endSession(t, what) {
  const release = await t.hold();
  await t.context.clearCookies();
  await what();
  await t.page.getByRole('dialog', { name: 'Log on again' }).waitFor();
  await release();
}

async function logOnAgain(t, user) {
  const dialog = t.page.getByRole('dialog', { name: 'Log on again' });
  await dialog.getByText('The session has ended').waitFor();
  assert.equal(await dialog.getByLabel('Name').inputValue(), 'zoe');
  await t.allNamed();
  await dialog.getByLabel('Name').fill(user);
  await dialog.getByLabel('Password').fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Log on' }).click();
  await dialog.waitFor({ state: 'detached' });
}

test('a session that ends while a form is filled in loses nothing: after log-on it is saved', async (t) => {
  t.expect(/401/);
  await partner(t, 'interrupted');
  await t.open('/partners/partner/interrupted');
  await setting(t, 'oftp2.host', 'host').fill('typed.example');
  await t.text('Nothing is wrong with it').waitFor();
  await endSession(t, () => t.button('Save').click());
  assert.equal(await t.page.getByRole('dialog').count(), 1);
  await logOnAgain(t, 'zoe');
  await t.told('Version 2 of');
  assert.ok((await component(t, 'partner', 'interrupted')).text.includes('host: typed.example'));
  assert.equal(t.path(), '/partners/partner/interrupted');
});

test('a dialog that was filled in is there again after log-on, and another user gets none of it', async (t) => {
  t.expect(/401/);
  await t.open('/users');
  await t.button('New user').click();
  await t.page.getByRole('dialog').getByLabel('Name').fill('interim');
  await t.page.getByRole('dialog').getByLabel('Password').fill('a long password');
  await endSession(t, () => t.page.getByRole('dialog').getByRole('button', { name: 'Add user' }).click());
  await logOnAgain(t, 'vic');
  await t.text('Users and tokens are for admins').waitFor();
  assert.equal(await t.page.getByRole('dialog').count(), 0);
  const { users } = await t.api('GET', '/api/v1/users');
  assert.ok(!users.some((u) => u.name === 'interim'), 'what another user began is not done');
});

test('changes that were not saved are there again after another page, until they are undone', async (t) => {
  await partner(t, 'left');
  await t.open('/partners/partner/left');
  await setting(t, 'oftp2.host', 'host').fill('kept.example');
  await t.page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Documents' }).click();
  await t.page.getByRole('heading', { level: 1, name: 'Documents' }).waitFor();
  t.expect(/412/);
  await partner(t, 'left', ', poll: 15m, host: theirs.example');
  await t.page.goBack();
  await t.text('These are your changes from before').waitFor();
  assert.equal(await setting(t, 'oftp2.host', 'host').inputValue(), 'kept.example');
  /* somebody else's version is not overwritten because of it */
  await t.button('Save').click();
  const dialog = t.page.getByRole('dialog', { name: 'It was changed meanwhile' });
  await dialog.locator('.added').getByText('host: kept.example').waitFor();
  await dialog.locator('.removed').getByText('theirs.example').waitFor();
  await dialog.getByRole('button', { name: 'Do nothing' }).click();
  await t.button('Undo all').click();
  assert.equal(await setting(t, 'oftp2.host', 'host').inputValue(), 'theirs.example');
  await t.text('No change').waitFor();
});

test('a new component with the name of another does not replace it without a question', async (t) => {
  await partner(t, 'taken', ', host: first.example');
  await t.open('/partners/new/partner');
  await setting(t, 'partner', 'partner').fill('taken');
  await t.button('Add oftp2').click();
  await setting(t, 'oftp2.odette_id', 'odette_id').fill('O0013TAKEN');
  await t.button('Make partner').click();
  const dialog = t.page.getByRole('dialog', { name: 'There is a partner taken already' });
  await dialog.getByRole('button', { name: 'Do nothing' }).click();
  assert.equal((await component(t, 'partner', 'taken')).version, 1);
  await setting(t, 'partner', 'partner').fill('not-taken');
  await t.button('Make partner').click();
  await t.page.getByRole('heading', { level: 1, name: 'not-taken' }).waitFor();
  assert.equal((await component(t, 'partner', 'taken')).version, 1);
});

test('a runtime that does not answer is told, and the page goes on when it does again', async (t) => {
  t.expect(/ERR_INTERNET_DISCONNECTED/);
  await t.open('/listeners?text=acme');
  await t.text('orders-from-acme').first().waitFor();
  await t.context.setOffline(true);
  await t.page.getByRole('banner').getByText('does not answer').waitFor();
  await t.page.getByRole('alert').getByText('The runtime does not answer').waitFor();
  assert.ok((await t.text('orders-from-acme').count()) > 0, 'what was seen last stays');
  await t.context.setOffline(false);
  await t.page.getByRole('banner').getByText('does not answer').waitFor({ state: 'detached' });
  await t.page.getByRole('alert').waitFor({ state: 'detached' });
});

test('a runtime that takes a request and never answers is not shown as if it were live', async (t) => {
  await t.page.clock.install();
  await t.open('/listeners');
  await t.text('orders-from-acme').first().waitFor();
  let asked = 0;
  await t.page.route('**/api/v1/listeners', () => asked++);
  await t.until(async () => {
    await t.page.clock.runFor(1000);
    return asked > 0;
  }, 'the next request');
  await t.page.clock.runFor(31000);
  await t.page.getByRole('alert').getByText('has not answered for 30 seconds').waitFor();
  await t.page.unroute('**/api/v1/listeners');
  await t.until(async () => {
    await t.page.clock.runFor(1000);
    return (await t.page.getByRole('alert').count()) === 0;
  }, 'the next answer');
});

test('a trace that breaks off says so, and goes on by itself', async (t) => {
  t.expect(/ERR_/);
  let cut = true;
  let passed = 0;
  await t.page.route('**/api/v1/trace?*', (route) => {
    if (cut) return route.fulfill({ body: '2026-11-21T17:00:00.000Z acme > SSRM before\n' });
    passed++;
    return route.continue();
  });
  await t.open('/sessions?trace=acme');
  await t.text('SSRM before').waitFor();
  await t.text('The trace broke off here').first().waitFor();
  cut = false;
  await t.until(() => passed > 0, 'the next trace');
  await t.text('following').waitFor();
  await t.api('POST', '/api/v1/partners/acme/test');
  await t.page.locator('.trace').getByText('SSID').first().waitFor();
});

test('a text that is selected beyond the edge of a dialog does not close it', async (t) => {
  await t.open('/users');
  await t.button('New user').click();
  const name = t.page.getByRole('dialog').getByLabel('Name');
  await name.fill('ida');
  const box = await name.boundingBox();
  await t.page.mouse.move(box.x + 40, box.y + 10);
  await t.page.mouse.down();
  await t.page.mouse.move(5, box.y + 10);
  await t.page.mouse.up();
  assert.equal(await name.inputValue(), 'ida');
  await t.page.mouse.click(5, 300);
  await t.page.getByRole('dialog').waitFor({ state: 'detached' });
});
