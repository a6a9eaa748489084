/* The log-on page. */
import { useState } from 'preact/hooks';
import { get, post } from './lib/api.js';
import { useTitle } from './lib/hooks.js';
import { session, start, why } from './lib/session.js';
import { Button, Command, ErrorBox, Note } from './ui/basic.jsx';
import { TextField } from './ui/form.jsx';
import { Logo } from './ui/icons.jsx';

export function LogOn() {
  const { users } = start.use();
  const reason = why.use();
  useTitle('Log on');
  return (
    <main class="log-on" id="main">
      <div class="log-on-card">
        <h1>
          <Logo /> Waybill
        </h1>
        {reason && <Note icon="clock">{reason}</Note>}
        {users ? <Form /> : <NoUser />}
      </div>
    </main>
  );
}

function Form() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);

  async function logOn(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const s = await post('/api/v1/session', { json: { name, password }, quiet: true });
      why.set('');
      session.set(s);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  }
  return (
    <form onSubmit={logOn}>
      <TextField label="Name" value={name} onValue={setName} autocomplete="username" autocapitalize="none" spellcheck={false} required autofocus />
      <TextField label="Password" type="password" value={password} onValue={setPassword} autocomplete="current-password" required />
      <ErrorBox error={error} />
      <Button kind="primary" type="submit" busy={busy} class="whole">
        {busy ? 'Logging on' : 'Log on'}
      </Button>
    </form>
  );
}

function NoUser() {
  const [error, setError] = useState(null);
  async function again() {
    try {
      start.set(await get('/console/start'));
    } catch (e) {
      setError(e);
    }
  }
  return (
    <>
      <p>There is no user yet. On the machine of the runtime, as the user who runs it, make the first one:</p>
      <Command>waybill users add NAME --role admin</Command>
      <ErrorBox error={error} />
      <Button icon="refresh" kind="primary" onClick={again} class="whole">
        Done: log on
      </Button>
    </>
  );
}
