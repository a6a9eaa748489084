/* A value that components follow. const theme = store('auto'); in a component: theme.use(). */
import { useEffect, useState } from 'preact/hooks';

export function store(value) {
  const followers = new Set();
  const self = {
    get: () => value,
    follow(run) {
      followers.add(run);
      return () => followers.delete(run);
    },
    set(next) {
      value = typeof next === 'function' ? next(value) : next;
      followers.forEach((f) => f(value));
    },
    use() {
      const [now, setNow] = useState(value);
      useEffect(() => {
        const follow = (v) => setNow(() => v);
        followers.add(follow);
        follow(value);
        return () => followers.delete(follow);
      }, []);
      return now;
    },
  };
  return self;
}

/* One that the browser keeps. */
export function kept(key, initial) {
  let value = initial;
  try {
    value = JSON.parse(localStorage.getItem(key)) ?? initial;
  } catch {
    /* none, or no storage here */
  }
  const self = store(value);
  const { set } = self;
  self.set = (next) => {
    set(next);
    try {
      localStorage.setItem(key, JSON.stringify(self.get()));
    } catch {
      /* for this page only, then */
    }
  };
  return self;
}
