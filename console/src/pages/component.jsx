/* One partner, identity or process. */
import { useEffect, useState } from 'preact/hooks';
import { del, get, post, segment } from '../lib/api.js';
import { timeText } from '../lib/format.js';
import { usePoll, useTitle } from '../lib/hooks.js';
import { go, place, setQuery } from '../lib/router.js';
import { may } from '../lib/session.js';
import { attempt, Button, ErrorBox, Link, Loading, Note, PageHead, Time } from '../ui/basic.jsx';
import { confirm } from '../ui/dialog.jsx';
import { ComponentEditor } from '../ui/component_editor.jsx';
import { Diff } from '../ui/diff.jsx';
import { SelectField } from '../ui/form.jsx';
import { Icon } from '../ui/icons.jsx';
import { SendDialog } from '../ui/send_dialog.jsx';
import { TestDialog } from '../ui/test_dialog.jsx';
import './partners.css';

/* Secrets do not come here: what is sent back as it came stays as it is. */
export const MASKED = { masked: 1 };

function Component({ kind, name }) {
  const [component, setComponent] = useState(null);
  const [error, setError] = useState(null);
  const [draft, setDraft] = useState(null);
  const [test, setTest] = useState(false);
  const [sending, setSending] = useState(false);
  useTitle(name);

  async function load() {
    setError(null);
    try {
      setComponent(await get(`/api/v1/components/${kind}/${segment(name)}`, MASKED));
      setDraft(null);
    } catch (e) {
      setError(e);
    }
  }
  useEffect(() => {
    load();
  }, [kind, name]);
  function use(text) {
    setDraft(text);
    setQuery({ view: 'text', from: '', to: '' });
  }
  const versions = { id: 'versions', title: 'Versions', content: <Versions key={component?.version} {...{ kind, name, now: component, use }} /> };
  return (
    <>
      <PageHead
        title={name}
        about={
          <>
            <Link to={kind === 'certificate' ? '/certificates' : `/partners${kind === 'partner' ? '' : `?kind=${kind}`}`}>{kind}</Link>
            {component && (
              <>
                , version {component.version}, changed <Time at={component.at} />
              </>
            )}
          </>
        }
      >
        {kind === 'partner' && (
          <Link class="button" to={`/documents?partner=${segment(name)}`}>
            <Icon name="documents" />
            Documents
          </Link>
        )}
        {kind === 'partner' && may('operator') && (
          <>
            <Link class="button" to={`/sessions?trace=${segment(name)}`}>
              <Icon name="search" />
              Trace
            </Link>
            <Button icon="sessions" onClick={() => attempt(() => post(`/api/v1/partners/${segment(name)}/call`), `Partner ${name} is being called: see Sessions.`)}>
              Call now
            </Button>
            <Button icon="check" onClick={() => setTest(true)}>
              Test connection
            </Button>
            <Button icon="upload" onClick={() => setSending(true)}>
              Send
            </Button>
          </>
        )}
        {may('admin') && (
          <Button icon="trash" kind="danger" onClick={() => remove(kind, name, component?.version, load)}>
            Delete
          </Button>
        )}
      </PageHead>
      {kind === 'process' && <ListenerNote name={name} />}
      {error?.status === 404 ? (
        <>
          <Note tone="warn" icon="alert">
            {error.message}
          </Note>
          <h2>Versions there were</h2>
          <Versions {...{ kind, name, now: null }} use={null} />
        </>
      ) : (
        <ErrorBox error={error} onRetry={load} />
      )}
      {!component && !error && <Loading />}
      {component && (
        <ComponentEditor key={`${kind}/${name}/${component.version}`} {...{ kind, name, draft }} start={component.text} version={component.version} extra={[versions]} onSaved={load} onReload={load} />
      )}
      {test && <TestDialog name={name} onClose={() => setTest(false)} />}
      {sending && <SendDialog partner={name} onClose={() => setSending(false)} />}
    </>
  );
}

/* version: that was seen, if any; onChanged: it is another one now. */
export async function remove(kind, name, version, onChanged) {
  const gone = await confirm({
    title: `Delete ${kind} ${name}?`,
    text:
      kind === 'process'
        ? 'Its listener ends: what the partner sends is refused from then on. Documents and versions are kept.'
        : `Nothing can refer to it from then on. Its versions are kept. It stays when others refer to it.`,
    action: `Delete ${kind}`,
    danger: true,
    run: async () => {
      try {
        await del(`/api/v1/components/${kind}/${segment(name)}`, { seen: version });
      } catch (e) {
        if (e.status === 412) onChanged?.();
        throw e;
      }
    },
  });
  if (gone) go(kind === 'certificate' ? '/certificates' : `/partners${kind === 'partner' ? '' : `?kind=${kind}`}`);
}

function ListenerNote({ name }) {
  const { data } = usePoll((signal) => get('/api/v1/listeners', {}, { signal }), 'listeners', 5000);
  const l = data?.listeners.find((x) => x.name === name);
  if (!l || l.state === 'listening') return null;
  return (
    <Note tone={l.state === 'errored' ? 'bad' : 'warn'} icon={l.state === 'errored' ? 'alert' : 'pause'}>
      This process is {l.state}. {l.reason}
    </Note>
  );
}

/* ---- versions ---- */

export function Versions({ kind, name, now, use }) {
  const { query } = place.use();
  const base = `/api/v1/components/${kind}/${segment(name)}`;
  const list = usePoll((signal) => get(`${base}/versions`, {}, { signal }), `${base}/versions`);
  const versions = list.data?.versions ?? [];
  const to = Number(query.to) || versions[0]?.version;
  const from = Number(query.from) || (to > 1 ? to - 1 : to);
  const diff = usePoll(versions.length > 1 ? (signal) => get(`${base}/diff`, { from, to, ...MASKED }, { signal }) : null, `${base}/${from}/${to}/${versions.length}`);
  const options = versions.map((v) => [String(v.version), `${v.version} – ${timeText(v.at, { full: true })}`]);

  async function restore() {
    const v = await attempt(() => get(`${base}/versions/${from}`, MASKED));
    if (v) use(v.text);
  }
  if (list.error) return <ErrorBox error={list.error} onRetry={list.refresh} />;
  if (!list.data) return <Loading />;
  if (versions.length === 1)
    return (
      <p class="none">
        This is the only version, of <Time at={versions[0].at} full />.
      </p>
    );
  return (
    <div class="versions">
      <div class="bar">
        <SelectField label="From version" value={String(from)} options={options} onValue={(v) => setQuery({ from: v })} />
        <SelectField label="to version" value={String(to)} options={options} onValue={(v) => setQuery({ to: v })} />
        {use && may('admin') && now && from !== now.version && (
          <Button icon="restart" onClick={restore}>
            Change back to version {from}…
          </Button>
        )}
      </div>
      {use && may('admin') && now && from !== now.version && <p class="help">Passwords are not part of it: they stay as they are now.</p>}
      <ErrorBox error={diff.error} />
      {diff.data && <Diff key={`${from}-${to}`} lines={diff.data.lines} />}
    </div>
  );
}

/* ---- a new one ---- */

const STARTS = {
  partner: 'partner: ""\n',
  identity: 'identity: ""\n',
  process: 'process: ""\nstart:\n  listen: oftp2-server\n  operation:\n    from:\n      partner: ""\n    to:\n      identity: ""\n',
};

function NewComponent({ kind }) {
  useTitle(`New ${kind}`);
  if (!(kind in STARTS)) return <ErrorBox error={new Error(`'${kind}' is no kind: partner, identity or process`)} />;
  return (
    <>
      <PageHead title={`New ${kind}`} />
      {may('admin') ? (
        <ComponentEditor key={kind} kind={kind} name={null} start={STARTS[kind]} onSaved={(k, n) => go(`/partners/${k}/${segment(n)}`)} />
      ) : (
        <Note icon="key">Only an admin makes components.</Note>
      )}
    </>
  );
}

export const newComponent = { path: '/partners/new/:kind', component: NewComponent };
export default { path: '/partners/:kind/:name', component: ({ kind, name }) => <Component key={`${kind}/${name}`} {...{ kind, name }} /> };
