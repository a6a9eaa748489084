/* One document: what it is, its timeline, receipts, executions, jobs and properties, its octets, and
 * what can be done about it. */
import './document.css';
import { useState } from 'preact/hooks';
import { get } from '../lib/api.js';
import { exactSize, sizeText, spanText } from '../lib/format.js';
import { usePoll, useTitle } from '../lib/hooks.js';
import { decodeCommand, decodeMdn, mdnText, octetsOf } from '../lib/receipts.js';
import { may } from '../lib/session.js';
import { Button, Copy, Empty, ErrorBox, Facts, Link, Loading, PageHead, Panel, State, Time } from '../ui/basic.jsx';
import { actions, awaitsRelease, run, useManual } from '../ui/document_actions.jsx';
import { Icon } from '../ui/icons.jsx';
import { DocumentState } from '../ui/states.jsx';
import { Table } from '../ui/table.jsx';

function Document({ id }) {
  const settled = useState(false);
  const { data: d, error, refresh } = usePoll(
    async (signal) => {
      const found = await get(`/api/v1/documents/${encodeURIComponent(id)}`, {}, { signal });
      settled[1](found.jobs.length === 0);
      return found;
    },
    id,
    settled[0] ? 5000 : 1500,
  );
  const manual = useManual(d ? [d] : []);
  useTitle(d ? `${d.name || 'document'} ${d.id}` : `Document ${id}`);

  if (!d)
    return (
      <>
        <PageHead title={`Document ${id}`} />
        {error?.status === 404 ? (
          <Empty icon="search" title={error.message}>
            <Link to="/documents">All documents</Link>
          </Empty>
        ) : error ? (
          <ErrorBox error={error} onRetry={refresh} />
        ) : (
          <Loading />
        )}
      </>
    );
  return (
    <>
      <p class="crumb">
        <Link to="/documents">Documents</Link> / {d.id}
      </p>
      <PageHead title={d.name || `Document ${d.id}`} about={<Headline d={d} />}>
        <Actions d={d} manual={manual} refresh={refresh} />
      </PageHead>
      <ErrorBox error={error} onRetry={refresh} />
      {d.reason && (
        <div class={`note ${d.state === 'overdue' ? 'warn' : 'bad'}`}>
          <Icon name="alert" />
          <p>{d.reason}</p>
        </div>
      )}
      {(d.state === 'receiving' || d.state === 'sending') && d.total > 0 && (
        <p class="progress">
          <progress max={d.total} value={Math.min(d.progress, d.total)} aria-label="Transferred" />
          <span>
            {sizeText(d.progress)} of {sizeText(d.total)}
          </span>
        </p>
      )}
      <div class="document-columns">
        <div>
          <Panel title="Timeline" id="timeline">
            <Timeline events={d.events} />
          </Panel>
          <Receipts receipts={d.receipts} d={d} manual={manual} />
          <Executions list={d.executions} />
          <Jobs list={d.jobs} />
          <Properties properties={d.properties} />
        </div>
        <div>
          <Panel title="Document" id="facts">
            <div class="panel-body">
              <Summary d={d} />
            </div>
          </Panel>
          {d.tracked.length > 0 && (
            <Panel title="Tracked fields" id="tracked">
              <div class="panel-body">
                <Facts rows={d.tracked.map((t) => [t.label, <Copy text={t.value} what={t.label} />])} />
              </div>
            </Panel>
          )}
        </div>
      </div>
    </>
  );
}

function Headline({ d }) {
  return (
    <span class="headline">
      <DocumentState state={d.state} />
      <span>
        {d.direction === 'in' ? 'from' : 'to'} {d.partner ? <Link to={`/partners/partner/${encodeURIComponent(d.partner)}`} class="strong">{d.partner}</Link> : <b>{d.peer}</b>} over {d.protocol?.toUpperCase()}
      </span>
      <span>{sizeText(d.size || d.raw_size)}</span>
      {d.redelivered && <State tone="warn" icon="restart">redelivered</State>}
    </span>
  );
}

function Actions({ d, manual, refresh }) {
  const base = `/api/v1/documents/${d.id}`;
  return (
    <>
      {may('operator') &&
        actions
          .filter((a) => a.offer(d, manual))
          .map((a) => (
            <Button key={a.id} icon={a.icon} kind={a.danger ? 'danger' : ''} onClick={() => run(a, d, refresh)}>
              {a.title}
            </Button>
          ))}
      {d.size > 0 && (
        <a class="button" href={`${base}/opened`} download>
          <Icon name="down" />
          Opened
        </a>
      )}
      {d.raw_size > 0 && (
        <a class="button" href={`${base}/raw`} download>
          <Icon name="down" />
          Raw
        </a>
      )}
    </>
  );
}

function Summary({ d }) {
  return (
    <Facts
      rows={[
        ['Number', <Copy text={d.id} what="number" />],
        ['Name', d.name],
        ['Partner', d.partner && <Link to={`/documents?partner=${encodeURIComponent(d.partner)}`}>{d.partner}</Link>],
        ['From', d.from && <Copy text={d.from} what="sender" />],
        ['To', d.to && <Copy text={d.to} what="receiver" />],
        [d.direction === 'in' ? 'Listener' : 'Handed in by', d.direction === 'in' && d.listener ? <Link to={`/listeners?text=${encodeURIComponent(d.listener)}`}>{d.listener}</Link> : d.listener],
        ['Message-ID', d.properties['as2.message_id'] && <Copy text={d.properties['as2.message_id']} what="Message-ID" />],
        ['Opened', d.size > 0 && exactSize(d.size)],
        ['Raw', d.raw_size > 0 && exactSize(d.raw_size)],
        ['Created', <Time at={d.created} full />],
        ['Changed', <Time at={d.changed} full />],
      ]}
    />
  );
}

/* ---- timeline ---- */

const tones = [
  [/refused|failed|rejected|error/, 'bad', 'cross'],
  [/overdue|interrupted|retry|redelivered/, 'warn', 'alert'],
  [/processed|acknowledged/, 'good', 'check'],
  [/receiv|opened/, 'work', 'down'],
  [/sen[dt]|sealed|posted/, 'work', 'up'],
];

function Timeline({ events }) {
  return (
    <ol class="timeline">
      {events.map((e, i) => {
        const [, tone, icon] = tones.find(([pattern]) => pattern.test(e.kind)) ?? [null, 'idle', 'dots'];
        const before = events[i - 1];
        return (
          <li key={i}>
            <span class={`mark ${tone}`}>
              <Icon name={icon} size={12} />
            </span>
            <div>
              <p>
                <b>{e.kind}</b> <Time at={e.at} />
                {before && <span class="soft after"> +{spanText(new Date(e.at) - new Date(before.at))}</span>}
              </p>
              {e.text && <p class="cell-sub">{e.text}</p>}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

/* ---- receipts ---- */

function Receipts({ receipts, d, manual }) {
  return (
    <Panel title="Receipts" id="receipts">
      {receipts.length === 0 && (
        <p class="panel-body soft">
          {d.direction === 'out'
            ? d.state === 'sent' || d.state === 'overdue'
              ? 'None came yet.'
              : 'None.'
            : awaitsRelease(d, manual)
              ? 'None was sent: it waits for Acknowledge or Reject (acknowledge: manual).'
              : 'None.'}
        </p>
      )}
      {receipts.map((r) => (
        <Receipt key={r.id} r={r} />
      ))}
    </Panel>
  );
}

function Receipt({ r }) {
  const octets = octetsOf(r.octets);
  const text = r.kind === 'MDN' ? mdnText(octets) : '';
  const rows = (r.kind === 'MDN' ? decodeMdn(text) : decodeCommand(octets)) ?? [];
  const bad = r.kind === 'NERP' || /error|failed/i.test(r.text ?? '') || r.reason > 0;
  return (
    <div class="receipt">
      <p class="receipt-head">
        <State tone={bad ? 'bad' : r.state === 'pending' ? 'work' : 'good'} icon={bad ? 'cross' : r.state === 'pending' ? 'clock' : 'check'}>
          {r.kind} {r.state}
        </State>
        <span>
          {r.direction === 'out' ? 'ours' : `by ${r.creator ?? 'the partner'}`}, <Time at={r.at} />
        </span>
      </p>
      {r.text && <p class="receipt-text">{r.text}</p>}
      {rows.length > 0 && (
        <details>
          <summary>Decoded</summary>
          <Facts rows={rows.map(([name, value]) => [name, <span class="mono">{value}</span>])} />
        </details>
      )}
      {text && (
        <details>
          <summary>As it went over the wire ({sizeText(octets.length)})</summary>
          <pre tabIndex={0}>{text}</pre>
        </details>
      )}
    </div>
  );
}

/* ---- executions and jobs ---- */

function Executions({ list }) {
  if (list.length === 0) return null;
  return (
    <Panel title="Executions" id="executions">
      <Table
        caption="Executions"
        rows={list}
        columns={[
          { id: 'process', title: 'Process', cell: (x) => x.process },
          {
            id: 'outcome',
            title: 'Outcome',
            cell: (x) => (
              <>
                {x.outcome ? <DocumentState state={x.outcome} /> : <State tone="work" icon="dots">running</State>}
                {x.redelivered && <State tone="warn" icon="restart">redelivered</State>}
                {x.text && <p class="cell-bad">{x.text}</p>}
              </>
            ),
          },
          { id: 'started', title: 'Started', narrow: true, cell: (x) => <Time at={x.started} /> },
          {
            id: 'took',
            title: 'Took',
            narrow: true,
            right: true,
            cell: (x) => (x.ended ? spanText(new Date(x.ended) - new Date(x.started)) : '–'),
          },
        ]}
      />
    </Panel>
  );
}

function Jobs({ list }) {
  if (list.length === 0) return null;
  return (
    <Panel title="Still to be done" id="jobs">
      <Table
        caption="Jobs"
        rows={list}
        columns={[
          {
            id: 'kind',
            title: 'Job',
            cell: (j) => (
              <>
                <b>{j.kind}</b>
                {j.last_error && <p class="cell-bad">{j.last_error}</p>}
              </>
            ),
          },
          { id: 'attempts', title: 'Attempts', narrow: true, right: true, cell: (j) => j.attempts },
          { id: 'not_before', title: 'Next, not before', narrow: true, cell: (j) => <Time at={j.not_before} none="now" /> },
        ]}
      />
    </Panel>
  );
}

/* ---- properties ---- */

function Properties({ properties }) {
  const names = Object.keys(properties).filter((n) => properties[n] !== '');
  return (
    <Panel title="Properties" id="properties">
      <div class="panel-body">
        {names.length === 0 && <p class="soft">None.</p>}
        <dl class="properties">
          {names.map((name) => (
            <div key={name}>
              <dt class="mono">{name}</dt>
              <dd class="mono">{properties[name].length > 160 ? <Long text={properties[name]} name={name} /> : properties[name]}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Panel>
  );
}

function Long({ text, name }) {
  return (
    <details>
      <summary aria-label={`${name} in full`}>{text.slice(0, 60)}…</summary>
      <pre tabIndex={0}>{text}</pre>
    </details>
  );
}

export default { path: '/documents/:id', component: Document };
