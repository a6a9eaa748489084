/* About this runtime, and the settings in force. */
import './settings.css';
import { get, post } from '../lib/api.js';
import { usePoll, useTitle } from '../lib/hooks.js';
import { may } from '../lib/session.js';
import { attempt, Button, Copy, ErrorBox, Facts, Link, Loading, Note, PageHead, Panel, tell } from '../ui/basic.jsx';

/* Comments are soft, names of settings stand out. */
function Yaml({ text }) {
  return (
    <pre class="yaml mono" tabIndex={0} aria-label="Settings in force">
      {text.split('\n').map((l, i) => {
        const m = /^(\s*(?:- )?)([\w.-]+:)(.*)$/.exec(l);
        return (
          <div key={i} class={/^\s*#/.test(l) ? 'soft' : undefined}>
            {m ? (
              <>
                {m[1]}
                <b>{m[2]}</b>
                {m[3]}
              </>
            ) : (
              l || ' '
            )}
          </div>
        );
      })}
    </pre>
  );
}

function Settings() {
  const runtime = usePoll((signal) => get('/api/v1/runtime', {}, { signal }), 'about');
  const admin = may('admin');
  const settings = usePoll(admin ? (signal) => get('/api/v1/settings', {}, { signal }) : null, `settings-${admin}`);
  const r = runtime.data;
  useTitle('Settings');

  async function reload() {
    const done = await attempt(() => post('/api/v1/reload'), 'Settings and certificates were read again.');
    if (done?.later) tell('work', `Changed, and counting from the next start: ${done.later}`);
    if (done) settings.refresh();
  }
  return (
    <>
      <PageHead title="Settings">
        {admin && (
          <Button icon="refresh" onClick={reload}>
            Read settings and certificates again
          </Button>
        )}
      </PageHead>
      <ErrorBox error={runtime.error} onRetry={runtime.refresh} />
      {!r && !runtime.error && <Loading />}
      {r && (
        <Panel id="about" title="This runtime">
          <div class="panel-body">
            <Facts
              rows={[
                ['Name', r.name],
                ['Version', `Waybill ${r.version}`],
                ['Process', String(r.pid)],
                ['Admin', <Copy key="a" text={`${r.admin_tls ? 'https' : 'http'}://${r.admin}`} what="address of the admin server" />],
                ...r.endpoints.map((e, i) => [i === 0 ? 'Listens' : '', <span key={i} class="mono">{`${e.protocol} ${e.host.includes(':') ? `[${e.host}]` : e.host}:${e.port}${e.tls ? ', TLS' : ''}`}</span>]),
              ].map(([k, v], i) => [k || `\u00a0`.repeat(i), v])}
            />
          </div>
        </Panel>
      )}
      <Panel id="settings" title="Settings in force">
        <div class="panel-body">
          <p class="help">
            As <code class="mono">waybill dump</code> prints them: what <code class="mono">waybill.yaml</code> says, and the defaults of the rest. They are changed in that file; passwords are not shown. Partners, identities and processes are under{' '}
            <Link to="/partners">Partners</Link>.
          </p>
          {!admin && <Note icon="key">The settings are for admins.</Note>}
          <ErrorBox error={settings.error} onRetry={settings.refresh} />
          {admin && !settings.data && !settings.error && <Loading />}
          {settings.data && <Yaml text={settings.data.text} />}
        </div>
      </Panel>
    </>
  );
}

export default { path: '/settings', nav: 'Settings', icon: 'settings', key: 'e', component: Settings };
