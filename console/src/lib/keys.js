/* Shortcuts: one key, or two as in "g d". Not while something is typed; they can be switched off
 * (WCAG 2.1.4). */
import { useEffect } from 'preact/hooks';
import { kept } from './store.js';

export const shortcutsOn = kept('waybill.shortcuts', true);

const known = new Map(); /* keys -> {help, run} */
let first = '';
let timer;

export const shortcuts = () => [...known].map(([keys, s]) => ({ keys, help: s.help }));

/* useKey('g d', 'go to documents', () => go('/documents')) while the component is there. */
export function useKey(keys, help, run) {
  useEffect(() => {
    const mine = { help, run };
    known.set(keys, mine);
    return () => {
      if (known.get(keys) === mine) known.delete(keys);
    };
  });
}

function typing(target) {
  return target.closest?.('input, textarea, select, [contenteditable]') && target.type !== 'checkbox';
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (!shortcutsOn.get() || document.querySelector('dialog[open]')) return;
  const keys = first ? `${first} ${event.key}` : event.key;
  first = '';
  clearTimeout(timer);
  const found = known.get(keys);
  if (found) {
    event.preventDefault();
    found.run();
  } else if ([...known.keys()].some((k) => k.startsWith(`${event.key} `))) {
    first = event.key;
    timer = setTimeout(() => (first = ''), 1500);
  }
});
