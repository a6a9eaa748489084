/* A component being made or changed: by form and by text, which are two views of one text. What is
 * wrong is asked of the runtime as one types. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { get, post, put as send, segment } from '../lib/api.js';
import { pathOfProblem, readComponent, setValue, textOf } from '../lib/component.js';
import { diffLines } from '../lib/diff.js';
import { drafts } from '../lib/drafts.js';
import { plural } from '../lib/format.js';
import { useRest } from '../lib/hooks.js';
import { may } from '../lib/session.js';
import { Button, ErrorBox, Note, say, tell } from './basic.jsx';
import { confirm } from './dialog.jsx';
import { Diff } from './diff.jsx';
import { SettingsForm } from './settings_form.jsx';
import { Tabs, useTab } from './tabs.jsx';
import './component_editor.css';

const FILE = 'form';
let schema = null;

/* The settings there are, and what components can refer to. */
export function useWhatThereIs() {
  const [got, setGot] = useState({ schema, names: null, error: null });
  useEffect(() => {
    const { signal } = new AbortController();
    Promise.all([schema ?? get('/api/v1/components/schema', {}, { signal }), get('/api/v1/components', {}, { signal }), get('/api/v1/certificates', {}, { signal })])
      .then(([s, c, certificates]) => {
        schema = s;
        const keys = new Set(certificates.certificates.filter((x) => x.has_key).map((x) => x.name));
        const names = { certificate: [], identity: [], partner: [], process: [] };
        for (const { kind, name } of c.components) names[kind].push({ name, has_key: kind === 'certificate' ? keys.has(name) : undefined });
        setGot({ schema: s, names, error: null });
      })
      .catch((error) => setGot((g) => ({ ...g, error })));
  }, []);
  return got;
}

/* start: the text to begin with. name: of a component that is there, null for a new one.
 * version: which one start is. onSaved(kind, name). */
export function ComponentEditor({ kind, name, start, version, draft, onSaved, onReload, extra = [] }) {
  const { schema: known, names, error: missing } = useWhatThereIs();
  const tabs = [['form', 'Settings'], ['text', 'Text'], ...extra.map((e) => [e.id, e.title])];
  const view = useTab('view', tabs);
  const [left] = useState(() => drafts.get(kind, name)); /* when this page was left last */
  const [text, setText] = useState(draft ?? left?.text ?? start);
  const base = useRef(draft ? version : left?.version ?? version); /* what text began from */
  const latest = useRef(text);
  const [checked, setChecked] = useState({ text: null, problems: [], error: null, warnings: [] });
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState(null);
  const rest = useRest(text, 500);
  const read = useMemo(() => readComponent(text), [text]);
  const locked = !may('admin');
  const changed = name === null || text !== start;
  const fields = known?.kinds.find((k) => k.kind === kind)?.fields;

  useEffect(() => {
    if (draft !== undefined && draft !== null) put(draft);
  }, [draft]);
  useEffect(() => {
    if (locked || rest === checked.text || rest === start) return undefined;
    const alone = new AbortController();
    check(rest, alone.signal);
    return () => alone.abort();
  }, [rest]);

  function put(next) {
    latest.current = next;
    if (next === start) {
      drafts.drop(kind, name);
      base.current = version;
    } else drafts.set(kind, name, { text: next, version: base.current });
    setText(next);
    setFailed(null);
  }
  function change(path, value) {
    const { doc } = readComponent(latest.current);
    if (!doc) return;
    setValue(doc, path, value);
    put(textOf(doc));
  }
  async function check(what, signal) {
    try {
      const got = await post('/api/v1/components/check', { query: { file: FILE }, body: what, type: 'application/yaml', signal });
      setChecked({ text: what, problems: got.problems, error: null, warnings: got.applied.flatMap((a) => a.warnings ?? []) });
    } catch (e) {
      if (e.name !== 'AbortError') setChecked({ text: what, problems: [], error: e, warnings: [] });
    }
  }
  /* Of other components that have a name this text gives itself. */
  function mayReplace(applied) {
    const other = applied.find((a) => a.version > 0 && !a.unchanged && !(a.kind === kind && a.name === name));
    return (
      !other ||
      confirm({
        title: `There is a ${other.kind} ${other.name} already`,
        text: `What you save replaces it, from its first setting to its last. To change it, open the ${other.kind} ${other.name} instead.`,
        action: `Replace ${other.name}`,
        danger: true,
      })
    );
  }
  /* What is there in place of the version that was seen: the version to save over, or null. */
  async function decide(a, refused) {
    let now = { version: 0, text: '' };
    try {
      now = await get(`/api/v1/components/${a.kind}/${segment(a.name)}`, { masked: 1 });
    } catch (e) {
      if (e.status !== 404) throw e;
    }
    const answer = await confirm({
      title: now.version > 0 ? 'It was changed meanwhile' : 'It was deleted meanwhile',
      text: (
        <>
          <p>{refused.message}</p>
          {now.version > 0 && <p>{`Yours replaces version ${now.version} from its first setting to its last. What differs (+ is yours):`}</p>}
          {now.version > 0 && <Diff lines={diffLines(now.text, latest.current)} />}
        </>
      ),
      action: now.version > 0 ? 'Save mine over it' : 'Make it again',
      other: onReload && (now.version > 0 ? 'Drop mine, take theirs' : 'Drop mine'),
      danger: true,
    });
    if (answer === 'other') {
      drafts.drop(kind, name);
      onReload();
    }
    if (answer !== true) return null;
    if (a.kind === kind && a.name === name) base.current = now.version; /* seen now */
    return now.version;
  }
  /* Only the version that was seen is replaced: the runtime looks, under its lock. What was applied, or
   * null: nothing. */
  async function saveOver(a) {
    let seen = a.kind === kind && a.name === name ? base.current : a.version;
    for (;;) {
      try {
        const { applied } = await send(`/api/v1/components/${a.kind}/${segment(a.name)}`, { query: { file: FILE }, body: latest.current, type: 'application/yaml', seen });
        return applied;
      } catch (e) {
        if (e.status !== 412) throw e;
        seen = await decide(a, e);
        if (seen === null) return null;
      }
    }
  }
  async function saveText() {
    const whole = { query: { file: FILE }, body: latest.current, type: 'application/yaml' };
    const { applied, problems } = await post('/api/v1/components/check', whole);
    /* what is wrong may come of what was changed meanwhile, which is told first */
    if (problems.length > 0 && name !== null) return saveOver({ kind, name });
    if (!(await mayReplace(applied))) return null;
    return applied.length === 1 ? saveOver(applied[0]) : (await post('/api/v1/components', whole)).applied;
  }
  async function save(event) {
    event?.preventDefault();
    setBusy(true);
    setFailed(null);
    try {
      const applied = await saveText();
      if (applied) {
        const mine = applied.find((a) => a.kind === kind && (name === null || a.name === name)) ?? applied[0];
        tell('good', mine.unchanged ? 'Nothing was different.' : `Version ${mine.version} of ${mine.kind} ${mine.name} is in force.`);
        (mine.warnings ?? []).forEach((w) => tell('work', w));
        drafts.drop(kind, name);
        onSaved(mine.kind, mine.name);
      }
    } catch (e) {
      setFailed(e);
      setChecked({ text: latest.current, problems: e.problems ?? [], error: e, warnings: [] });
      say(e.problems?.length ? `Not saved: ${plural(e.problems.length, 'problem')}` : 'Not saved');
    }
    setBusy(false);
  }

  const shownProblems = checked.text === text || failed ? checked.problems : [];
  const mine = shownProblems.filter((p) => p.file === FILE);
  const placed = mine.map((p) => ({ path: pathOfProblem(text, p), text: p.text }));
  const others = shownProblems.filter((p) => p.file !== FILE);
  const form = { doc: read.doc, change, problems: placed, names: names ?? {}, locked };
  const more = extra.find((e) => e.id === view);

  return (
    <>
      <Tabs label="View" name="view" tabs={tabs} now={view} clear={['from', 'to']} />
      <ErrorBox error={missing} />
      {more ? (
        more.content
      ) : (
        <form class="editor" onSubmit={save} noValidate>
          {locked && <Note icon="key">Only an admin changes components.</Note>}
          {left && text !== start && <Note icon="edit">These are your changes from before, which were not saved.</Note>}
          {view === 'text' && text.includes('********') && <p class="help">Passwords are shown as asterisks. Left so, they stay as they are.</p>}
          {view === 'text' && <TextView {...{ kind, text, put, locked, problems: mine, templates: known?.templates, example: known?.kinds.find((k) => k.kind === kind)?.example }} />}
          {view === 'form' && read.error && (
            <Note tone="warn" icon="alert">
              The text cannot be read as settings, so only the view "Text" can change it: {read.error}
            </Note>
          )}
          {view === 'form' && read.doc && fields && names && <SettingsForm key={draft ?? version} form={form} fields={fields} fixed={name === null ? undefined : kind} />}
          {!locked && (
            <div class="editor-foot">
              <div class="editor-state" aria-live="polite">
                <Verdict {...{ text, start, name, checked, failed, others, placed, view }} />
              </div>
              {changed && (name !== null || left) && (
                <Button onClick={() => put(start)} disabled={busy || text === start}>
                  Undo all
                </Button>
              )}
              {onReload && failed?.status === 409 && <Button onClick={onReload}>Load it again</Button>}
              <Button kind="primary" type="submit" busy={busy} disabled={!changed || text === start}>
                {name === null ? `Make ${kind}` : 'Save'}
              </Button>
            </div>
          )}
        </form>
      )}
    </>
  );
}

function Verdict({ text, start, name, checked, failed, others, placed, view }) {
  if (text === start && !failed) return <span class="none">{name === null ? 'Fill in what is required; the runtime checks it as you go.' : 'No change'}</span>;
  if (checked.text !== text && !failed) return <span class="none">Checking…</span>;
  if (checked.error && checked.problems.length === 0) return <ErrorBox error={checked.error} />;
  if (checked.problems.length > 0)
    return (
      <div class="note bad" role="alert">
        <div>
          <p>
            {checked.problems.length === 1 ? 'One problem' : `${checked.problems.length} problems`}
            {failed ? ': nothing was saved.' : '.'}
          </p>
          <ul class="problems">
            {(view === 'form' ? placed : []).map((p, i) => (
              <li key={i}>
                <button type="button" class="as-link" onClick={() => show(p.path)}>
                  <code>{p.path.join('.') || 'component'}</code>
                </button>{' '}
                {p.text}
              </li>
            ))}
            {others.map((p, i) => (
              <li key={`o${i}`}>
                <span class="mono">
                  {p.file}:{p.line}
                </span>{' '}
                {p.text}
              </li>
            ))}
          </ul>
        </div>
      </div>
    );
  return (
    <>
      <span class="state good">Nothing is wrong with it</span>
      {checked.warnings.map((w) => (
        <Note key={w} tone="warn" icon="alert">
          {w}
        </Note>
      ))}
    </>
  );
}

/* Brings the field of a path into view. */
function show(path) {
  for (let n = path.length; n > 0; n--) {
    const wanted = path.slice(0, n).map((p) => (typeof p === 'number' ? `[${p + 1}]` : p)).join('.').replaceAll('.[', '[');
    const found = document.querySelector(`[data-path="${CSS.escape(wanted)}"]`);
    if (!found) continue;
    for (let d = found.closest('details'); d; d = d.parentElement.closest('details')) d.open = true;
    found.scrollIntoView({ block: 'center' });
    found.querySelector('input, select, textarea, button')?.focus();
    return;
  }
}

function TextView({ kind, text, put, locked, problems, templates, example }) {
  const area = useRef();
  const numbers = text.split('\n');
  const wrong = new Map();
  for (const p of problems) wrong.set(p.line, [...(wrong.get(p.line) ?? []), p]);

  function jump(p) {
    const at = numbers.slice(0, p.line - 1).reduce((n, l) => n + l.length + 1, 0) + p.column - 1;
    area.current.focus();
    area.current.setSelectionRange(at, at + 1);
  }
  return (
    <>
      <div class="text-editor">
        <div class="line-numbers mono" aria-hidden="true">
          {numbers.map((_, i) => (
            <div key={i} class={wrong.has(i + 1) ? 'wrong' : undefined}>
              {i + 1}
            </div>
          ))}
        </div>
        <textarea
          ref={area}
          class="mono"
          aria-label={`Text of the ${kind}, YAML`}
          aria-invalid={problems.length > 0 || undefined}
          readOnly={locked}
          wrap="off"
          spellcheck={false}
          autocapitalize="none"
          autocomplete="off"
          rows={Math.max(12, numbers.length + 1)}
          value={text}
          onInput={(e) => put(e.target.value)}
        />
      </div>
      {problems.length > 0 && (
        <ul class="problems below">
          {problems.map((p, i) => (
            <li key={i}>
              <button type="button" class="as-link mono" onClick={() => jump(p)}>
                line {p.line}, column {p.column}
              </button>{' '}
              {p.text}
            </li>
          ))}
        </ul>
      )}
      {!locked && (
        <details class="more-settings">
          <summary>An example{kind === 'process' ? ', and the names templates may use' : ''}</summary>
          <pre class="mono example">{example}</pre>
          {kind === 'process' && (
            <dl class="templates">
              {(templates ?? []).map((t) => (
                <div key={t.name}>
                  <dt>
                    <code>{`{{${t.name}}}`}</code>
                  </dt>
                  <dd>{t.help}</dd>
                </div>
              ))}
            </dl>
          )}
        </details>
      )}
    </>
  );
}
