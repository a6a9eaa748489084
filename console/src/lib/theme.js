/* Light, dark, or as the system says. */
import { kept } from './store.js';

export const theme = kept('waybill.theme', 'auto');

function apply() {
  const t = theme.get();
  if (t === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = t;
}

const { set } = theme;
theme.set = (next) => {
  set(next);
  apply();
};

/* From what is seen now to the other; then back to the system's. */
theme.next = () => {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const order = dark ? ['auto', 'light', 'dark'] : ['auto', 'dark', 'light'];
  theme.set(order[(order.indexOf(theme.get()) + 1) % 3]);
};

apply();
