/* The log-on page. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, post } from './lib/api.js';
import { useTitle } from './lib/hooks.js';
import { session, start } from './lib/session.js';
import { Button, Command, ErrorBox, Note } from './ui/basic.jsx';
import { TextField } from './ui/form.jsx';
import { Logo } from './ui/icons.jsx';

export function LogOn() {
  const { users } = start.use();
  useTitle('Log on');
  return (
    <main class="log-on" id="main">
      <div class="log-on-card">
        <h1>
          <Logo /> Waybill
        </h1>
        {users ? <Form /> : <NoUser />}
      </div>
    </main>
  );
}

/* Over the page, which stays as it is below: nothing that was typed is lost. Above all dialogs. */
export function LogOnAgain({ user }) {
  const ref = useRef();
  useEffect(() => {
    const d = ref.current;
    d.showModal();
    return () => d.close();
  }, []);
  return (
    <dialog ref={ref} class="log-on again" aria-labelledby="log-on-again" onCancel={(e) => e.preventDefault()}>
      <div class="log-on-card">
        <h2 id="log-on-again">
          <Logo /> Log on again
        </h2>
        <Note icon="clock">The session has ended. Log on again to go on where you were; what you typed is still there.</Note>
        <Form user={user} />
        <Button kind="quiet" onClick={() => session.begin(null)}>
          Leave it
        </Button>
      </div>
    </dialog>
  );
}

function Form({ user = '' }) {
  const [name, setName] = useState(user);
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);

  async function logOn(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const s = await post('/api/v1/session', { json: { name, password }, quiet: true });
      session.begin(s);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  }
  return (
    <form onSubmit={logOn}>
      <TextField label="Name" value={name} onValue={setName} autocomplete="username" autocapitalize="none" spellcheck={false} required autofocus={!user} />
      <TextField label="Password" autofocus={!!user} type="password" value={password} onValue={setPassword} autocomplete="current-password" required />
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
