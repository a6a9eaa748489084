/* Who has logged on: {who, user, role, csrf, expires}, or null. */
import { store } from './store.js';

export const session = store(null);
export const runtime = store(null); /* GET /api/v1/runtime */
export const start = store({ users: true }); /* GET /console/start */

/* The log-on page says why it is there again. */
export const why = store('');

session.lost = () => {
  if (session.get()) {
    why.set('The session has ended. Log on again to go on where you were.');
    session.set(null);
  }
};

const ranks = { viewer: 1, operator: 2, admin: 3 };

/* Whether the user may do what takes this role. For what to offer: the API decides. */
export function may(role) {
  return (ranks[session.get()?.role] ?? 0) >= ranks[role];
}
