/* Where we are: /console/PATH?QUERY. Pages know paths without the /console. */
import { store } from './store.js';

const BASE = '/console';

function read() {
  const path = location.pathname.slice(BASE.length).replace(/\/+$/, '') || '/';
  return { path, search: location.search, query: Object.fromEntries(new URLSearchParams(location.search)) };
}

export const place = store(read());

addEventListener('popstate', () => place.set(read()));

export const href = (to) => BASE + (to.startsWith('/') ? to : `/${to}`);

export function go(to, { replace = false } = {}) {
  const url = href(to);
  if (url === location.pathname + location.search) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', url);
  place.set(read());
}

/* Sets (or with '' or null takes away) parts of the query of the page we are on. */
export function setQuery(changes, { replace = true } = {}) {
  const query = { ...place.get().query, ...changes };
  const given = Object.entries(query).filter(([, v]) => v !== '' && v !== null && v !== undefined);
  const text = given.length ? `?${new URLSearchParams(given)}` : '';
  go(place.get().path + text, { replace });
}

/* '/documents/:id' against '/documents/7': {id: '7'}; null: another path. */
export function match(pattern, path) {
  const want = pattern.split('/');
  const have = path.split('/');
  const found = {};
  if (want.length !== have.length) return null;
  for (let i = 0; i < want.length; i++) {
    if (want[i].startsWith(':')) {
      try {
        found[want[i].slice(1)] = decodeURIComponent(have[i]);
      } catch {
        return null;
      }
    } else if (want[i] !== have[i]) return null;
  }
  return found;
}

/* Clicks on links of ours stay within the page. */
export function followLinks(event) {
  const a = event.target.closest?.('a[href]');
  if (!a || event.defaultPrevented || event.button !== 0 || a.target || a.hasAttribute('download')) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const url = new URL(a.href);
  if (url.origin !== location.origin || !`${url.pathname}/`.startsWith(`${BASE}/`)) return;
  if (url.hash) return;
  event.preventDefault();
  go((url.pathname.slice(BASE.length) || '/') + url.search);
}
