/* Requests to the API. All throw ApiError with the API's own text. */
import { loggedOn, session } from './session.js';
import { store } from './store.js';

/* Whether the runtime answered the last time. */
export const reachable = store(true);

const PATIENCE = 30000; /* ms; a GET that takes longer is not answered any more */

export class ApiError extends Error {
  constructor(status, text, problems = []) {
    super(text);
    this.status = status;
    this.problems = problems; /* of a 422: {file, line, column, text} */
  }
}

export function withQuery(path, query = {}) {
  const given = Object.entries(query).filter(([, v]) => v !== undefined && v !== null && v !== '');
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/* {status, ok, text} of one request; throws AbortError, or what means that there was no answer. */
async function ask(method, path, { query, json, body, type, seen, signal }) {
  const headers = { Accept: 'application/json' };
  const csrf = session.get()?.csrf;
  const alone = new AbortController();
  const abort = () => alone.abort();
  let late = false;
  const timer = method === 'GET' && setTimeout(() => {
    late = true;
    abort();
  }, PATIENCE);

  if (csrf && method !== 'GET') headers['X-CSRF-Token'] = csrf;
  if (json !== undefined) headers['Content-Type'] = 'application/json';
  else if (type) headers['Content-Type'] = type;
  if (seen > 0) headers['If-Match'] = `"${seen}"`;
  else if (seen === 0) headers['If-None-Match'] = '*';
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort);
  try {
    const answer = await fetch(withQuery(path, query), {
      method,
      headers,
      body: json !== undefined ? JSON.stringify(json) : body,
      signal: alone.signal,
      credentials: 'same-origin',
      cache: 'no-store',
    });
    const { status, ok } = answer;
    const text = await answer.text();
    reachable.set(true);
    return { status, ok, text };
  } catch (e) {
    if (e.name === 'AbortError' && !late) throw e;
    reachable.set(false);
    throw new ApiError(0, late ? `The runtime has not answered for ${PATIENCE / 1000} seconds: what is shown may be old.` : 'The runtime does not answer: it may be stopped, or the way to it cut.');
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/* options: query (empty values are left out), json or body (text, Blob, File) with type, signal,
 * seen: the version of a component that this changes, 0 none: another is a 412. quiet: a 401 is an error as others are. Without, the request waits until the user has logged on
 * again, and is made then. Gives the parsed answer. */
export async function request(method, path, options = {}) {
  const { signal, quiet } = options;
  let answer = await ask(method, path, options);
  while (answer.status === 401 && !quiet && session.get()) {
    session.lost();
    if (!(await loggedOn(signal))) throw new DOMException('somebody else has logged on', 'AbortError');
    answer = await ask(method, path, options);
  }
  const { text } = answer;
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    /* not JSON */
  }
  if (answer.ok) return value;
  throw new ApiError(
    answer.status,
    value?.error ?? (text.slice(0, 300) || `HTTP ${answer.status}`),
    value?.problems,
  );
}

export const get = (path, query, options) => request('GET', path, { query, ...options });
export const post = (path, options) => request('POST', path, options);
export const put = (path, options) => request('PUT', path, options);
export const del = (path, options) => request('DELETE', path, options);

/* A name as one segment of a path. */
export const segment = encodeURIComponent;
