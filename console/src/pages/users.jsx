/* Who may log on, and the tokens of programs: for admins. */
import './users.css';
import { useState } from 'preact/hooks';
import { del, get, post, segment } from '../lib/api.js';
import { usePoll, useTitle } from '../lib/hooks.js';
import { may, session } from '../lib/session.js';
import { Button, Copy, Empty, ErrorBox, IconButton, Loading, Note, PageHead, Panel, tell, Time } from '../ui/basic.jsx';
import { confirm, Dialog } from '../ui/dialog.jsx';
import { Field, SelectField, TextField } from '../ui/form.jsx';
import { Table } from '../ui/table.jsx';

const ROLES = [
  ['viewer', 'viewer: sees everything but passwords, users and tokens'],
  ['operator', 'operator: also sends, retries, pauses, calls, tests, traces'],
  ['admin', 'admin: also changes components, certificates, users'],
];

/* A form in a dialog; run(values) may fail. */
function FormDialog({ title, action, onClose, run, children }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await run();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        {children}
        <ErrorBox error={error} />
        <div class="dialog-foot">
          <Button onClick={onClose}>Do nothing</Button>
          <Button kind="primary" type="submit" busy={busy}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function NewUser({ onClose, done }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState('viewer');
  const [password, setPassword] = useState('');
  return (
    <FormDialog
      title="New user"
      action="Add user"
      onClose={onClose}
      run={async () => {
        await post('/api/v1/users', { json: { name, role, password } });
        tell('good', `User ${name} may log on as ${role}.`);
        done();
      }}
    >
      <TextField label="Name" value={name} onValue={setName} required autocomplete="off" autocapitalize="none" spellcheck={false} help="a-z, 0-9, - _ and . , at most 64" />
      <SelectField label="Role" value={role} onValue={setRole} options={ROLES} />
      <TextField label="Password" type="password" value={password} onValue={setPassword} required autocomplete="new-password" help="12 characters or more; the user can change it after log-on" />
    </FormDialog>
  );
}

function SetPassword({ name, onClose }) {
  const [password, setPassword] = useState('');
  return (
    <FormDialog
      title={`New password for ${name}`}
      action="Set password"
      onClose={onClose}
      run={async () => {
        await post(`/api/v1/users/${segment(name)}/password`, { json: { password } });
        tell('good', `User ${name} has a new password; the sessions so far have ended.`);
        onClose();
      }}
    >
      <TextField label="New password" type="password" value={password} onValue={setPassword} required autocomplete="new-password" help="12 characters or more" />
    </FormDialog>
  );
}

function NewToken({ onClose, done }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState('operator');
  const [expires, setExpires] = useState('');
  const [made, setMade] = useState(null);
  if (made)
    return (
      <Dialog title={`Token ${made.name}`} onClose={onClose}>
        <Note tone="warn" icon="key">
          This is the only time it is shown: only its digest is kept. Whoever has it may do what a {made.role} may.
        </Note>
        <p class="token">
          <Copy text={made.token} what="token" />
        </p>
        <p class="soft">
          Programs send it as <code class="mono">Authorization: Bearer TOKEN</code>.
        </p>
        <div class="dialog-foot">
          <Button kind="primary" onClick={onClose}>
            I have it
          </Button>
        </div>
      </Dialog>
    );
  return (
    <FormDialog
      title="New API token"
      action="Make token"
      onClose={onClose}
      run={async () => {
        setMade(await post('/api/v1/tokens', { json: { name, role, ...(expires ? { expires: new Date(expires).toISOString() } : {}) } }));
        done();
      }}
    >
      <TextField label="Name" value={name} onValue={setName} required autocomplete="off" autocapitalize="none" spellcheck={false} help="what uses it: erp, monitoring" />
      <SelectField label="Role" value={role} onValue={setRole} options={ROLES} />
      <Field label="Expires" help="left empty: never">
        {(p) => <input type="date" {...p} value={expires} onInput={(e) => setExpires(e.target.value)} />}
      </Field>
    </FormDialog>
  );
}

function Users() {
  const admin = may('admin');
  const users = usePoll(admin ? (signal) => get('/api/v1/users', {}, { signal }) : null, 'users', admin ? 15000 : 0);
  const tokens = usePoll(admin ? (signal) => get('/api/v1/tokens', {}, { signal }) : null, 'tokens', admin ? 15000 : 0);
  const [dialog, setDialog] = useState(null);
  const me = session.use()?.user;
  useTitle('Users');
  if (!admin)
    return (
      <>
        <PageHead title="Users and tokens" />
        <Note icon="key">Users and tokens are for admins. Your own password: the key at the top right.</Note>
      </>
    );

  async function setRole(user, role) {
    const done = await confirm({
      title: `Make ${user.name} ${role === 'viewer' ? 'a' : 'an'} ${role}?`,
      text: `${user.name} is ${user.role === 'viewer' ? 'a' : 'an'} ${user.role} now. It counts from the next request on.`,
      action: `Make ${role}`,
      danger: user.name === me,
      run: () => post(`/api/v1/users/${segment(user.name)}/role`, { json: { role } }),
    });
    if (done) tell('good', `User ${user.name} is ${role} now.`);
    users.refresh();
  }
  async function removeUser(user) {
    const done = await confirm({
      title: `Delete user ${user.name}?`,
      text: `${user.name} cannot log on any more, and the sessions end. What ${user.name} did stays in the audit log.`,
      action: 'Delete user',
      danger: true,
      run: () => del(`/api/v1/users/${segment(user.name)}`),
    });
    if (done) users.refresh();
  }
  async function removeToken(token) {
    const done = await confirm({
      title: `Delete token ${token.name}?`,
      text: 'Programs that use it are refused from now on.',
      action: 'Delete token',
      danger: true,
      run: () => del(`/api/v1/tokens/${segment(token.name)}`),
    });
    if (done) tokens.refresh();
  }
  const userColumns = [
    { id: 'name', title: 'Name', cell: (u) => <>{u.name}{u.name === me && <span class="soft"> (you)</span>}</> },
    {
      id: 'role',
      title: 'Role',
      cell: (u) => (
        <select class="role-select" aria-label={`Role of ${u.name}`} value={u.role} onChange={(e) => { const role = e.target.value; e.target.value = u.role; setRole(u, role); }}>
          {ROLES.map(([r]) => (
            <option key={r} value={r}>
              {r}
            </option>
          ))}
        </select>
      ),
    },
    { id: 'created', title: 'Made', narrow: true, cell: (u) => <Time at={u.created} full /> },
    { id: 'changed', title: 'Changed', narrow: true, hide: 'small', cell: (u) => <Time at={u.changed} full /> },
    {
      id: 'actions',
      name: 'Actions',
      narrow: true,
      cell: (u) => (
        <span class="row-actions">
          <IconButton icon="key" label={`New password for ${u.name}`} onClick={() => setDialog({ is: 'password', name: u.name })} />
          <IconButton icon="trash" label={`Delete user ${u.name}`} onClick={() => removeUser(u)} />
        </span>
      ),
    },
  ];
  const tokenColumns = [
    { id: 'name', title: 'Name', cell: (t) => t.name },
    { id: 'role', title: 'Role', cell: (t) => t.role },
    { id: 'made', title: 'Made by', hide: 'small', cell: (t) => <span class="mono">{t.made_by}</span> },
    { id: 'created', title: 'Made', narrow: true, hide: 'small', cell: (t) => <Time at={t.created} full /> },
    { id: 'used', title: 'Last used', narrow: true, cell: (t) => <Time at={t.used} none="never" /> },
    { id: 'expires', title: 'Expires', narrow: true, cell: (t) => <Time at={t.expires} full none="never" /> },
    { id: 'actions', name: 'Actions', narrow: true, cell: (t) => <span class="row-actions"><IconButton icon="trash" label={`Delete token ${t.name}`} onClick={() => removeToken(t)} /></span> },
  ];
  return (
    <>
      <PageHead title="Users and tokens" about="People log on with a name and a password, programs with a token." />
      <Panel id="users" title="Users" actions={<Button icon="plus" onClick={() => setDialog({ is: 'user' })}>New user</Button>}>
        <ErrorBox error={users.error} onRetry={users.refresh} />
        {users.data ? <Table caption="Users" columns={userColumns} rows={users.data.users} rowKey={(u) => u.name} deps={me} /> : !users.error && <Loading />}
      </Panel>
      <Panel id="tokens" title="API tokens" actions={<Button icon="plus" onClick={() => setDialog({ is: 'token' })}>New token</Button>}>
        <ErrorBox error={tokens.error} onRetry={tokens.refresh} />
        {!tokens.data && !tokens.error && <Loading />}
        {tokens.data?.tokens.length > 0 && <Table caption="API tokens" columns={tokenColumns} rows={tokens.data.tokens} rowKey={(t) => t.name} />}
        {tokens.data?.tokens.length === 0 && (
          <Empty icon="key" title="No token">
            Programs that use the API need one each.
          </Empty>
        )}
      </Panel>
      {dialog?.is === 'user' && <NewUser onClose={() => setDialog(null)} done={() => { setDialog(null); users.refresh(); }} />}
      {dialog?.is === 'password' && <SetPassword name={dialog.name} onClose={() => setDialog(null)} />}
      {dialog?.is === 'token' && <NewToken onClose={() => setDialog(null)} done={tokens.refresh} />}
    </>
  );
}

export default { path: '/users', nav: 'Users', icon: 'users', key: 'u', role: 'admin', component: Users };
