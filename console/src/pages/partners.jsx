/* Partners, identities and processes: what is deployed. */
import { get, segment } from '../lib/api.js';
import { useKey } from '../lib/keys.js';
import { usePoll, useTitle } from '../lib/hooks.js';
import { plural } from '../lib/format.js';
import { go, place, setQuery } from '../lib/router.js';
import { may } from '../lib/session.js';
import { Button, Empty, ErrorBox, Link, Loading, PageHead, State, Time } from '../ui/basic.jsx';
import { Table } from '../ui/table.jsx';
import { Tabs, useTab } from '../ui/tabs.jsx';
import './partners.css';

const KINDS = ['partner', 'identity', 'process'];
const TITLES = { partner: 'Partners', identity: 'Identities', process: 'Processes' };
const ABOUT = {
  partner: 'Who documents come from and go to.',
  identity: 'Our own names, with our keys.',
  process: 'What happens to documents that come in.',
};

function load(signal) {
  return Promise.all([get('/api/v1/components', {}, { signal }), get('/api/v1/listeners', {}, { signal })]).then(([c, l]) => ({ components: c.components, listeners: l.listeners }));
}

const TONES = { listening: ['good', 'check'], paused: ['warn', 'pause'], errored: ['bad', 'alert'] };

function Listener({ l }) {
  const [tone, icon] = TONES[l.state] ?? ['idle', 'dots'];
  return (
    <Link to={`/partners/process/${segment(l.name)}`} class="listener-link">
      <State tone={tone} icon={icon} title={l.reason || l.state}>
        {l.name}
      </State>
    </Link>
  );
}

function Partners() {
  const { query } = place.use();
  const kind = useTab('kind', KINDS.map((k) => [k]));
  const { data, error, refresh } = usePoll(load, 'components', 10000);
  useTitle(TITLES[kind]);
  useKey('n', `new ${kind}`, () => may('admin') && go(`/partners/new/${kind}`));

  const count = (k) => data?.components.filter((c) => c.kind === k).length;
  const text = (query.q ?? '').toLowerCase();
  const users = (name) => data.listeners.filter((l) => (kind === 'partner' ? l.from_name === name : kind === 'identity' ? l.to_name === name : l.name === name));
  const all = (data?.components ?? []).filter((c) => c.kind === kind).sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = all.filter((c) => text === '' || c.name.includes(text) || (data && users(c.name).some((l) => `${l.name} ${l.from} ${l.to} ${l.from_name} ${l.to_name}`.toLowerCase().includes(text))));
  const columns = [
    { id: 'name', title: 'Name', cell: (c) => <Link to={`/partners/${c.kind}/${segment(c.name)}`}>{c.name}</Link> },
    ...(kind === 'process'
      ? [
          { id: 'server', title: 'Server', cell: (c) => users(c.name)[0]?.server ?? '' },
          { id: 'from', title: 'From', cell: (c) => users(c.name)[0] && <Party l={users(c.name)[0]} side="from" kind="partner" /> },
          { id: 'to', title: 'To', hide: 'small', cell: (c) => users(c.name)[0] && <Party l={users(c.name)[0]} side="to" kind="identity" /> },
        ]
      : []),
    {
      id: 'listeners',
      title: kind === 'process' ? 'State' : 'Processes',
      cell: (c) =>
        users(c.name).length === 0 ? (
          <span class="none">{kind === 'partner' ? 'none: nothing is received from it' : 'none'}</span>
        ) : (
          <span class="listener-links">
            {users(c.name).map((l) => (
              <Listener key={l.name} l={l} />
            ))}
          </span>
        ),
    },
    { id: 'version', title: 'Version', right: true, narrow: true, cell: (c) => c.version },
    { id: 'at', title: 'Changed', narrow: true, hide: 'small', cell: (c) => <Time at={c.at} /> },
  ];
  return (
    <>
      <PageHead title="Partners and identities" about={ABOUT[kind]}>
        {may('admin') && (
          <Button kind="primary" icon="plus" onClick={() => go(`/partners/new/${kind}`)}>
            New {kind}
          </Button>
        )}
      </PageHead>
      <div class="bar">
        <Tabs label="Kind" name="kind" now={kind} tabs={KINDS.map((k) => [k, TITLES[k], count(k)])} clear={['q']} />
        <input type="search" aria-label={`Search ${TITLES[kind].toLowerCase()}`} placeholder="Search by name or ID" value={query.q ?? ''} onInput={(e) => setQuery({ q: e.target.value })} />
      </div>
      <ErrorBox error={error} onRetry={refresh} />
      {!data && !error && <Loading />}
      {data && rows.length > 0 && <Table caption={TITLES[kind]} columns={columns} rows={rows} rowKey={(c) => c.name} deps={data} />}
      {data && rows.length > 0 && <p class="table-foot">{plural(rows.length, kind, TITLES[kind].toLowerCase())}{rows.length < all.length ? ` of ${all.length}` : ''}</p>}
      {data && rows.length === 0 && (
        <Empty icon="partners" title={all.length === 0 ? `There is no ${kind} yet` : `No ${kind} fits "${query.q}"`}>
          {all.length === 0 && may('admin') ? <Link to={`/partners/new/${kind}`}>Make the first one</Link> : all.length > 0 && <button type="button" class="button" onClick={() => setQuery({ q: '' })}>Show all</button>}
        </Empty>
      )}
    </>
  );
}

function Party({ l, side, kind }) {
  const name = l[`${side}_name`];
  return (
    <>
      {name && <Link to={`/partners/${kind}/${segment(name)}`}>{name}</Link>} <span class="mono muted">{l[side]}</span>
    </>
  );
}

export default { path: '/partners', nav: 'Partners', icon: 'partners', key: 'p', component: Partners };
