/* A component's text seen as settings, so that a form can change some of them: comments, order and
 * everything else stay as they were written. Paths are arrays of names and list numbers. */
import { Document, LineCounter, Scalar, YAMLMap, YAMLSeq, isCollection, isMap, isPair, isScalar, isSeq, parseDocument } from 'yaml';

const READ = { schema: 'failsafe', merge: false, uniqueKeys: true, version: '1.2' };
const WRITE = { lineWidth: 0, flowCollectionPadding: false };

/* {doc} or {error}: a text that is not one mapping can only be changed as text. */
export function readComponent(text) {
  const doc = parseDocument(text, READ);
  if (doc.errors.length > 0) return { error: doc.errors[0].message.split('\n')[0] };
  if (!isMap(doc.contents)) return { error: 'this text is not a mapping of settings' };
  return { doc };
}

export function newComponent(kind, name) {
  const doc = new Document({}, READ);
  setValue(doc, [kind], name);
  return doc;
}

export function textOf(doc) {
  return doc.toString(WRITE);
}

const PLAIN = /^[A-Za-z0-9_/.][A-Za-z0-9_/.+@-]*( [A-Za-z0-9_/.+@-]+)*$/;

function scalar(value) {
  const s = new Scalar(value);
  if (value.includes('\n')) s.type = Scalar.BLOCK_LITERAL;
  else if (!PLAIN.test(value) || /^null$/i.test(value)) s.type = Scalar.QUOTE_DOUBLE;
  return s;
}

function node(value) {
  if (Array.isArray(value)) {
    const seq = new YAMLSeq();
    seq.items = value.map(node);
    seq.flow = value.every((v) => typeof v === 'string');
    return seq;
  }
  if (value !== null && typeof value === 'object') {
    const map = new YAMLMap();
    for (const [k, v] of Object.entries(value)) map.set(new Scalar(k), node(v));
    map.flow = Object.values(value).every((v) => typeof v === 'string') && 'secret' in value;
    return map;
  }
  return scalar(value);
}

/* A text, a list or an object of texts; undefined when it is not there. */
export function getValue(doc, path) {
  const at = doc.getIn(path, true);
  if (at === undefined || at === null) return undefined;
  if (isScalar(at)) return at.value === null ? '' : String(at.value);
  return at.toJSON();
}

/* undefined takes it away, with the mappings that are empty then. */
export function setValue(doc, path, value) {
  if (value === undefined) {
    if (!doc.hasIn(path)) return;
    doc.deleteIn(path);
    for (let up = path.slice(0, -1); up.length > 0; up = up.slice(0, -1)) {
      const at = doc.getIn(up, true);
      if (!isMap(at) || at.items.length > 0 || typeof up[up.length - 1] === 'number') break;
      doc.deleteIn(up);
    }
    return;
  }
  const old = doc.getIn(path, true);
  if (isScalar(old) && typeof value === 'string') {
    const s = scalar(value);
    if (s.type !== undefined || old.type === Scalar.PLAIN || old.value === '') old.type = s.type ?? Scalar.PLAIN;
    old.value = value;
    return;
  }
  for (let n = 1; n < path.length; n++)
    if (!isCollection(doc.getIn(path.slice(0, n), true)))
      doc.setIn(path.slice(0, n), typeof path[n] === 'number' ? new YAMLSeq() : new YAMLMap());
  doc.setIn(path, node(value));
}

/* Where each value stands: {line, column, path} from 1, in the order of the text. */
export function placesOf(text) {
  const lines = new LineCounter();
  const doc = parseDocument(text, { ...READ, lineCounter: lines });
  const places = [];
  const add = (at, path) => {
    if (!at || !at.range) return;
    const { line, col } = lines.linePos(at.range[0]);
    places.push({ line, column: col, path });
  };
  const walk = (at, path) => {
    add(at, path);
    if (isMap(at))
      for (const p of at.items) {
        const below = [...path, String(isScalar(p.key) ? p.key.value : p.key)];
        add(p.key, below);
        walk(isPair(p) ? p.value : null, below);
      }
    else if (isSeq(at)) at.items.forEach((v, i) => walk(v, [...path, i]));
  };
  walk(doc.contents, []);
  return places;
}

/* The path of the setting a problem is about. What is missing is told at the mapping it is missing
 * in, and named first in the problem's text. */
export function pathOfProblem(text, problem) {
  const found = placesOf(text).filter((p) => p.line === problem.line);
  const exact = found.filter((p) => p.column === problem.column);
  const mapping = (exact.length > 0 ? exact : found)[0]?.path ?? [];
  const deepest = (exact.length > 0 ? exact : found).at(-1)?.path ?? [];
  const named = /^'(\w+)'/.exec(problem.text)?.[1];
  if (named === undefined || deepest.includes(named)) return deepest;
  if (/ is missing/.test(problem.text)) return [...mapping, named];
  return deepest;
}

export const samePath = (a, b) => a.length === b.length && a.every((v, i) => String(v) === String(b[i]));
export const pathText = (path) => path.map((p) => (typeof p === 'number' ? `[${p + 1}]` : p)).join('.').replaceAll('.[', '[');
