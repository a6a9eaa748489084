/* next, but with the parts of prev that are equal: what did not change stays the same object, and
 * is not rendered again. Objects in lists are paired by `id` or `name`. */
export function stable(prev, next) {
  if (Object.is(prev, next)) return prev;
  if (Array.isArray(prev) && Array.isArray(next)) return stableList(prev, next);
  if (!isObject(prev) || !isObject(next)) return next;
  const keys = Object.keys(next);
  let same = keys.length === Object.keys(prev).length;
  const out = {};
  for (const k of keys) {
    out[k] = stable(prev[k], next[k]);
    if (out[k] !== prev[k] || !(k in prev)) same = false;
  }
  return same ? prev : out;
}

const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);
const keyOf = (v) => (isObject(v) ? v.id ?? v.name : undefined);

function stableList(prev, next) {
  const byKey = new Map();
  for (const v of prev) if (keyOf(v) !== undefined) byKey.set(keyOf(v), v);
  const out = next.map((v, i) => {
    const key = keyOf(v);
    return stable(key === undefined ? prev[i] : byKey.get(key), v);
  });
  return out.length === prev.length && out.every((v, i) => v === prev[i]) ? prev : out;
}
