/* Parts of one page, chosen by the address bar: <Tabs label name="view" tabs={[['form', 'Settings'], ...]} now="form" />. */
import './tabs.css';
import { place, setQuery } from '../lib/router.js';

export function useTab(name, tabs) {
  const { query } = place.use();
  return tabs.some(([id]) => id === query[name]) ? query[name] : tabs[0][0];
}

export function Tabs({ label, name, tabs, now, clear = [] }) {
  const choose = (id) => setQuery({ [name]: id === tabs[0][0] ? '' : id, ...Object.fromEntries(clear.map((k) => [k, ''])) }, { replace: false });
  return (
    <div class="tabs" role="group" aria-label={label}>
      {tabs.map(([id, text, count]) => (
        <button key={id} type="button" class="tab" aria-pressed={id === now} onClick={() => choose(id)}>
          {text}
          {count !== undefined && <span class="count">{count}</span>}
        </button>
      ))}
    </div>
  );
}
