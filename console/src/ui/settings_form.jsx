/* A form for a component, made of GET /api/v1/components/schema: it knows no setting by itself, but
 * for which ones are better seen at once. */
import { useState } from 'preact/hooks';
import { getValue, pathText, samePath } from '../lib/component.js';
import { Button, IconButton } from './basic.jsx';
import { Field } from './form.jsx';
import { HelpText, plainHelp } from './help_text.jsx';

const PROMINENT = new Set(['port', 'session_level_encryption', 'send', 'poll', 'password', 'acknowledge', 'require', 'mdn', 'signed', 'encrypted']);

/* form: {doc, change(path, value), problems: [{path, text}], names: {certificate: [{name, has_key}], ...}, locked} */
export function SettingsForm({ form, fields, path = [], fixed }) {
  const given = (f) => getValue(form.doc, [...path, f.name]) !== undefined;
  const wrong = (f) => form.problems.some((p) => starts(p.path, [...path, f.name]));
  const main = fields.filter((f) => f.required || given(f) || wrong(f) || PROMINENT.has(f.name) || f.type === 'mapping' || (f.default === null && f.default_text === null && f.type !== 'flag'));
  const [first] = useState(() => new Set(main.map((f) => f.name))); /* fields do not jump while one types */
  /* from and to are said by a reference alone, or in place */
  const alone = fields.find((f) => f.name === f.refers && ['from', 'to'].includes(path.at(-1)) && given(f));
  const seen = (f) => (alone ? f === alone || given(f) || wrong(f) : first.has(f.name));
  const shown = fields.filter(seen);
  const rest = fields.filter((f) => !seen(f));
  const one = (f) => (f.name === fixed ? null : <Setting key={f.name} form={form} field={f} path={[...path, f.name]} siblings={fields} />);
  return (
    <div class="settings">
      {shown.map(one)}
      {rest.length > 0 && (
        <details class="more-settings">
          <summary>
            {alone ? `${rest.length} settings in place of the ${alone.name}` : `${rest.length === 1 ? 'One more setting, at its default' : `${rest.length} more settings, at their defaults`}`}
          </summary>
          {rest.map(one)}
        </details>
      )}
    </div>
  );
}

const starts = (path, with_) => path.length >= with_.length && samePath(path.slice(0, with_.length), with_);

function problemAt(form, path) {
  return form.problems
    .filter((p) => samePath(p.path, path))
    .map((p) => p.text)
    .join(' ');
}

function Setting(props) {
  const { field } = props;
  if (field.type === 'mapping') return <Mapping {...props} />;
  if (field.type === 'list' || field.type === 'steps') return <List {...props} />;
  if (field.secret) return <Secret {...props} />;
  return <Value {...props} />;
}

function defaultText(field) {
  if (field.default !== null) return field.default;
  return field.default_text !== null ? plainHelp(field.default_text) : '';
}

/* <Field> with the setting's name as label; the help beside it. */
function Row({ field, path, form, children }) {
  const limits = field.limits ?? '';
  const help = (
    <>
      <HelpText text={field.help} />
      {limits && <span class="limits"> {limits}.</span>}
    </>
  );
  return (
    <div class="setting" data-path={pathText(path)}>
      <Field label={field.name} help={help} error={problemAt(form, path)} required={field.required}>
        {children}
      </Field>
    </div>
  );
}

function Value({ form, field, path }) {
  const value = getValue(form.doc, path);
  const set = (v) => form.change(path, v === '' || (Array.isArray(v) && v.length === 0) ? undefined : v);
  const none = field.required ? 'choose one' : defaultText(field) ? `default: ${defaultText(field)}` : 'not set';

  if (field.type === 'texts')
    return (
      <Row {...{ form, field, path }}>
        {(p) => (field.refers ? <Names {...{ p, form, field, value, set }} /> : <Texts {...{ p, form, field, value, set }} />)}
      </Row>
    );
  return (
    <Row {...{ form, field, path }}>
      {(p) => {
        const options = optionsOf(form, field, value);
        if (options)
          return (
            <select {...p} disabled={form.locked} value={text(value)} onChange={(e) => set(e.target.value)}>
              <option value="">{none}</option>
              {options.map(([v, shown]) => (
                <option key={v} value={v}>
                  {shown}
                </option>
              ))}
            </select>
          );
        if (field.multiline) return <textarea {...p} class="mono" rows={6} disabled={form.locked} value={text(value)} onInput={(e) => set(e.target.value)} />;
        return (
          <input
            type="text"
            {...p}
            class={field.template ? 'mono' : undefined}
            inputMode={field.type === 'number' || field.type === 'port' ? 'numeric' : undefined}
            placeholder={defaultText(field) || undefined}
            disabled={form.locked}
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            value={text(value)}
            onInput={(e) => set(e.target.value)}
          />
        );
      }}
    </Row>
  );
}

const text = (value) => (value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value));

/* [value, text] of a select; null: the field is typed. */
function optionsOf(form, field, value) {
  let list = null;
  if (field.type === 'flag') list = ['true', 'false'].map((v) => [v, v]);
  else if (field.choices) list = field.choices.map((v) => [v, v]);
  else if (field.refers)
    list = (form.names[field.refers] ?? []).filter((c) => !field.refers_key || c.has_key !== false).map((c) => [c.name, c.name]);
  if (list && value !== undefined && !list.some(([v]) => v === value)) {
    const same = { yes: 'true', on: 'true', no: 'false', off: 'false' }[value];
    if (field.type === 'flag' && same) return list.map(([v]) => (v === same ? [value, value] : [v, v]));
    list = [...list, [text(value), `${text(value)} ${field.refers ? '(there is none)' : ''}`]];
  }
  return list;
}

/* Known words: boxes to tick; others: one a line. */
function Texts({ p, form, field, value, set }) {
  const list = Array.isArray(value) ? value : [];
  const [typed, setTyped] = useState(list.join('\n'));
  if (field.choices)
    return (
      <div class="ticks" role="group" aria-label={field.name} aria-describedby={p['aria-describedby']} id={p.id}>
        {field.choices.map((c) => (
          <label key={c}>
            <input type="checkbox" disabled={form.locked} checked={list.includes(c)} onChange={(e) => set(field.choices.filter((x) => (x === c ? e.target.checked : list.includes(x))))} />
            <span>{c}</span>
          </label>
        ))}
      </div>
    );
  const now = typed.split('\n').filter((l) => l !== '');
  const shown = now.length === list.length && now.every((l, i) => l === list[i]) ? typed : list.join('\n');
  return (
    <textarea
      {...p}
      rows={Math.min(8, Math.max(2, list.length + 1))}
      disabled={form.locked}
      placeholder={Array.isArray(value) && list.length === 0 ? '[] (an empty list)' : defaultText(field) ? `default: ${defaultText(field)}; one a line` : 'one a line'}
      spellcheck={false}
      value={shown}
      onInput={(e) => {
        setTyped(e.target.value);
        set(e.target.value.split('\n').filter((l) => l !== ''));
      }}
    />
  );
}

/* Several components. */
function Names({ p, form, field, value, set }) {
  const list = Array.isArray(value) ? value : [];
  const known = (form.names[field.refers] ?? []).map((c) => c.name);
  const all = [...known, ...list.filter((n) => !known.includes(n))];
  return (
    <div class="ticks" role="group" aria-label={field.name} aria-describedby={p['aria-describedby']} id={p.id}>
      {all.map((c) => (
        <label key={c}>
          <input type="checkbox" disabled={form.locked} checked={list.includes(c)} onChange={(e) => set(all.filter((x) => (x === c ? e.target.checked : list.includes(x))))} />
          <span>{c}</span>
        </label>
      ))}
    </div>
  );
}

/* ---- secrets ---- */

const MASK = /^\*{3,}$/;

function modeOf(value) {
  if (value === undefined) return 'none';
  if (typeof value === 'string') return MASK.test(value) ? 'kept' : 'value';
  return 'any' in value ? 'any' : 'secret';
}

function Secret({ form, field, path }) {
  const value = getValue(form.doc, path);
  const [first] = useState(value);
  const now = modeOf(value);
  const [chosen, setChosen] = useState(now);
  /* the text may have been changed beside this form */
  const mode = now === 'none' && (chosen === 'value' || chosen === 'secret') ? chosen : now;
  const modes = [
    ...(modeOf(first) === 'kept' ? [['kept', 'as it is (not shown)']] : []),
    ['none', field.default_text ? `not set: ${plainHelp(field.default_text)}` : 'not set'],
    ['value', 'a value, kept with the component'],
    ...(field.type === 'text' ? [] : [['secret', 'the name of a secret']]),
    ...(field.type === 'password' ? [['any', 'accept any']] : []),
  ];
  function choose(next) {
    setChosen(next);
    if (next === 'kept') form.change(path, first);
    else if (next === 'any') form.change(path, { any: 'true' });
    else form.change(path, undefined);
  }
  return (
    <Row {...{ form, field, path }}>
      {(p) => (
        <div class="secret">
          <select {...p} disabled={form.locked} value={mode} onChange={(e) => choose(e.target.value)}>
            {modes.map(([v, shown]) => (
              <option key={v} value={v}>
                {shown}
              </option>
            ))}
          </select>
          {mode === 'value' && (
            <input type="password" aria-label={`${field.name}: value`} disabled={form.locked} autocomplete="new-password" maxLength={field.maximum ?? undefined} value={typeof value === 'string' ? value : ''} onInput={(e) => form.change(path, e.target.value === '' ? undefined : e.target.value)} />
          )}
          {mode === 'secret' && (
            <input type="text" aria-label={`${field.name}: name of the secret`} placeholder="name in secrets_directory" disabled={form.locked} autocomplete="off" autocapitalize="none" spellcheck={false} value={value?.secret ?? ''} onInput={(e) => form.change(path, e.target.value === '' ? undefined : { secret: e.target.value })} />
          )}
        </div>
      )}
    </Row>
  );
}

/* ---- mappings and lists ---- */

function Mapping({ form, field, path, siblings }) {
  const value = getValue(form.doc, path);
  const there = value !== undefined;
  const [added, setAdded] = useState(false);
  const below = form.problems.some((p) => starts(p.path, path));
  const top = path.length === 1;
  const open = there || added || field.required || (top && below);
  const decided = field.other && getValue(form.doc, [...path.slice(0, -1), field.other.by]) === field.other.when;
  const fields = decided ? field.other.fields : field.fields;
  const error = problemAt(form, path);
  const scalar = typeof value === 'string'; /* a switch, as `true` */
  const inner = scalar
    ? { ...form, change: (at, v) => { form.change(path, { [fields[0].name]: value }); form.change(at, v); } }
    : form;

  if (top && !open)
    return (
      <div class="setting absent" data-path={pathText(path)}>
        <Button icon="plus" disabled={form.locked} onClick={() => setAdded(true)}>
          {`Add ${field.name}`}
        </Button>
        <p class="help">
          <HelpText text={field.help} />
        </p>
      </div>
    );
  const body = (
    <>
      <p class="help">
        <HelpText text={field.help} />
      </p>
      {error && <p class="error">{error}</p>}
      {scalar ? (
        <p>
          <code>{value}</code>{' '}
          {!form.locked && (
            <Button kind="quiet" onClick={() => form.change(path, { [fields[0].name]: value })}>
              Show its settings
            </Button>
          )}
        </p>
      ) : (
        <SettingsForm key={decided ? 'other' : 'own'} form={inner} fields={fields} path={path} />
      )}
    </>
  );
  void siblings;
  if (top || field.required)
    return (
      <fieldset class={`mapping ${top ? 'side-of-it' : ''}`} data-path={pathText(path)}>
        <legend>
          <code>{field.name}</code>
        </legend>
        {top && !field.required && !form.locked && (
          <Button
            kind="quiet"
            icon="trash"
            class="take-away"
            onClick={() => {
              setAdded(false);
              form.change(path, undefined);
            }}
          >
            {`Remove ${field.name}`}
          </Button>
        )}
        {body}
      </fieldset>
    );
  return (
    <details class="mapping" open={there || below} data-path={pathText(path)}>
      <summary>
        <code>{field.name}</code> <span class="summary-help">{summaryOf(value)}</span>
      </summary>
      {body}
    </details>
  );
}

function summaryOf(value) {
  if (value === undefined) return 'at its defaults';
  if (typeof value === 'string') return value;
  return Object.entries(value)
    .map(([k, v]) => (typeof v === 'string' ? `${k}: ${v}` : k))
    .join(', ')
    .slice(0, 100);
}

function List({ form, field, path }) {
  const items = getValue(form.doc, path);
  const list = Array.isArray(items) ? items : [];
  const steps = field.type === 'steps';
  const [kind, setKind] = useState(field.fields[0]?.name);
  const error = problemAt(form, path);
  const all = (next) => form.change(path, next.length > 0 ? next : undefined);
  const move = (i, by) => {
    const next = [...list];
    [next[i], next[i + by]] = [next[i + by], next[i]];
    all(next);
  };
  return (
    <fieldset class="mapping list" data-path={pathText(path)}>
      <legend>
        <code>{field.name}</code>
      </legend>
      <p class="help">
        <HelpText text={field.help} />
      </p>
      {error && <p class="error">{error}</p>}
      {list.map((item, i) => {
        const name = steps && item !== null && typeof item === 'object' ? Object.keys(item)[0] : null;
        const one = steps ? field.fields.find((f) => f.name === name) : null;
        const label = name ?? `${field.name} ${i + 1}`;
        return (
          <fieldset key={i} class="item">
            <legend>{steps ? `${i + 1}. ${label}` : label}</legend>
            {!form.locked && (
              <div class="item-actions">
                {steps && i > 0 && <IconButton icon="up" label={`Move ${label} up`} onClick={() => move(i, -1)} />}
                {steps && i + 1 < list.length && <IconButton icon="down" label={`Move ${label} down`} onClick={() => move(i, 1)} />}
                <IconButton icon="trash" label={`Remove ${label}`} onClick={() => all(list.filter((_, k) => k !== i))} />
              </div>
            )}
            {steps ? (
              one ? <SettingsForm key={`${name}${list.length}`} form={form} fields={one.fields} path={[...path, i, name]} /> : <p class="error">Unknown step: see the text.</p>
            ) : (
              <SettingsForm key={list.length} form={form} fields={field.fields} path={[...path, i]} />
            )}
          </fieldset>
        );
      })}
      {!form.locked && (
        <div class="add-item">
          {steps && (
            <select aria-label="Kind of step" value={kind} onChange={(e) => setKind(e.target.value)}>
              {field.fields.map((f) => (
                <option key={f.name} value={f.name}>
                  {f.name}: {plainHelp(f.help)}
                </option>
              ))}
            </select>
          )}
          <Button icon="plus" onClick={() => form.change([...path, list.length], steps ? { [kind]: firstOf(field.fields.find((f) => f.name === kind)) } : firstOf(field))}>
            {steps ? 'Add step' : `Add to ${field.name}`}
          </Button>
        </div>
      )}
    </fieldset>
  );
}

/* A new item has its required settings, empty: they are to be filled in. */
function firstOf(field) {
  const out = {};
  for (const f of field.fields) if (f.required) out[f.name] = f.type === 'texts' ? [''] : '';
  return out;
}
