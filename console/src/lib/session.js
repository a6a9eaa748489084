/* Who has logged on: {who, user, role, csrf, expires}, or null. */
import { store } from './store.js';

export const session = store(null);
export const runtime = store(null); /* GET /api/v1/runtime */
export const start = store({ users: true }); /* GET /console/start */

/* Whether the session has ended by itself: the page stays, with what was typed into it, behind the
 * log-on, and requests wait for it. */
export const ended = store(false);

session.lost = () => {
  if (session.get()) ended.set(true);
};

/* By log-on; null: by log-off. */
session.begin = (next) => {
  session.set(next);
  ended.set(false);
};

/* Until somebody has logged on: true when it is the same user, else the page is another one. */
export function loggedOn(signal) {
  const { user } = session.get();
  return new Promise((resolve) => {
    const done = () => {
      unfollow();
      signal?.removeEventListener('abort', done);
      resolve(session.get()?.user === user && !signal?.aborted);
    };
    const unfollow = ended.follow((on) => !on && done());
    signal?.addEventListener('abort', done);
  });
}

const ranks = { viewer: 1, operator: 2, admin: 3 };

/* Whether the user may do what takes this role. For what to offer: the API decides. */
export function may(role) {
  return (ranks[session.get()?.role] ?? 0) >= ranks[role];
}
