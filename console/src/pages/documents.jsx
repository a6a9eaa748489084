/* Documents: search with filters in the address bar, newest first, older ones page by page. */
import './documents.css';
import { useEffect, useState } from 'preact/hooks';
import { get } from '../lib/api.js';
import { countText, fromField, inUtc, plural, sizeText, toField } from '../lib/format.js';
import { usePoll, useRest, useTitle } from '../lib/hooks.js';
import { place, setQuery } from '../lib/router.js';
import { may } from '../lib/session.js';
import { Button, Command, Empty, ErrorBox, Link, Loading, PageHead, Time, attempt } from '../ui/basic.jsx';
import { SelectField, TextField } from '../ui/form.jsx';
import { SendDialog } from '../ui/send_dialog.jsx';
import { Icon } from '../ui/icons.jsx';
import { Direction, DocumentState, documentStateNames } from '../ui/states.jsx';
import { Table } from '../ui/table.jsx';
import { actions, ManyDialog, useManual } from '../ui/document_actions.jsx';

const PAGE = 50;
const MOST = 1000; /* at once, by one action */
const filters = [
  'text', 'state', 'direction', 'protocol', 'partner', 'held', 'listener', 'name', 'file_name_prefix', 'message_id', 'label', 'value_prefix', 'from', 'to',
];
const rare = ['held', 'listener', 'name', 'file_name_prefix', 'message_id', 'label', 'value_prefix', 'from', 'to'];

const columns = [
  { id: 'state', title: 'State', narrow: true, plain: true, cell: (d) => <DocumentState state={d.state} /> },
  { id: 'direction', title: 'Way', narrow: true, plain: true, cell: (d) => <Direction direction={d.direction} /> },
  {
    id: 'name',
    title: 'Document',
    class: 'name-cell',
    cell: (d) => (
      <>
        <Link to={`/documents/${d.id}`} class="strong">
          {d.name || `document ${d.id}`}
        </Link>
        {d.held && <p class="cell-sub">its receipt waits to be released</p>}
        {d.reason && <p class={d.state === 'overdue' ? 'cell-sub' : 'cell-bad'}>{d.reason}</p>}
      </>
    ),
  },
  { id: 'partner', title: 'Partner', class: 'nowrap', cell: (d) => d.partner ?? <span class="mono">{d.peer}</span> },
  { id: 'protocol', title: 'Protocol', narrow: true, hide: 'small', cell: (d) => d.protocol?.toUpperCase() },
  { id: 'size', title: 'Size', narrow: true, right: true, cell: (d) => sizeText(d.size || d.raw_size) },
  { id: 'created', title: 'Created', narrow: true, cell: (d) => <Time at={d.created} /> },
  { id: 'changed', title: 'Changed', narrow: true, hide: 'small', cell: (d) => <Time at={d.changed} /> },
  { id: 'id', title: 'Number', narrow: true, right: true, hide: 'small', cell: (d) => <span class="soft">{d.id}</span> },
];

function Documents() {
  useTitle('Documents');
  const [sending, setSending] = useState(false);
  const { query } = place.use();
  const given = Object.fromEntries(filters.filter((f) => query[f]).map((f) => [f, query[f]]));
  const { data, error, refresh } = usePoll(
    (signal) => get('/api/v1/documents', { ...given, before: query.before, limit: PAGE }, { signal }),
    JSON.stringify([given, query.before]),
    query.before ? 0 : 2500,
  );
  const rows = data?.documents ?? [];
  const filtered = Object.keys(given).length > 0;
  const selection = useChosen(rows);

  return (
    <>
      <PageHead title="Documents" about={query.before ? 'Older documents' : 'Newest first'}>
        <Button icon="refresh" onClick={refresh}>
          Refresh
        </Button>
        {may('operator') && (
          <Button kind="primary" icon="upload" onClick={() => setSending(true)}>
            Send
          </Button>
        )}
      </PageHead>
      <Filters query={query} />
      <ErrorBox error={error} onRetry={refresh} />
      {!data && !error && <Loading />}
      {data && rows.length === 0 && (filtered || query.before ? <NothingFits query={query} /> : <NothingYet />)}
      {may('operator') && <Chosen selection={selection} given={given} more={!!(query.before || data?.next)} refresh={refresh} />}
      {rows.length > 0 && <Table caption="Documents" columns={columns} rows={rows} select={may('operator') ? selection : undefined} />}
      {(query.before || data?.next) && (
        <nav class="pager" aria-label="Pages">
          <Button icon="left" disabled={!query.before} onClick={() => setQuery({ before: '' }, { replace: false })}>
            Newest
          </Button>
          <Button disabled={!data?.next} onClick={() => setQuery({ before: data.next }, { replace: false })}>
            Older documents
          </Button>
        </nav>
      )}
      {sending && <SendDialog onClose={() => setSending(false)} />}
    </>
  );
}

const clear = () => setQuery(Object.fromEntries([...filters, 'before'].map((f) => [f, ''])));

function NothingFits({ query }) {
  const number = /^\s*#?(\d{1,18})\s*$/.exec(query.text ?? '')?.[1];
  return (
    <Empty icon="search" title="No document fits">
      {number && (
        <p>
          Names and codes are searched here. <Link to={`/documents/${number}`}>Open the document with the number {number}</Link>
        </p>
      )}
      {query.text && !number && <p>A name or code is found by its beginning; upper and lower case differ.</p>}
      <div>
        <Button onClick={clear}>Show all documents</Button>
      </div>
    </Empty>
  );
}

function NothingYet() {
  return (
    <Empty title="No document yet">
      <p>Documents that partners send appear here by themselves. To send one: Send, above, or</p>
      <Command>waybill send --partner NAME FILE</Command>
    </Empty>
  );
}

/* ---- several at once ---- */

/* What is selected stays so when newer documents push it off the page. */
function useChosen(rows) {
  const [chosen, setChosen] = useState(() => new Map());
  const byId = new Map(rows.map((d) => [d.id, d]));
  const change = (run) =>
    setChosen((old) => {
      const next = new Map(old);
      run(next);
      return next;
    });
  return {
    documents: [...chosen.values()].map((d) => byId.get(d.id) ?? d),
    has: (id) => chosen.has(id),
    toggle: (id) => change((m) => m.delete(id) || m.set(id, byId.get(id))),
    all: (on) => change((m) => rows.forEach((d) => (on ? m.set(d.id, d) : m.delete(d.id)))),
    add: (list) => change((m) => list.forEach((d) => m.set(d.id, d))),
    clear: () => setChosen(new Map()),
    label: (d) => `${d.name || 'document'} ${d.id}`,
  };
}

function Chosen({ selection, given, more, refresh }) {
  const [asked, setAsked] = useState(null);
  const { documents } = selection;
  const manual = useManual(documents);
  const rest = useRest(JSON.stringify(given), 0);
  useEffect(() => selection.clear(), [rest]);
  if (documents.length === 0) return null;
  async function all() {
    const got = await attempt(() => get('/api/v1/documents', { ...given, limit: MOST }));
    if (got) selection.add(got.documents);
  }
  const offered = actions.map((a) => [a, documents.filter((d) => a.offer(d, manual))]).filter(([, list]) => list.length > 0);
  return (
    <div class="selected" role="region" aria-label="Selected documents">
      <span>{plural(documents.length, 'document')} selected</span>
      {offered.map(([action, list]) => (
        <Button key={action.id} icon={action.icon} kind={action.danger ? 'danger' : ''} onClick={() => setAsked({ action, documents: list })}>
          {action.title} {countText(list.length)}
        </Button>
      ))}
      {offered.length === 0 && <span class="soft">Nothing is to be done about {documents.length === 1 ? 'it' : 'them'}.</span>}
      {more && (
        <Button kind="quiet" onClick={all}>
          Select the newest {countText(MOST)} that fit
        </Button>
      )}
      <Button kind="quiet" onClick={selection.clear}>
        Select none
      </Button>
      {asked && (
        <ManyDialog
          {...asked}
          onClose={(done) => {
            setAsked(null);
            if (done) selection.clear();
            refresh();
          }}
        />
      )}
    </div>
  );
}

/* ---- filters ---- */

/* Names to choose from while one types. */
function useNames() {
  const { data } = usePoll((signal) => get('/api/v1/components', {}, { signal }), 'components');
  const names = (kind) => (data?.components ?? []).filter((c) => c.kind === kind).map((c) => c.name).sort();
  return { partner: names('partner'), listener: names('process') };
}

function Filters({ query }) {
  const names = useNames();
  inUtc.use();
  const [more, setMore] = useState(rare.some((f) => query[f]));
  const set = (name) => (value) => setQuery({ [name]: value, before: '' });
  return (
    <form class="document-filters" role="search" aria-label="Documents" onSubmit={(e) => e.preventDefault()}>
      <div class="filters">
        <Typed name="text" query={query}>
          {(value, onValue) => (
            <div class="search">
              <Icon name="search" />
              <input
                type="search"
                aria-label="Search documents"
                placeholder="Beginning of a name or code"
                value={value}
                onInput={(e) => onValue(e.target.value)}
              />
            </div>
          )}
        </Typed>
        <SelectField label="State" value={query.state} onValue={set('state')} options={[['', 'any'], ...documentStateNames]} />
        <SelectField label="Way" value={query.direction} onValue={set('direction')} options={[['', 'both'], 'in', 'out']} />
        <SelectField label="Protocol" value={query.protocol} onValue={set('protocol')} options={[['', 'both'], ['oftp2', 'OFTP2'], ['as2', 'AS2']]} />
        <Text name="partner" label="Partner" query={query} known={names.partner} />
        <Button kind="quiet" aria-expanded={more} aria-controls="more-filters" onClick={() => setMore(!more)}>
          {more ? 'Fewer filters' : 'More filters'}
        </Button>
        {filters.some((f) => query[f]) && (
          <Button kind="quiet" icon="cross" onClick={clear}>
            Clear
          </Button>
        )}
      </div>
      {more && (
        <div class="filters" id="more-filters">
          <SelectField label="Receipt" value={query.held} onValue={set('held')} options={[['', 'any'], ['true', 'to release']]} />
          <Text name="listener" label="Listener" query={query} known={names.listener} />
          <Text name="name" label="Name (SFIDDSN)" query={query} />
          <Text name="file_name_prefix" label="File name begins" query={query} />
          <Text name="message_id" label="Message-ID" query={query} />
          <Text name="label" label="Tracked field" query={query} />
          <Text name="value_prefix" label="… its value begins" query={query} />
          <TextField type="datetime-local" step="1" label="Created from" value={toField(query.from)} onValue={(v) => set('from')(fromField(v))} />
          <TextField type="datetime-local" step="1" label="… to" value={toField(query.to)} onValue={(v) => set('to')(fromField(v))} />
        </div>
      )}
    </form>
  );
}

/* What is typed goes into the address when the typing rests. */
function Typed({ name, query, children }) {
  const [text, setText] = useState(query[name] ?? '');
  const [seen, setSeen] = useState(query[name] ?? '');
  const rest = useRest(text);
  useEffect(() => {
    if (rest !== (place.get().query[name] ?? '')) {
      setSeen(rest);
      setQuery({ [name]: rest, before: '' });
    }
  }, [rest]);
  /* the address changed otherwise: by the browser's back, or Clear */
  if ((query[name] ?? '') !== seen) {
    setSeen(query[name] ?? '');
    setText(query[name] ?? '');
  }
  return children(text, setText);
}

function Text({ name, label, query, known }) {
  const list = known ? `known-${name}` : undefined;
  return (
    <>
      <Typed name={name} query={query}>
        {(value, onValue) => <TextField label={label} value={value} onValue={onValue} list={list} autocomplete={list && 'off'} autocapitalize="none" spellcheck={false} />}
      </Typed>
      {known && (
        <datalist id={list}>
          {known.map((n) => (
            <option key={n} value={n} />
          ))}
        </datalist>
      )}
    </>
  );
}

export default { path: '/documents', nav: 'Documents', icon: 'documents', key: 'd', component: Documents };
