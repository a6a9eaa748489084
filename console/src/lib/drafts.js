/* Texts of components that were changed and not saved yet, while the window is open: leaving their
 * page loses nothing. {text, version} by user, kind and name. */
import { session } from './session.js';

const kept = new Map();
const keyOf = (kind, name) => JSON.stringify([session.get()?.user, kind, name]);

export const drafts = {
  get: (kind, name) => kept.get(keyOf(kind, name)),
  set: (kind, name, draft) => kept.set(keyOf(kind, name), draft),
  drop: (kind, name) => kept.delete(keyOf(kind, name)),
  clear: () => kept.clear(),
};

addEventListener('beforeunload', (e) => kept.size > 0 && e.preventDefault());
