/* One's own password. */
import { useState } from 'preact/hooks';
import { post } from './lib/api.js';
import { session } from './lib/session.js';
import { Button, ErrorBox, tell } from './ui/basic.jsx';
import { Dialog } from './ui/dialog.jsx';
import { TextField } from './ui/form.jsx';

export function OwnPassword({ onClose }) {
  const [old, setOld] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);

  async function change(event) {
    event.preventDefault();
    if (password !== again) {
      setError(new Error('The two new passwords differ.'));
      return;
    }
    setBusy(true);
    try {
      const s = await post('/api/v1/session/password', { json: { old, password }, quiet: true });
      session.set(s);
      tell('good', 'The password is changed; your other sessions have ended.');
      onClose();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  }
  return (
    <Dialog title="Change password" onClose={onClose}>
      <form onSubmit={change}>
        <TextField label="Password so far" type="password" autocomplete="current-password" value={old} onValue={setOld} required />
        <TextField label="New password" help="12 characters or more" type="password" autocomplete="new-password" value={password} onValue={setPassword} required />
        <TextField label="New password again" type="password" autocomplete="new-password" value={again} onValue={setAgain} required />
        <ErrorBox error={error} />
        <div class="dialog-foot">
          <Button onClick={onClose}>Do nothing</Button>
          <Button kind="primary" type="submit" busy={busy}>
            Change password
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
