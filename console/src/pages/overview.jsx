/* How it is doing, at one look. */
import './overview.css';
import { useMemo, useRef } from 'preact/hooks';
import { get } from '../lib/api.js';
import { clockText, countText, inUtc, plural, sizeText, spanText } from '../lib/format.js';
import { usePoll, useTitle } from '../lib/hooks.js';
import { may } from '../lib/session.js';
import { Command, Empty, ErrorBox, Link, Loading, PageHead, Panel, Time } from '../ui/basic.jsx';
import { Bars } from '../ui/chart.jsx';
import { Icon } from '../ui/icons.jsx';
import { Direction, DocumentState } from '../ui/states.jsx';
import { Table } from '../ui/table.jsx';

const sum = (o) => Object.values(o).reduce((a, b) => a + b, 0);
const failuresOf = (f) => sum(f.in) + sum(f.out);

function Overview() {
  useTitle('Overview');
  const { data: o, error, refresh } = usePoll((signal) => get('/api/v1/overview', {}, { signal }), 'overview', 2000);
  const latest = usePoll((signal) => get('/api/v1/documents', { limit: 8 }, { signal }), 'latest', 3000);
  return (
    <>
      <PageHead
        title="Overview"
        about={o && (
          <>
            Running since <Time at={o.started} full /> ({spanText(new Date(o.now) - new Date(o.started))})
          </>
        )}
      />
      <ErrorBox error={error} onRetry={refresh} />
      {!o && !error && <Loading />}
      {o && (
        <>
          <Tiles o={o} />
          <Attention o={o} />
          <Panel title="Documents per minute, the last hour" id="per-minute" actions={<Rates o={o} />}>
            <div class="panel-body">
              <Minutes minutes={o.minutes} />
            </div>
          </Panel>
        </>
      )}
      <Panel title="Latest documents" id="latest" actions={<Link to="/documents">All documents</Link>}>
        <ErrorBox error={latest.error} />
        {latest.data?.documents.length === 0 && (
          <Empty title="No document yet">
            <p>Documents that partners send appear here by themselves.</p>
            {o && o.listeners.listening + o.listeners.paused + o.listeners.errored === 0 && <FirstSteps />}
          </Empty>
        )}
        {latest.data?.documents.length > 0 && <Table caption="Latest documents" columns={columns} rows={latest.data.documents} />}
      </Panel>
    </>
  );
}

/* Of a runtime where nothing is deployed yet. */
export function FirstSteps() {
  return may('admin') ? (
    <>
      <p>
        To begin, make our <Link to="/partners/new/identity">identity</Link>, then the first <Link to="/partners/new/partner">partner</Link>, then the <Link to="/partners/new/process">process</Link> its documents are for.
      </p>
      <p>The same from files:</p>
      <Command>waybill apply -f components.yaml</Command>
    </>
  ) : (
    <p>There is no process yet that listens for any: an admin makes identity, partner and process, on Partners.</p>
  );
}

const columns = [
  { id: 'state', title: 'State', narrow: true, plain: true, cell: (d) => <DocumentState state={d.state} /> },
  { id: 'direction', title: 'Way', narrow: true, plain: true, cell: (d) => <Direction direction={d.direction} /> },
  { id: 'name', title: 'Document', class: 'name-cell', cell: (d) => <Link to={`/documents/${d.id}`}>{d.name || `document ${d.id}`}</Link> },
  { id: 'partner', title: 'Partner', class: 'nowrap', cell: (d) => d.partner ?? <span class="mono">{d.peer}</span> },
  { id: 'size', title: 'Size', narrow: true, right: true, cell: (d) => sizeText(d.size || d.raw_size) },
  { id: 'changed', title: 'Changed', narrow: true, cell: (d) => <Time at={d.changed} /> },
];

/* ---- tiles ---- */

function Tile({ title, icon, value, tone = '', to, children }) {
  return (
    <li class={`tile ${tone}`}>
      <h2>
        <Icon name={icon} />
        {title}
      </h2>
      <p class="tile-value">{to ? <Link to={to} aria-label={`${title}: ${value}`}>{value}</Link> : value}</p>
      <p class="tile-more">{children}</p>
    </li>
  );
}

function Part({ n, to, tone = '', children }) {
  const text = `${countText(n)} ${children}`;
  return (
    <span class={`part ${n > 0 ? tone : ''}`}>{to && n > 0 ? <Link to={to}>{text}</Link> : text}</span>
  );
}

function Tiles({ o }) {
  const { listeners: l, documents: d } = o;
  const work = d.receiving + d.received + d.opened + d.processing + d.queued + d.sealed + d.sending;
  const hour = failuresOf(o.failures_hour);
  const day = failuresOf(o.failures_day);
  const since = (hours) => `from=${new Date(new Date(o.now).getTime() - hours * 3600000).toISOString().slice(0, 17)}00Z`;
  const kinds = ['failed', 'refused', 'rejected', 'overdue'].map((k) => [k, (o.failures_hour.in[k] ?? 0) + (o.failures_hour.out[k] ?? 0)]);
  const gone = o.certificates_expiring.filter((c) => c.days_left < 0).length;
  return (
    <ul class="tiles">
      <Tile title="Listeners" icon="listeners" value={countText(l.listening + l.paused + l.errored)} to="/listeners" tone={l.errored ? 'bad' : l.paused ? 'warn' : 'good'}>
        <Part n={l.listening} to="/listeners?state=listening">listening</Part>
        <Part n={l.paused} to="/listeners?state=paused" tone="warn">paused</Part>
        <Part n={l.errored} to="/listeners?state=errored" tone="bad">errored</Part>
      </Tile>
      <Tile title="Under way" icon="documents" value={countText(work)} to="/documents">
        <Part n={d.receiving + d.received + d.opened + d.processing}>coming in</Part>
        <Part n={d.queued + d.sealed + d.sending}>going out</Part>
        <Part n={d.sent} to="/documents?state=sent">await a receipt</Part>
        {o.documents_held > 0 && <Part n={o.documents_held} to="/documents?held=true" tone="warn">{o.documents_held === 1 ? 'waits to be released' : 'wait to be released'}</Part>}
      </Tile>
      <Tile title="Failures" icon="alert" value={countText(hour)} to="/documents?state=failed" tone={hour ? 'bad' : 'good'}>
        <span>in the last hour</span>
        {kinds.map(([k, n]) => n > 0 && <Part key={k} n={n} to={`/documents?state=${k}&${since(24)}`}>{k}</Part>)}
        <Part n={day}>in 24 hours</Part>
        <Part n={d.failed} to="/documents?state=failed" tone="bad">to be looked at</Part>
      </Tile>
      <Tile title="Overdue" icon="clock" value={countText(o.receipts_overdue)} to="/documents?state=overdue" tone={o.receipts_overdue ? 'warn' : 'good'}>
        {o.receipts_overdue ? 'receipts have not come in time' : 'no receipt is missing'}
      </Tile>
      <Tile title="Certificates" icon="certificates" value={countText(o.certificates_expiring.length)} to="/certificates" tone={gone ? 'bad' : o.certificates_expiring.length ? 'warn' : 'good'}>
        {o.certificates_expiring.length > 0 ? 'to renew' : 'none expires soon'}
        {gone > 0 && <Part n={gone} tone="bad">expired</Part>}
        {o.certificates_expiring.length === 0 ? null : <Soonest list={o.certificates_expiring} />}
      </Tile>
      <Tile title="Sessions" icon="sessions" value={countText(o.sessions + o.as2_connections)} to="/sessions">
        <Part n={o.sessions}>OFTP2</Part>
        <Part n={o.as2_connections}>AS2</Part>
      </Tile>
    </ul>
  );
}

function Soonest({ list }) {
  const next = list.filter((c) => c.days_left >= 0).sort((a, b) => a.days_left - b.days_left)[0];
  return next ? <span class="part warn">{`${next.name} in ${plural(next.days_left, 'day')}`}</span> : null;
}

/* ---- what somebody should look at ---- */

function Attention({ o }) {
  const points = [];
  const add = (tone, text, to, action) => points.push({ tone, text, to, action });

  if (!o.ready) add('warn', 'The runtime does not take work now: it starts or stops.');
  if (o.listeners.errored) add('bad', `${plural(o.listeners.errored, 'listener does', 'listeners do')} not listen because of an error.`, '/listeners?state=errored', 'See why');
  if (o.listeners.paused) add('warn', `${plural(o.listeners.paused, 'listener is', 'listeners are')} paused: documents for ${o.listeners.paused === 1 ? 'it' : 'them'} are turned away.`, '/listeners?state=paused', 'See them');
  if (o.documents.failed) add('bad', `${plural(o.documents.failed, 'document')} failed and can be tried again.`, '/documents?state=failed', 'See them');
  if (o.documents_held) add('warn', `${plural(o.documents_held, 'received document waits', 'received documents wait')} for somebody to release or refuse the receipt.`, '/documents?held=true', 'See them');
  if (o.receipts_overdue) add('warn', `${plural(o.receipts_overdue, 'receipt is', 'receipts are')} overdue.`, '/documents?state=overdue', 'See them');
  for (const c of [...o.certificates_expiring].sort((a, b) => a.days_left - b.days_left).slice(0, 4))
    add(
      c.days_left < 0 ? 'bad' : 'warn',
      c.days_left < 0 ? `Certificate ${c.name} expired ${plural(-c.days_left, 'day')} ago.` : `Certificate ${c.name} expires in ${plural(c.days_left, 'day')}.`,
      `/certificates/${encodeURIComponent(c.name)}`,
      'Renew',
    );
  if (o.store.disk_total > 0 && o.store.disk_free < Math.min(o.store.disk_total / 20, 20e9))
    add('bad', `The disk of the data directory has ${sizeText(o.store.disk_free)} left.`);
  if (o.store.failed) add('bad', `The store could not write ${plural(o.store.failed, 'time')} since the start: see the log.`);
  if (points.length === 0) return null;
  return (
    <Panel title="To be looked at" id="attention">
      <ul class="attention">
        {points.map((p) => (
          <li key={p.text} class={p.tone}>
            <Icon name={p.tone === 'bad' ? 'cross' : 'alert'} />
            <span>{p.text}</span>
            {p.to && <Link to={p.to} aria-label={`${p.action}: ${p.text}`}>{p.action}</Link>}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/* ---- the chart ---- */

const series = [
  { id: 'in', name: 'received' },
  { id: 'out', name: 'sent' },
  { id: 'bad', name: 'failed' },
];

function Minutes({ minutes }) {
  const utc = inUtc.use();
  const points = useMemo(
    () =>
      minutes.map((m) => {
        const d = new Date(m.at);
        const clock = clockText(d).slice(0, 5);
        return {
          label: clock,
          tick: d.getMinutes() % 10 === 0 ? clock : '',
          values: [m.in.received, m.out.sent, m.in.refused + m.in.failed + m.out.rejected + m.out.failed + m.out.overdue],
        };
      }),
    [minutes, utc],
  );
  return <Bars caption="Documents per minute, the last hour" points={points} series={series} />;
}

/* From one answer to the next. */
function Rates({ o }) {
  const before = useRef(o);
  const rates = useRef({ in: 0, out: 0 });
  const last = o.minutes[o.minutes.length - 1];
  if (before.current !== o) {
    const s = (new Date(o.now) - new Date(before.current.now)) / 1000;
    if (s > 0)
      rates.current = {
        in: Math.max(0, o.octets_in - before.current.octets_in) / s,
        out: Math.max(0, o.octets_out - before.current.octets_out) / s,
      };
    before.current = o;
  }
  return (
    <span class="rates soft">
      <span>↓ {sizeText(Math.round(rates.current.in))}/s</span>
      <span>↑ {sizeText(Math.round(rates.current.out))}/s</span>
      <span title="how long the store takes to make something safe, this minute">commit {last.commits ? `${(last.commit_us / 1000).toFixed(1)} ms` : '–'}</span>
      <span>{plural(o.jobs.open, 'job')} open</span>
    </span>
  );
}

export default { path: '/', nav: 'Overview', icon: 'overview', key: 'o', component: Overview };
