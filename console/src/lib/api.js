/* Requests to the API. All throw ApiError with the API's own text. */
import { session } from './session.js';

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

/* options: query (empty values are left out), json or body (text, Blob, File) with type, signal,
 * quiet: a 401 does not lead to the log-on page. Gives the parsed answer. */
export async function request(method, path, options = {}) {
  const { query, json, body, type, signal, quiet } = options;
  const headers = { Accept: 'application/json' };
  const csrf = session.get()?.csrf;
  let answer;

  if (csrf && method !== 'GET') headers['X-CSRF-Token'] = csrf;
  if (json !== undefined) headers['Content-Type'] = 'application/json';
  else if (type) headers['Content-Type'] = type;
  try {
    answer = await fetch(withQuery(path, query), {
      method,
      headers,
      body: json !== undefined ? JSON.stringify(json) : body,
      signal,
      credentials: 'same-origin',
      cache: 'no-store',
    });
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new ApiError(0, 'The runtime does not answer: it may be stopped, or the way to it cut.');
  }
  const text = await answer.text();
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    /* not JSON */
  }
  if (answer.ok) return value;
  if (answer.status === 401 && !quiet) session.lost();
  throw new ApiError(
    answer.status,
    value?.error ?? (text.slice(0, 300) || `HTTP ${answer.status}`),
    value?.problems,
  );
}

export const get = (path, query, options) => request('GET', path, { query, ...options });
export const post = (path, options) => request('POST', path, options);
export const del = (path, options) => request('DELETE', path, options);

/* A name as one segment of a path. */
export const segment = encodeURIComponent;
