/* Who changed what. */
import { useEffect, useState } from 'preact/hooks';
import { get } from '../lib/api.js';
import { fromField, inUtc, toField } from '../lib/format.js';
import { usePoll, useRest, useTitle } from '../lib/hooks.js';
import { place, setQuery } from '../lib/router.js';
import { Button, Empty, ErrorBox, Link, Loading, PageHead, Time } from '../ui/basic.jsx';
import { Field, TextField } from '../ui/form.jsx';
import { Table } from '../ui/table.jsx';

/* Names in what was done lead to their pages. */
function What({ text }) {
  const m = /\b(partner|identity|process|certificate) ([a-z0-9][a-z0-9._-]*)/.exec(text ?? '');
  const d = /\bdocument (\d+)/.exec(text ?? '');
  const found = m ?? d;
  if (!found) return text;
  const name = found[2] ?? found[1];
  const at = found.index + found[0].length - name.length;
  const to = d === found ? `/documents/${name}` : m[1] === 'certificate' ? `/certificates/${name}` : `/partners/${m[1]}/${name}`;
  return (
    <>
      {text.slice(0, at)}
      <Link to={to}>{name}</Link>
      {text.slice(at + name.length)}
    </>
  );
}

const columns = [
  { id: 'at', title: 'When', narrow: true, plain: true, cell: (l) => <Time at={l.at} full /> },
  { id: 'who', title: 'Who', narrow: true, cell: (l) => <button type="button" class="as-link mono" title="Only of this one" onClick={() => setQuery({ who: l.who, before: '' })}>{l.who}</button> },
  { id: 'from', title: 'From', narrow: true, hide: 'small', cell: (l) => (l.from ? <span class="mono">{l.from}</span> : <span class="none">this machine</span>) },
  { id: 'what', title: 'What', cell: (l) => <What text={l.what} /> },
];

function Audit() {
  const { query } = place.use();
  const [who, setWho] = useState(query.who ?? '');
  const typed = useRest(who);
  inUtc.use();
  useTitle('Audit');
  useEffect(() => {
    if (typed !== (place.get().query.who ?? '')) setQuery({ who: typed, before: '' });
  }, [typed]);
  useEffect(() => setWho(query.who ?? ''), [query.who]);
  const wanted = { who: query.who, from: query.from, to: query.to, before: query.before, limit: 50 };
  const { data, error, refresh } = usePoll((signal) => get('/api/v1/audit', wanted, { signal }), JSON.stringify(wanted), query.before ? 0 : 5000);
  const filtered = query.who || query.from || query.to;
  return (
    <>
      <PageHead title="Audit" about="Every change: when, by whom, from which address. Nothing here can be altered or taken away by hand." />
      <div class="filters">
        <TextField label="Who" type="search" placeholder="user:zoe, token:, local:" value={who} onValue={setWho} />
        <Field label="From">{(p) => <input type="datetime-local" {...p} step="1" value={toField(query.from)} onChange={(e) => setQuery({ from: fromField(e.target.value), before: '' })} />}</Field>
        <Field label="To">{(p) => <input type="datetime-local" {...p} step="1" value={toField(query.to)} onChange={(e) => setQuery({ to: fromField(e.target.value), before: '' })} />}</Field>
        {filtered && (
          <Button kind="quiet" onClick={() => setQuery({ who: '', from: '', to: '', before: '' })}>
            Show all
          </Button>
        )}
      </div>
      <ErrorBox error={error} onRetry={refresh} />
      {!data && !error && <Loading />}
      {data && data.audit.length > 0 && <Table caption="Changes" columns={columns} rows={data.audit} />}
      {data && data.audit.length === 0 && (
        <Empty icon="audit" title="No change fits">
          {filtered ? '"Who" is the beginning of a name: user:zoe, token:erp, local:0.' : 'Nothing was changed yet.'}
        </Empty>
      )}
      {data && (query.before || data.next) && (
        <div class="pager">
          <Button icon="left" disabled={!query.before} onClick={() => setQuery({ before: '' }, { replace: false })}>
            Newest
          </Button>
          <Button icon="right" disabled={!data.next} onClick={() => setQuery({ before: data.next }, { replace: false })}>
            Older
          </Button>
        </div>
      )}
    </>
  );
}

export default { path: '/audit', nav: 'Audit', icon: 'audit', key: 'a', component: Audit };
