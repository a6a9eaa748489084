/* What runs now: OFTP2 sessions and AS2 requests, with their progress, and their commands decoded. */
import './sessions.css';
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, reachable, segment, withQuery } from '../lib/api.js';
import { usePoll, useTitle } from '../lib/hooks.js';
import { fineClockText, inUtc, plural, sizeText } from '../lib/format.js';
import { place, setQuery } from '../lib/router.js';
import { loggedOn, may, session } from '../lib/session.js';
import { Button, Empty, ErrorBox, Link, Loading, Note, PageHead, Panel, State, Time } from '../ui/basic.jsx';
import { SelectField } from '../ui/form.jsx';
import { Table } from '../ui/table.jsx';

/* Octets a second since the answer before, by session. */
function useRates(data) {
  const before = useRef(new Map());
  const rates = useRef(new Map());
  const seen = useRef(null);
  if (data && data !== seen.current) {
    const now = performance.now();
    const next = new Map();
    for (const s of data.sessions) {
      const octets = s.octets_in + s.octets_out;
      const last = before.current.get(s.id);
      if (last && last.octets === octets && now - last.at < 3000) {
        next.set(s.id, last);
        continue;
      }
      next.set(s.id, { at: now, octets });
      rates.current.set(s.id, last && now > last.at ? ((octets - last.octets) * 1000) / (now - last.at) : 0);
    }
    before.current = next;
    seen.current = data;
  }
  return rates.current;
}

const STATES = { transfer: ['work', 'sessions'], answer: ['work', 'clock'], open: ['idle', 'clock'] };

function Progress({ s }) {
  if (!s.document) return <span class="none">no file under way</span>;
  const part = s.total > 0 ? Math.min(1, s.done / s.total) : undefined;
  return (
    <div class="transfer">
      <div class="transfer-text">
        <Link to={`/documents/${s.document}`}>document {s.document}</Link>
        <span class="soft nowrap">
          {sizeText(s.done)}
          {s.total > 0 && ` of ${sizeText(s.total)}`}
          {part !== undefined && `, ${Math.floor(part * 100)} %`}
        </span>
      </div>
      <progress max={1} value={part} aria-label={`Document ${s.document} of ${s.partner ?? s.peer}`} />
    </div>
  );
}

function Sessions() {
  const { query } = place.use();
  const { data, error, refresh } = usePoll((signal) => get('/api/v1/sessions', {}, { signal }), 'sessions', 1000);
  const rates = useRates(data);
  useTitle('Sessions');
  const columns = [
    {
      id: 'partner',
      title: 'Partner',
      cell: (s) => (
        <>
          {s.partner ? <Link to={`/partners/partner/${segment(s.partner)}`}>{s.partner}</Link> : <span class="none">not logged on</span>}
          <div class="cell-sub">
            {s.protocol === 'as2' ? 'AS2' : 'OFTP2'}, {s.initiator ? 'by us' : 'by the partner'}
          </div>
        </>
      ),
    },
    {
      id: 'address',
      title: 'Address',
      hide: 'small',
      cell: (s) => (
        <>
          <span class="mono nowrap">{s.address}</span>
          <div class="cell-sub">{s.tls || 'without TLS'}</div>
        </>
      ),
    },
    { id: 'state', title: 'State', narrow: true, plain: true, cell: (s) => <State tone={(STATES[s.state] ?? ['idle'])[0]} icon={(STATES[s.state] ?? [0, 'dots'])[1]}>{s.state}</State> },
    { id: 'progress', title: 'Progress', class: 'transfer-cell', cell: (s) => <Progress s={s} /> },
    { id: 'rate', title: 'Rate', right: true, narrow: true, cell: (s) => (rates.get(s.id) > 0 ? `${sizeText(rates.get(s.id))}/s` : <span class="none">–</span>) },
    {
      id: 'octets',
      title: 'In / out',
      right: true,
      narrow: true,
      hide: 'small',
      cell: (s) => `${sizeText(s.octets_in)} / ${sizeText(s.octets_out)}`,
    },
    { id: 'since', title: 'Since', narrow: true, cell: (s) => <Time at={s.since} /> },
    ...(may('operator')
      ? [
          {
            id: 'trace',
            name: 'Trace',
            narrow: true,
            cell: (s) => (
              <Button kind="quiet" onClick={() => setQuery({ trace: s.partner ?? s.peer })} aria-label={`Trace ${s.partner ?? s.peer}`}>
                Trace
              </Button>
            ),
          },
        ]
      : []),
  ];
  const list = data?.sessions ?? [];
  return (
    <>
      <PageHead title="Sessions" about={data ? `${plural(list.length, 'session')} under way` : undefined} />
      <ErrorBox error={error} onRetry={refresh} />
      {!data && !error && <Loading />}
      {data && list.length > 0 && <Table caption="Sessions under way" columns={columns} rows={list} deps={data} />}
      {data && list.length === 0 && (
        <Empty icon="sessions" title="Nothing is under way">
          Sessions are here while they last. Partners call us, or we call them when there is something to send: see{' '}
          <Link to="/partners">Partners</Link> to call one now.
        </Empty>
      )}
      {may('operator') ? <Trace key={query.trace ?? ''} partner={query.trace} /> : <Note icon="key">Traces are for operators and admins.</Note>}
    </>
  );
}

const LINES = 1000;

class Refused extends Error {}

/* Lines as they come; the newest LINES are kept. A trace that breaks off is begun again. */
function useTrace(partner) {
  const [state, setState] = useState({ lines: [], open: false, error: null });
  useEffect(() => {
    if (partner === undefined) return undefined;
    const alone = new AbortController();
    const { signal } = alone;
    let waiting = [];
    let timer = null;
    let number = 0;
    const flush = () => {
      timer = null;
      const more = waiting;
      waiting = [];
      setState((s) => ({ ...s, lines: [...s.lines, ...more].slice(-LINES) }));
    };
    const add = (texts) => {
      waiting.push(...texts.map((text) => ({ id: ++number, text })));
      timer ??= setTimeout(flush, 100);
    };
    async function follow() {
      const answer = await fetch(withQuery('/api/v1/trace', { partner: partner === '*' ? '' : partner }), { signal, credentials: 'same-origin', cache: 'no-store' });
      if (answer.status === 401) {
        session.lost();
        await loggedOn(signal);
        return;
      }
      if (!answer.ok) throw new Refused((await answer.json()).error);
      reachable.set(true);
      setState((s) => ({ ...s, open: true }));
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = '';
      try {
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          const parts = (rest + value).split('\n');
          rest = parts.pop();
          add(parts);
        }
      } finally {
        if (!signal.aborted) add(['— The trace broke off here: commands may be missing. —']);
      }
    }
    (async () => {
      while (!signal.aborted) {
        try {
          await follow();
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof Refused) {
            setState((s) => ({ ...s, open: false, error }));
            return;
          }
        }
        setState((s) => ({ ...s, open: false }));
        await new Promise((r) => setTimeout(r, 2000));
      }
    })();
    return () => {
      alone.abort();
      clearTimeout(timer);
    };
  }, [partner]);
  return [state, () => setState((s) => ({ ...s, lines: [] }))];
}

const LINE = /^(\S+) (\S+) ([<>]?) ?(.*)$/s;

function Line({ text }) {
  inUtc.use();
  const m = LINE.exec(text);
  const at = m && new Date(m[1]);
  if (!m || Number.isNaN(at.getTime())) return <div>{text}</div>;
  const [, , who, way, what] = m;
  return (
    <div class={way === '<' ? 'way-in' : way === '>' ? 'way-out' : undefined}>
      <span class="soft">{fineClockText(at)} </span>
      <span class="trace-who">{who} </span>
      {way && <b>{way} </b>}
      {what}
    </div>
  );
}

function Trace({ partner }) {
  const { data } = usePoll((signal) => get('/api/v1/components', { kind: 'partner' }, { signal }), 'partners');
  const [{ lines, open, error }, clear] = useTrace(partner);
  const [hold, setHold] = useState(false);
  const box = useRef();
  const names = (data?.components ?? []).map((c) => c.name).sort();
  const options = [['', 'off'], ['*', 'all partners'], ...names.map((n) => [n, n])];
  if (partner && !options.some(([v]) => v === partner)) options.push([partner, partner]);

  useEffect(() => {
    if (box.current && !hold) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <Panel
      id="trace"
      title="Trace"
      actions={
        <>
          {open && (
            <State tone="good" icon="play">
              following
            </State>
          )}
          {lines.length > 0 && (
            <>
              <Button kind="quiet" aria-pressed={hold} icon={hold ? 'play' : 'pause'} onClick={() => setHold(!hold)}>
                {hold ? 'Follow the end' : 'Hold'}
              </Button>
              <Button kind="quiet" onClick={clear}>
                Clear
              </Button>
            </>
          )}
        </>
      }
    >
      <div class="panel-body">
        <SelectField label="Commands of" value={partner ?? ''} options={options} onValue={(v) => setQuery({ trace: v })} help="Each command of a session or request, decoded as it goes over the wire; passwords are not shown. Other sessions are not slowed down." />
        <ErrorBox error={error} />
        {partner !== undefined && (
          <div ref={box} class="trace" role="log" aria-label={`Trace of ${partner === '*' ? 'all partners' : partner}`} tabIndex={0}>
            {lines.length === 0 ? <span class="soft">{open ? 'Waiting for the next command…' : error ? '' : 'Connecting…'}</span> : lines.map((l) => <Line key={l.id} text={l.text} />)}
          </div>
        )}
      </div>
    </Panel>
  );
}

export default { path: '/sessions', nav: 'Sessions', icon: 'sessions', key: 's', component: Sessions };
