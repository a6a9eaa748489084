/* What is around every page: navigation, runtime, theme, who has logged on, help. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, reachable, request } from './lib/api.js';
import { drafts } from './lib/drafts.js';
import { inUtc, today, zoneText } from './lib/format.js';
import { live, usePoll } from './lib/hooks.js';
import { shortcuts, shortcutsOn, useKey } from './lib/keys.js';
import { go, href, match, place } from './lib/router.js';
import { runtime, session } from './lib/session.js';
import { theme } from './lib/theme.js';
import { attempt, Button, Empty, IconButton, Link, Messages, PageHead, say } from './ui/basic.jsx';
import { Confirmation, Dialog } from './ui/dialog.jsx';
import { Icon, Logo } from './ui/icons.jsx';
import { OwnPassword } from './password.jsx';
import { pages } from './pages/index.js';

export function Frame() {
  const { path } = place.use();
  const [menu, setMenu] = useState(false);
  const [help, setHelp] = useState(false);
  const found = find(path);
  const first = useRef(true);

  useEffect(() => {
    setMenu(false);
    if (first.current) first.current = false;
    else {
      document.getElementById('page-title')?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  }, [path]);
  useKey('?', 'show the shortcuts', () => setHelp(true));
  useKey('t', 'switch light and dark', () => theme.next());
  useKey('/', 'search on this page', () => document.querySelector('main input[type=search]')?.focus());
  return (
    <div class={`frame ${menu ? 'menu-open' : ''}`}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the page
      </a>
      <header class="top">
        <IconButton icon="menu" label="Navigation" aria-expanded={menu} aria-controls="navigation" onClick={() => setMenu(!menu)} class="button icon-only quiet menu-button" />
        <Link to="/" class="brand">
          <Logo />
          <span>Waybill</span>
        </Link>
        <RuntimeName />
        <div class="top-right">
          <Live />
          <ThemeSwitch />
          <IconButton icon="help" label="Keyboard shortcuts" onClick={() => setHelp(true)} />
          <Who />
        </div>
      </header>
      <nav id="navigation" class="side" aria-label="Main">
        <ul>
          {pages.filter((p) => p.nav && (!p.role || allowed(p.role))).map((p) => (
            <NavItem key={p.path} page={p} path={path} />
          ))}
        </ul>
        <div class="side-foot">
          <Zone />
          <RuntimeVersion />
        </div>
      </nav>
      <main id="main" tabIndex={-1}>
        <Printed />
        {found ? <found.page.component key={found.page.path} {...found.params} /> : <Nowhere />}
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
      <Confirmation />
      <Messages />
    </div>
  );
}

const ranks = { viewer: 1, operator: 2, admin: 3 };
const allowed = (role) => ranks[session.get()?.role] >= ranks[role];

function find(path) {
  for (const page of pages) {
    const params = match(page.path, path);
    if (params) return { page, params };
  }
  return null;
}

function skip(event) {
  event.preventDefault();
  document.getElementById('main').focus();
}

function NavItem({ page, path }) {
  const here = page.path === '/' ? path === '/' : path === page.path || path.startsWith(`${page.path}/`);
  if (page.key) useKey(`g ${page.key}`, `go to ${page.nav.toLowerCase()}`, () => go(page.path));
  return (
    <li>
      <a href={href(page.path)} aria-current={here ? 'page' : undefined}>
        <Icon name={page.icon} />
        <span>{page.nav}</span>
      </a>
    </li>
  );
}

/* ---- the bar at the top ---- */

function RuntimeName() {
  const { data } = usePoll((signal) => get('/api/v1/runtime', {}, { signal }), 'runtime', 15000);
  const lost = !reachable.use();
  const told = useRef(false);
  useEffect(() => {
    if (data) runtime.set(data);
  }, [data]);
  useEffect(() => {
    if (lost !== told.current) say(lost ? 'The runtime does not answer' : 'The runtime answers again');
    told.current = lost;
  }, [lost]);
  return (
    <span class="runtime">
      {data && <span class="runtime-name" title="the runtime's name">{data.name}</span>}
      {lost && (
        <span class="state bad">
          <Icon name="cross" size={12} />
          does not answer
        </span>
      )}
    </span>
  );
}

/* In which zone times are shown, and the switch to UTC. */
function Zone() {
  const utc = inUtc.use();
  return (
    <button type="button" class="button quiet zone" aria-pressed={utc} title={utc ? 'Press to show times of here' : 'Press to show times in UTC'} onClick={() => inUtc.set(!utc)}>
      <Icon name="clock" />
      <span>Times: {zoneText()}</span>
    </button>
  );
}

/* On paper alone: what it is of. */
function Printed() {
  const r = runtime.use();
  inUtc.use();
  today.use();
  return (
    <p class="printed" aria-hidden="true">
      Waybill {r?.name} · {location.host} · times: {zoneText()}
    </p>
  );
}

function RuntimeVersion() {
  const r = runtime.use();
  return (
    r && (
      <p class="version">
        Waybill {r.version} ·{' '}
        <a href={href('/licenses.txt')} target="_blank">
          Licences
        </a>
      </p>
    )
  );
}

function Live() {
  const on = live.use();
  return (
    <button type="button" class={`button quiet live ${on ? 'on' : ''}`} aria-pressed={on} title={on ? 'Pages follow what happens; press to hold them' : 'Pages are held; press to follow'} onClick={() => live.set(!on)}>
      <span class="live-dot" aria-hidden="true" />
      <span>Live</span>
    </button>
  );
}

function ThemeSwitch() {
  const now = theme.use();
  const icons = { auto: 'auto', light: 'sun', dark: 'moon' };
  return <IconButton icon={icons[now]} label={`Theme: ${now === 'auto' ? 'as the system' : now}`} onClick={() => theme.next()} />;
}

function Who() {
  const s = session.use();
  const [password, setPassword] = useState(false);
  async function off() {
    await attempt(() => request('DELETE', '/api/v1/session'));
    drafts.clear();
    session.begin(null);
  }
  return (
    <div class="who">
      <span class="who-name">
        <Icon name="users" />
        <span>
          {s?.user} <span class="role">{s?.role}</span>
        </span>
      </span>
      <IconButton icon="key" label="Change password" onClick={() => setPassword(true)} />
      <IconButton icon="out" label="Log off" onClick={off} />
      {password && <OwnPassword onClose={() => setPassword(false)} />}
    </div>
  );
}

/* ---- others ---- */

function Nowhere() {
  return (
    <>
      <PageHead title="Not found" />
      <Empty icon="search" title="There is no such page">
        <Link to="/">To the overview</Link>
      </Empty>
    </>
  );
}

function Help({ onClose }) {
  const on = shortcutsOn.use();
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl class="keys">
        {shortcuts().map((s) => (
          <div key={s.keys}>
            <dt>
              {s.keys.split(' ').map((k, i) => (
                <>
                  {i > 0 && ' '}
                  <kbd>{k}</kbd>
                </>
              ))}
            </dt>
            <dd>{s.help}</dd>
          </div>
        ))}
      </dl>
      <label class="field check">
        <input type="checkbox" checked={on} onChange={(e) => shortcutsOn.set(e.target.checked)} />
        <span>Shortcuts are on</span>
      </label>
      <div class="dialog-foot">
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      </div>
    </Dialog>
  );
}
