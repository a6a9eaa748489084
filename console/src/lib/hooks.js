import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { runtime } from './session.js';
import { store } from './store.js';
import { stable } from './stable.js';

/* When live is false nothing is fetched again by itself. */
export const live = store(true);

const AGAIN = 3000; /* ms until a runtime that does not answer is asked again */

/* Fetches now and then again, `every` ms after the answer, while the page can be seen: at most one
 * request is under way, and what did not change stays the same object.
 * fetcher(signal): a promise; null: nothing to fetch. key: fetches anew when it changes.
 * Gives {data, error, loading, refresh}; after a failure data is what there was. */
export function usePoll(fetcher, key, every = 0) {
  const [state, setState] = useState({ data: null, error: null, loading: true, key });
  const now = useRef();
  const kick = useRef(() => {});
  const on = live.use();
  now.current = fetcher;

  useEffect(() => {
    let timer, running, again;
    const alone = new AbortController();

    setState((s) => (s.key === key ? s : { data: null, error: null, loading: true, key }));

    async function run() {
      clearTimeout(timer);
      if (running) {
        again = true;
        return;
      }
      running = true;
      let failed = false;
      const { signal } = alone;
      try {
        const data = now.current ? await now.current(signal) : null;
        if (!signal.aborted)
          setState((s) => {
            const next = stable(s.data, data);
            return next === s.data && !s.error && !s.loading ? s : { data: next, error: null, loading: false, key };
          });
      } catch (error) {
        failed = error.status === 0;
        if (!signal.aborted && error.name !== 'AbortError') setState((s) => ({ ...s, error, loading: false }));
      }
      running = false;
      if (signal.aborted) return;
      if (again) {
        again = false;
        run();
      } else plan(failed && !(every > 0 && every < AGAIN) ? AGAIN : every);
    }
    function plan(ms) {
      clearTimeout(timer);
      if (ms > 0 && on && document.visibilityState === 'visible') timer = setTimeout(run, ms);
    }
    function seen() {
      if (document.visibilityState === 'visible' && every > 0 && on) run();
    }
    kick.current = run;
    run();
    document.addEventListener('visibilitychange', seen);
    return () => {
      alone.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, [key, every, on]);

  const refresh = useCallback(() => kick.current(), []);
  return state.key === key ? { ...state, refresh } : { data: null, error: null, loading: true, refresh };
}

/* The title of the browser's window: the page, then whose console it is. */
export function useTitle(title) {
  const of = runtime.use()?.name;
  useEffect(() => {
    document.title = [title, of, 'Waybill'].filter(Boolean).join(' · ');
  }, [title, of]);
}

/* A value that follows after `ms` of rest: text of a search field. */
export function useRest(value, ms = 250) {
  const [rest, setRest] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRest(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return rest;
}
