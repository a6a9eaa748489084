/* Certificates: ours and partners', by when they end. */
import './certificates.css';
import { useEffect, useState } from 'preact/hooks';
import { get, post, segment } from '../lib/api.js';
import { CERTIFICATE_FILES } from '../lib/files.js';
import { plural } from '../lib/format.js';
import { usePoll, useTitle } from '../lib/hooks.js';
import { place, setQuery } from '../lib/router.js';
import { may } from '../lib/session.js';
import { Button, Empty, ErrorBox, Link, Loading, PageHead, Panel, State, Time } from '../ui/basic.jsx';
import { confirm } from '../ui/dialog.jsx';
import { DropZone } from '../ui/drop_zone.jsx';
import { ExpiryTimeline } from '../ui/expiry_timeline.jsx';
import { Icon } from '../ui/icons.jsx';
import { ImportDialog } from '../ui/import_dialog.jsx';
import { Table } from '../ui/table.jsx';

const STATES = {
  ok: ['good', 'check'],
  expires: ['warn', 'clock'],
  expired: ['bad', 'cross'],
  revoked: ['bad', 'cross'],
  'not yet valid': ['idle', 'clock'],
  unusable: ['bad', 'alert'],
};

export function CertificateState({ c }) {
  const [tone, icon] = STATES[c.state] ?? ['idle', 'dots'];
  return (
    <State tone={tone} icon={icon}>
      {c.state}
    </State>
  );
}

export const daysText = (n) => (n < 0 ? `over for ${plural(-n, 'day')}` : plural(n, 'day'));
/* CN of a subject, as it is shown. */
export const shortName = (subject) => /(?:^|,\s*)CN\s*=\s*([^,]+)/.exec(subject)?.[1] ?? subject;

const columns = [
  {
    id: 'name',
    title: 'Name',
    class: 'nowrap',
    cell: (c) => (
      <>
        <Link to={`/certificates/${segment(c.name)}`}>{c.name}</Link>
        {c.number > 1 && <span class="soft"> ({c.number})</span>}
        {c.has_key && (
          <span class="soft" title="with its private key: ours">
            {' '}
            <Icon name="key" size={13} />
            <span class="hidden">ours, with its private key</span>
          </span>
        )}
      </>
    ),
  },
  {
    id: 'subject',
    title: 'Subject',
    cell: (c) => (
      <>
        <span title={c.subject}>{shortName(c.subject ?? '')}</span>
        {c.problem && <div class="cell-bad">{c.problem}</div>}
      </>
    ),
  },
  { id: 'state', title: 'State', narrow: true, plain: true, cell: (c) => <CertificateState c={c} /> },
  { id: 'left', title: 'Left', right: true, narrow: true, cell: (c) => (c.valid_to ? daysText(c.days_left) : '') },
  { id: 'to', title: 'Ends', narrow: true, hide: 'small', cell: (c) => <Time at={c.valid_to} full /> },
  { id: 'users', title: 'Used by', hide: 'small', cell: (c) => (c.used_by.length === 0 ? <span class="none">nobody</span> : <UsedBy users={c.used_by} most={4} />) },
];

/* "partner acme: signature_verification_certificate" with a link, all of one component together. */
export function UsedBy({ users, most = Infinity }) {
  const by = new Map();
  for (const u of users) {
    const m = /^(partner|identity|process|certificate) ([^:\s]+)(?:: *(.*))?$/.exec(u);
    const who = m ? `${m[1]} ${m[2]}` : u;
    by.set(who, [...(by.get(who) ?? []), ...(m?.[3] ? [m[3]] : [])]);
  }
  const shown = [...by].slice(0, most);
  return (
    <ul class="users-list">
      {shown.map(([who, settings]) => {
        const [kind, name] = who.split(' ');
        const to = kind === 'certificate' ? '/certificates' : ['partner', 'identity', 'process'].includes(kind) ? `/partners/${kind}` : null;
        return (
          <li key={who}>
            {to && name ? (
              <>
                <span class="soft">{kind}</span> <Link to={`${to}/${segment(name)}`}>{name}</Link>
              </>
            ) : (
              <span class="mono">{who}</span>
            )}
            {most === Infinity
              ? settings.map((x) => (
                  <div key={x} class="cell-sub mono">
                    {x}
                  </div>
                ))
              : settings.length > 0 && (
                  <span class="soft" title={settings.join('\n')}>
                    , {plural(settings.length, 'setting')}
                  </span>
                )}
          </li>
        );
      })}
      {by.size > shown.length && <li class="soft">and {by.size - shown.length} more</li>}
    </ul>
  );
}

function Certificates() {
  const { query } = place.use();
  const { data, error, refresh } = usePoll((signal) => get('/api/v1/certificates', {}, { signal }), 'certificates', 15000);
  const [files, setFiles] = useState(null);
  useTitle('Certificates');
  const all = [...(data?.certificates ?? [])].sort((a, b) => a.days_left - b.days_left || (a.name < b.name ? -1 : 1));
  const names = [...new Set(all.map((c) => c.name))];
  const text = (query.q ?? '').toLowerCase();
  const rows = all.filter((c) => (!query.state || c.state === query.state) && (text === '' || [c.name, c.subject, c.issuer, c.serial, c.sha256, ...c.used_by].some((t) => (t ?? '').toLowerCase().includes(text))));
  const counts = new Map();
  for (const c of all) counts.set(c.state, (counts.get(c.state) ?? 0) + 1);
  const admin = may('admin');
  useEffect(() => {
    if (!admin) return undefined;
    const dropped = (e) => e.dataTransfer?.files.length > 0 && !document.querySelector('dialog[open]') && setFiles([...e.dataTransfer.files]);
    addEventListener('drop', dropped);
    return () => removeEventListener('drop', dropped);
  }, [admin]);
  return (
    <>
      <PageHead title="Certificates" about="Ours, with their private keys, and those of partners; the first to end are first.">
        {may('admin') && (
          <Button kind="primary" icon="upload" onClick={() => setFiles([])}>
            Import
          </Button>
        )}
      </PageHead>
      <Pending />
      <ErrorBox error={error} onRetry={refresh} />
      {!data && !error && <Loading />}
      {data && all.length === 0 && (
        <Empty icon="certificates" title="There is no certificate yet">
          {may('admin') && (
            <DropZone onFiles={setFiles} label="Files with certificate and key" accept={CERTIFICATE_FILES} multiple>
              Drop one here, or make our own on the machine of the runtime: <code class="mono">waybill certificates generate</code>
            </DropZone>
          )}
        </Empty>
      )}
      {all.length > 0 && (
        <>
          <Panel id="timeline" title="When they end">
            <ExpiryTimeline certificates={all.slice(0, 40)} to={(c) => `/certificates/${segment(c.name)}`} />
          </Panel>
          <div class="bar">
            <div class="chips" role="group" aria-label="State">
              <button type="button" class="chip" aria-pressed={!query.state} onClick={() => setQuery({ state: '' })}>
                all <span class="count">{all.length}</span>
              </button>
              {[...counts].map(([s, n]) => (
                <button key={s} type="button" class="chip" aria-pressed={query.state === s} onClick={() => setQuery({ state: query.state === s ? '' : s })}>
                  {s} <span class="count">{n}</span>
                </button>
              ))}
            </div>
            <input type="search" aria-label="Search certificates" placeholder="Search name, subject, user" value={query.q ?? ''} onInput={(e) => setQuery({ q: e.target.value })} />
          </div>
          {rows.length > 0 ? (
            <Table caption="Certificates" columns={columns} rows={rows} rowKey={(c) => `${c.name}/${c.number}`} />
          ) : (
            <Empty icon="certificates" title="No certificate fits">
              <Button onClick={() => setQuery({ q: '', state: '' })}>Show all</Button>
            </Empty>
          )}
        </>
      )}
      {files && (
        <ImportDialog
          existing={names}
          files={files}
          onClose={() => setFiles(null)}
          onDone={() => {
            setFiles(null);
            refresh();
          }}
        />
      )}
    </>
  );
}

/* Those that partners sent, and that wait for somebody to decide. */
function Pending() {
  const { data, refresh } = usePoll((signal) => get('/api/v1/exchange', {}, { signal }), 'exchange', 15000);
  if (!data || data.certificates.length === 0) return null;
  async function decide(c, what) {
    const yes = what === 'acknowledge';
    const done = await confirm({
      title: yes ? `Accept the certificate of ${c.partner}?` : `Refuse the certificate of ${c.partner}?`,
      text: (
        <>
          <p>{c.subject}</p>
          <p class="mono">SHA-256 {c.sha256}</p>
          {yes && <p>Compare the digest with what the partner tells you by another way, such as the telephone.</p>}
        </>
      ),
      action: yes ? 'Accept' : 'Refuse',
      danger: !yes,
      field: yes ? undefined : { label: 'Reason, which the partner is told' },
      run: (text) => post(`/api/v1/documents/${c.document}/${what}`, { query: { text } }),
    });
    if (done) refresh();
  }
  return (
    <Panel id="pending" title={`Sent by partners: ${plural(data.certificates.length, 'certificate waits', 'certificates wait')} for a decision`}>
      <Table
        caption="Certificates that wait for a decision"
        rows={data.certificates}
        rowKey={(c) => c.document}
        columns={[
          { id: 'partner', title: 'Partner', cell: (c) => c.partner },
          { id: 'kind', title: 'Kind', cell: (c) => c.kind },
          { id: 'subject', title: 'Subject', cell: (c) => <>{c.subject}{c.note && <div class="cell-sub">{c.note}</div>}</> },
          { id: 'ends', title: 'Ends', narrow: true, cell: (c) => <Time at={c.not_after} full /> },
          { id: 'received', title: 'Received', narrow: true, cell: (c) => <Link to={`/documents/${c.document}`}><Time at={c.received} /></Link> },
          ...(may('operator')
            ? [{ id: 'do', name: 'Actions', narrow: true, cell: (c) => (
                <span class="row-actions">
                  <Button icon="check" onClick={() => decide(c, 'acknowledge')}>Accept</Button>
                  <Button icon="cross" onClick={() => decide(c, 'reject')}>Refuse</Button>
                </span>
              ) }]
            : []),
        ]}
      />
    </Panel>
  );
}

export default { path: '/certificates', nav: 'Certificates', icon: 'certificates', key: 'c', component: Certificates };
