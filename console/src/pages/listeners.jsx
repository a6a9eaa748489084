/* Listeners: state, why, and pause, resume, restart of one or several. */
import './listeners.css';
import { get, post, segment } from '../lib/api.js';
import { countText, plural } from '../lib/format.js';
import { usePoll, useTitle } from '../lib/hooks.js';
import { place, setQuery } from '../lib/router.js';
import { useSelection } from '../lib/select.js';
import { may } from '../lib/session.js';
import { Button, Empty, ErrorBox, Link, Loading, PageHead, Time, attempt, tell } from '../ui/basic.jsx';
import { confirm } from '../ui/dialog.jsx';
import { Icon } from '../ui/icons.jsx';
import { ListenerState } from '../ui/states.jsx';
import { Table } from '../ui/table.jsx';
import { FirstSteps } from './overview.jsx';

const does = {
  pause: { done: 'paused', from: ['listening', 'errored'], icon: 'pause', title: 'Pause' },
  resume: { done: 'resumed', from: ['paused'], icon: 'play', title: 'Resume' },
  restart: { done: 'restarted', from: ['listening', 'errored', 'paused'], icon: 'restart', title: 'Restart' },
};

const act = (name, action) => post(`/api/v1/listeners/${segment(name)}/${action}`);

/* One: resuming harms nobody; the others ask first. */
async function one(row, action, refresh) {
  if (action === 'resume') await attempt(() => act(row.name, action), `${row.name} listens again`);
  else
    await confirm({
      title: `${does[action].title} ${row.name}?`,
      text:
        action === 'pause'
          ? 'Its partner’s documents are turned away until it is resumed; transfers under way go on to their end.'
          : 'It starts again with the components as they are now.',
      action: does[action].title,
      run: () => act(row.name, action),
    }).then((ok) => ok && tell('good', `${row.name} is ${does[action].done}`));
  refresh();
}

async function many(names, action, refresh, selection) {
  const ok = await confirm({
    title: `${does[action].title} ${plural(names.length, 'listener')}?`,
    text: (
      <ul class="names">
        {names.map((n) => (
          <li class="mono">{n}</li>
        ))}
      </ul>
    ),
    action: `${does[action].title} ${names.length}`,
    run: async () => {
      const failed = [];
      for (const name of names) await act(name, action).catch((e) => failed.push(`${name}: ${e.message}`));
      if (failed.length) throw new Error(failed.join(' — '));
    },
  });
  if (ok) {
    tell('good', `${plural(names.length, 'listener')} ${does[action].done}`);
    selection.clear();
  }
  refresh();
}

const columnsFor = (refresh, operator) => [
  { id: 'state', title: 'State', narrow: true, plain: true, sort: true, cell: (l) => <ListenerState state={l.state} /> },
  {
    id: 'name',
    title: 'Listener',
    sort: true,
    cell: (l) => (
      <>
        <Link to={`/documents?listener=${encodeURIComponent(l.name)}`} class="strong" title="its documents">
          {l.name}
        </Link>
        {l.reason && <p class={l.state === 'errored' ? 'cell-bad' : 'cell-sub'}>{l.reason}</p>}
        {l.state !== 'errored' && l.last_error && (
          <p class="cell-sub">
            Last failure <Time at={l.last_error.at} />: {l.last_error.text}
          </p>
        )}
      </>
    ),
  },
  { id: 'server', title: 'Server', narrow: true, hide: 'small', sort: true, cell: (l) => l.server.replace('-server', '').toUpperCase() },
  { id: 'from', title: 'From', sort: true, cell: (l) => <Party name={l.from_name} code={l.from} /> },
  { id: 'to', title: 'To', narrow: true, hide: 'small', cell: (l) => <span title={l.to}>{l.to_name || l.to}</span> },
  { id: 'documents', title: 'Documents', right: true, narrow: true, sort: true, cell: (l) => countText(l.documents) },
  {
    id: 'failures',
    title: 'Failures',
    right: true,
    narrow: true,
    sort: true,
    cell: (l) => (l.failures > 0 ? <span class="count-bad">{countText(l.failures)}</span> : 0),
  },
  { id: 'last', title: 'Last', narrow: true, sort: true, cell: (l) => <Time at={l.last} /> },
  ...(operator
    ? [
        {
          id: 'do',
          title: '',
          narrow: true,
          cell: (l) => (
            <div class="row-actions">
              {(l.state === 'paused' ? ['resume', 'restart'] : ['pause', 'restart']).map((a) => (
                <button
                  type="button"
                  key={a}
                  class="button quiet icon-only"
                  aria-label={`${does[a].title} ${l.name}`}
                  title={does[a].title}
                  onClick={() => one(l, a, refresh)}
                >
                  <Icon name={does[a].icon} />
                </button>
              ))}
            </div>
          ),
        },
      ]
    : []),
];

function Party({ name, code }) {
  return (
    <>
      {name && <span class="nowrap">{name}</span>}
      {code && <span class={name ? 'cell-sub mono block nowrap' : 'mono nowrap'}>{code}</span>}
    </>
  );
}

const order = { errored: 0, paused: 1, listening: 2 };
const value = (l, by) => (by === 'state' ? order[l.state] : l[by] ?? '');

function sorted(list, by, down) {
  const sign = down ? -1 : 1;
  return [...list].sort((a, b) => {
    const x = value(a, by);
    const y = value(b, by);
    return (x < y ? -1 : x > y ? 1 : a.name < b.name ? -1 : 1) * (x === y ? 1 : sign);
  });
}

function Listeners() {
  useTitle('Listeners');
  const { query } = place.use();
  const { data, error, refresh } = usePoll((signal) => get('/api/v1/listeners', {}, { signal }), 'listeners', 2000);
  const all = data?.listeners ?? [];
  const text = (query.text ?? '').toLowerCase();
  const found = all.filter((l) => [l.name, l.from, l.to, l.from_name, l.to_name, l.server, l.reason].some((v) => v?.toLowerCase().includes(text)));
  const by = query.sort ?? 'state';
  const down = query.down === '1';
  const shown = sorted(found.filter((l) => !query.state || l.state === query.state), by, down);
  const selection = useSelection(shown.map((l) => l.name), (l) => l.name);
  const operator = may('operator');
  const chosen = shown.filter((l) => selection.has(l.name));

  return (
    <>
      <PageHead title="Listeners" about="Deployed processes that wait for documents. Changes to them are components, on Partners." />
      <ErrorBox error={error} onRetry={refresh} />
      {!data && !error && <Loading />}
      {data && all.length === 0 && (
        <Empty icon="listeners" title="No listener yet">
          <p>A process listens for one partner’s documents.</p>
          <FirstSteps />
        </Empty>
      )}
      {all.length > 0 && (
        <>
          <div class="filters">
            <div class="search">
              <Icon name="search" />
              <input
                type="search"
                aria-label="Search listeners"
                placeholder="Name, partner, code"
                value={query.text ?? ''}
                onInput={(e) => setQuery({ text: e.target.value })}
              />
            </div>
            <div class="chips" role="group" aria-label="State">
              {['', 'listening', 'paused', 'errored'].map((s) => (
                <button
                  type="button"
                  class="chip"
                  key={s}
                  aria-pressed={(query.state ?? '') === s}
                  onClick={() => setQuery({ state: s })}
                >
                  {s || 'all'} <span class="count">{s ? found.filter((l) => l.state === s).length : found.length}</span>
                </button>
              ))}
            </div>
          </div>
          {operator && chosen.length > 0 && (
            <div class="selected" role="region" aria-label="Selected listeners">
              <span>{plural(chosen.length, 'listener')} selected</span>
              {Object.entries(does).map(([action, a]) => {
                const names = chosen.filter((l) => a.from.includes(l.state)).map((l) => l.name);
                return (
                  <Button key={action} icon={a.icon} disabled={names.length === 0} onClick={() => many(names, action, refresh, selection)}>
                    {a.title}
                  </Button>
                );
              })}
              <Button kind="quiet" onClick={selection.clear}>
                Select none
              </Button>
            </div>
          )}
          {shown.length > 0 ? (
            <Table
              caption="Listeners"
              columns={columnsFor(refresh, operator)}
              rows={shown}
              rowKey={(l) => l.name}
              select={operator ? selection : undefined}
              sort={{ by, down, set: (id) => setQuery({ sort: id === 'state' ? '' : id, down: by === id && !down ? '1' : '' }) }}
            />
          ) : (
            <Empty icon="search" title="No listener fits">
              <Button onClick={() => setQuery({ text: '', state: '' })}>Show all {all.length}</Button>
            </Empty>
          )}
        </>
      )}
    </>
  );
}

export default { path: '/listeners', nav: 'Listeners', icon: 'listeners', key: 'l', component: Listeners };
