/* What is selected of a list, for Table's select. Keys that are gone are not counted. */
import { useState } from 'preact/hooks';

export function useSelection(keys, label) {
  const [chosen, setChosen] = useState(() => new Set());
  const present = keys.filter((k) => chosen.has(k));
  return {
    keys: present,
    has: (k) => chosen.has(k),
    toggle: (k) =>
      setChosen((old) => {
        const next = new Set(old);
        if (!next.delete(k)) next.add(k);
        return next;
      }),
    all: (on) => setChosen(new Set(on ? keys : [])),
    clear: () => setChosen(new Set()),
    label,
  };
}
