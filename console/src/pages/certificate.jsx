/* One certificate component: what is in it, who uses it, the next one, its text. */
import './certificates.css';
import { useEffect, useState } from 'preact/hooks';
import { get, post, segment } from '../lib/api.js';
import { fromBase64, saveFile } from '../lib/files.js';
import { usePoll, useTitle } from '../lib/hooks.js';
import { plural } from '../lib/format.js';
import { go, setQuery } from '../lib/router.js';
import { may } from '../lib/session.js';
import { Button, Copy, ErrorBox, Facts, Link, Loading, Note, PageHead, Panel, Time, tell } from '../ui/basic.jsx';
import { ComponentEditor } from '../ui/component_editor.jsx';
import { Dialog } from '../ui/dialog.jsx';
import { ExpiryTimeline } from '../ui/expiry_timeline.jsx';
import { CheckField, SelectField, TextField } from '../ui/form.jsx';
import { ImportDialog } from '../ui/import_dialog.jsx';
import { Tabs, useTab } from '../ui/tabs.jsx';
import { CertificateState, daysText, shortName, UsedBy } from './certificates.jsx';
import { MASKED, remove, Versions } from './component.jsx';

const TABS = [
  ['', 'Certificates'],
  ['change', 'Change'],
];

function Certificate({ name }) {
  const { data, error, refresh } = usePoll((signal) => get('/api/v1/certificates', {}, { signal }), 'certificates', 15000);
  const [dialog, setDialog] = useState(null);
  const part = useTab('part', TABS);
  useTitle(name);
  const all = data?.certificates ?? [];
  const mine = all.filter((c) => c.name === name);
  return (
    <>
      <PageHead title={name} about={<Link to="/certificates">certificate</Link>}>
        {may('admin') && mine.length > 0 && (
          <>
            <Button icon="upload" onClick={() => setDialog('import')}>
              Import the next
            </Button>
            {mine.some((c) => c.has_key) && (
              <Button icon="send" onClick={() => setDialog('send')}>
                Send to a partner
              </Button>
            )}
            <Button icon="down" onClick={() => setDialog('export')}>
              Export
            </Button>
            <Button icon="trash" kind="danger" onClick={() => remove('certificate', name)}>
              Delete
            </Button>
          </>
        )}
      </PageHead>
      <ErrorBox error={error} onRetry={refresh} />
      {!data && !error && <Loading />}
      {data && mine.length === 0 && (
        <Note tone="warn" icon="alert">
          There is no certificate {name}. <Link to="/certificates">All certificates</Link>
        </Note>
      )}
      {mine.length > 0 && <Tabs label="Part" name="part" now={part} tabs={TABS} clear={['view', 'from', 'to']} />}
      {mine.length > 0 && part === '' && (
        <>
          {mine.length > 1 && (
            <Panel id="rollover" title="Roll-over">
              <ExpiryTimeline certificates={mine} to={() => `/certificates/${segment(name)}`} />
            </Panel>
          )}
          {mine.map((c) => (
            <Panel key={c.number} id={`c${c.number}`} title={mine.length > 1 ? `${c.number}. ${shortName(c.subject ?? '')}` : shortName(c.subject ?? '')} actions={<CertificateState c={c} />}>
              <div class="panel-body">
                {c.problem && (
                  <Note tone={c.state === 'ok' || c.state === 'expires' ? 'warn' : 'bad'} icon="alert">
                    {c.problem}
                  </Note>
                )}
                <Facts
                  rows={[
                    ['Subject', c.subject],
                    ['Issuer', c.issuer],
                    ['Serial number', c.serial && <Copy key="s" text={c.serial} what="serial number" />],
                    ['SHA-256', c.sha256 && <Copy key="h" text={c.sha256} what="SHA-256 digest" />],
                    ['Valid from', c.valid_from && <Time at={c.valid_from} full />],
                    ['Valid to', c.valid_to && <><Time at={c.valid_to} full /> <span class="soft">({daysText(c.days_left)})</span></>],
                    ['Private key', c.has_key ? 'ours: it is here' : "none: a partner's, or an authority"],
                    ['Where', c.where && <span class="mono">{c.where}</span>],
                    ['Revocation list due', c.crl_next_update && <><Time at={c.crl_next_update} full />{c.crl_overdue && <span class="cell-bad"> overdue</span>}</>],
                  ]}
                />
              </div>
            </Panel>
          ))}
          <Panel id="users" title="Used by">
            <div class="panel-body">{mine[0].used_by.length > 0 ? <UsedBy users={mine[0].used_by} /> : <p class="none">Nobody refers to it: it may be deleted.</p>}</div>
          </Panel>
        </>
      )}
      {mine.length > 0 && part === 'change' && <Change name={name} onChanged={refresh} />}
      {dialog === 'import' && (
        <ImportDialog
          existing={all.map((c) => c.name)}
          name={name}
          onClose={() => setDialog(null)}
          onDone={() => {
            setDialog(null);
            refresh();
          }}
        />
      )}
      {dialog === 'send' && <SendToPartner name={name} onClose={() => setDialog(null)} />}
      {dialog === 'export' && <ExportDialog name={name} list={mine} onClose={() => setDialog(null)} />}
    </>
  );
}

function Change({ name, onChanged }) {
  const [component, setComponent] = useState(null);
  const [error, setError] = useState(null);
  const [draft, setDraft] = useState(null);
  async function load() {
    setError(null);
    try {
      setComponent(await get(`/api/v1/components/certificate/${segment(name)}`, MASKED));
      setDraft(null);
      onChanged();
    } catch (e) {
      setError(e);
    }
  }
  useEffect(() => {
    load();
  }, [name]);
  if (error) return <ErrorBox error={error} onRetry={load} />;
  if (!component) return <Loading />;
  const use = (text) => {
    setDraft(text);
    setQuery({ view: 'text', from: '', to: '' });
  };
  const versions = { id: 'versions', title: 'Versions', content: <Versions kind="certificate" name={name} now={component} use={use} /> };
  return <ComponentEditor key={component.version} kind="certificate" name={name} start={component.text} version={component.version} draft={draft} extra={[versions]} onSaved={load} onReload={load} />;
}

/* By Odette's certificate exchange: the newest valid one goes as a file over OFTP2. */
function SendToPartner({ name, onClose }) {
  const { data, error: unread } = usePoll((signal) => get('/api/v1/components', { kind: 'partner' }, { signal }), 'partners');
  const [partner, setPartner] = useState('');
  const [what, setWhat] = useState('deliver');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const partners = (data?.components ?? []).map((c) => c.name).sort();

  async function run(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const { documents } = await post(`/api/v1/partners/${segment(partner)}/certificates`, { query: { what, certificate: name } });
      tell('good', `${name} goes to ${partner} as ${plural(documents.length, 'document')}.`);
      onClose();
      go(documents.length === 1 ? `/documents/${documents[0].id}` : `/documents?partner=${segment(partner)}&direction=out`);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  }
  return (
    <Dialog title={`Send ${name} to a partner`} onClose={() => !busy && onClose()}>
      <form onSubmit={run}>
        <p class="dialog-text">The newest valid one, without its key, goes over OFTP2 by certificate exchange. To partners of AS2 alone, send what Export gives.</p>
        <ErrorBox error={unread} />
        <SelectField label="Partner" value={partner} onValue={setPartner} required options={[['', 'choose one'], ...partners]} />
        <SelectField
          label="What it is told"
          value={what}
          onValue={setWhat}
          options={[
            ['deliver', 'deliver: a new one; the old one stays valid until it expires'],
            ['replace', 'replace: the old one must not be used from now on'],
            ['request', 'request: a new one, and send me yours'],
          ]}
        />
        <ErrorBox error={error} />
        <div class="dialog-foot">
          <Button onClick={onClose} disabled={busy}>
            Do nothing
          </Button>
          <Button kind="primary" type="submit" busy={busy}>
            Send
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function ExportDialog({ name, list, onClose }) {
  const [number, setNumber] = useState(String(list[0].number));
  const [form, setForm] = useState('pem');
  const [chain, setChain] = useState(true);
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const chosen = list.find((c) => String(c.number) === number);
  const forms = [['pem', 'certificate, PEM'], ...(chosen?.has_key ? [['key', 'certificate and encrypted private key, PEM'], ['pkcs12', 'certificate and private key, PKCS#12']] : [])];
  const secret = form !== 'pem';

  async function run(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const got = await post(`/api/v1/certificates/${segment(name)}/export`, {
        json: { number: Number(number), chain, ...(form === 'key' ? { key: true, password } : {}), ...(form === 'pkcs12' ? { pkcs12: true, password } : {}) },
      });
      if (form === 'pkcs12') saveFile(`${name}.p12`, fromBase64(got.pkcs12), 'application/x-pkcs12');
      else saveFile(`${name}.pem`, (got.certificate ?? '') + (got.key ?? ''), 'application/x-pem-file');
      onClose();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  }
  return (
    <Dialog title={`Export ${name}`} onClose={onClose}>
      <form onSubmit={run}>
        {list.length > 1 && <SelectField label="Which" value={number} onValue={setNumber} options={list.map((c) => [String(c.number), `${c.number}. ${shortName(c.subject ?? '')}, until ${c.valid_to?.slice(0, 10)}`])} />}
        <SelectField label="As" value={form} onValue={setForm} options={forms} />
        <CheckField label="With its issuers" value={chain} onValue={setChain} />
        {secret && <TextField label="Password to encrypt the key with" type="password" autocomplete="new-password" required value={password} onValue={setPassword} help="whoever opens the file needs it" />}
        <ErrorBox error={error} />
        <div class="dialog-foot">
          <Button onClick={onClose}>Do nothing</Button>
          <Button kind="primary" icon="down" type="submit" busy={busy}>
            Download
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

export default { path: '/certificates/:name', component: ({ name }) => <Certificate key={name} name={name} /> };
