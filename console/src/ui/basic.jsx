/* Small parts every page uses. */
import { useEffect, useState } from 'preact/hooks';
import { store } from '../lib/store.js';
import { agoText, inUtc, timeText, today, utcText } from '../lib/format.js';
import { href } from '../lib/router.js';
import { Icon } from './icons.jsx';

/* <Button icon="pause" onClick>Pause</Button>. kind: primary, danger, quiet. busy: shows so, and
 * cannot be pressed. */
export function Button({ icon, kind = '', busy = false, disabled, children, class: more = '', ...rest }) {
  return (
    <button type="button" class={`button ${kind} ${more}`} disabled={disabled || busy} aria-busy={busy || undefined} {...rest}>
      {icon && <Icon name={busy ? 'clock' : icon} />}
      {children !== undefined && <span>{children}</span>}
    </button>
  );
}

/* An icon alone; label is its name. */
export function IconButton({ icon, label, kind = 'quiet', ...rest }) {
  return (
    <button type="button" class={`button icon-only ${kind}`} aria-label={label} title={label} {...rest}>
      <Icon name={icon} />
    </button>
  );
}

export function Link({ to, children, ...rest }) {
  return (
    <a href={href(to)} {...rest}>
      {children}
    </a>
  );
}

/* A time of the API, in the zone that was chosen; UTC and how long ago when pointed at. */
export function Time({ at, full, none = '–' }) {
  inUtc.use();
  today.use();
  if (!at) return <span class="none">{none}</span>;
  return (
    <time dateTime={at} title={`${utcText(at)} · ${agoText(at)}`}>
      {timeText(at, { full })}
    </time>
  );
}

/* A text to be copied, with its button. what: its name, "Message-ID". */
export function Copy({ text, what, children, mono = true }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  async function copy() {
    try {
      await navigator.clipboard.writeText(String(text));
      setDone(true);
      say(`${what} copied`);
    } catch {
      tell('bad', 'The browser does not let this page copy: without TLS only from this machine itself.');
    }
  }
  return (
    <span class="copy">
      <span class={mono ? 'mono' : undefined}>{children ?? text}</span>
      <button type="button" class="button icon-only quiet small" aria-label={`Copy ${what}`} title={`Copy ${what}`} onClick={copy}>
        <Icon name={done ? 'check' : 'copy'} />
      </button>
    </span>
  );
}

/* A state: colour, icon and text. tone: good, work, warn, bad, idle. */
export function State({ tone, icon, children, title }) {
  return (
    <span class={`state ${tone}`} title={title}>
      <Icon name={icon} size={12} />
      {children}
    </span>
  );
}

/* What went wrong, in the API's words; problems of a 422 below. */
export function ErrorBox({ error, onRetry }) {
  if (!error) return null;
  return (
    <div class="note bad" role="alert">
      <Icon name="alert" />
      <div>
        <p>{error.message}</p>
        {error.problems?.length > 0 && (
          <ul class="problems">
            {error.problems.map((p) => (
              <li>
                {p.line > 0 && <span class="mono">{`${p.file ? `${p.file}:` : ''}${p.line}:${p.column} `}</span>}
                {p.text}
              </li>
            ))}
          </ul>
        )}
        {onRetry && (
          <Button icon="refresh" onClick={onRetry}>
            Try again
          </Button>
        )}
      </div>
    </div>
  );
}

/* tone: work, good, warn, bad */
export function Note({ tone = 'work', icon = 'help', children }) {
  return (
    <div class={`note ${tone}`}>
      <Icon name={icon} />
      <div>{children}</div>
    </div>
  );
}

/* Nothing there: says what to do next. */
export function Empty({ icon = 'documents', title, children }) {
  return (
    <div class="empty">
      <Icon name={icon} size={28} />
      <p class="empty-title">{title}</p>
      <div class="empty-text">{children}</div>
    </div>
  );
}

/* A command to be copied. */
export function Command({ children }) {
  return (
    <span class="command">
      <Copy text={children} what="command" />
    </span>
  );
}

export function Loading({ what = 'Loading' }) {
  return (
    <p class="loading" role="status">
      {what}…
    </p>
  );
}

/* The head of a page: <h1>, what belongs beside it, and actions at the right. */
export function PageHead({ title, about, children }) {
  return (
    <header class="page-head">
      <div>
        <h1 tabIndex={-1} id="page-title">
          {title}
        </h1>
        {about && <p class="about">{about}</p>}
      </div>
      {children && <div class="actions">{children}</div>}
    </header>
  );
}

export function Panel({ title, actions, children, class: more = '', id }) {
  return (
    <section class={`panel ${more}`} aria-labelledby={id}>
      {title && (
        <div class="panel-head">
          <h2 id={id}>{title}</h2>
          {actions && <div class="actions">{actions}</div>}
        </div>
      )}
      {children}
    </section>
  );
}

/* Names and values: rows of [name, value]; empty values are left out. */
export function Facts({ rows }) {
  const given = rows.filter(([, v]) => v !== null && v !== undefined && v !== '' && v !== false);
  return (
    <dl class="facts">
      {given.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/* ---- words to the user: live regions ---- */

const spoken = store('');
const told = store([]);
let number = 0;

/* To screen readers only. */
export function say(text) {
  spoken.set('');
  setTimeout(() => spoken.set(text), 50);
}

/* A message at the edge, for some seconds; bad ones stay until they are closed. tone: good, bad, work. */
export function tell(tone, text) {
  const id = ++number;
  told.set((list) => [...list.slice(-3), { id, tone, text }]);
  if (tone !== 'bad') setTimeout(() => forget(id), 6000);
}

const forget = (id) => told.set((list) => list.filter((t) => t.id !== id));

export function Messages() {
  const list = told.use();
  return (
    <>
      <div class="hidden" role="status" aria-live="polite">
        {spoken.use()}
      </div>
      <div class="messages" role="status" aria-live="polite" aria-label="Messages">
        {list.map((t) => (
          <div key={t.id} class={`message ${t.tone}`}>
            <Icon name={t.tone === 'bad' ? 'alert' : t.tone === 'good' ? 'check' : 'clock'} />
            <p>{t.text}</p>
            <IconButton icon="cross" label="Close message" onClick={() => forget(t.id)} />
          </div>
        ))}
      </div>
    </>
  );
}

/* Runs what may fail and tells how it went: attempt(() => post(...), 'paused'). Gives the value, or
 * undefined after a failure. */
export async function attempt(run, done) {
  try {
    const value = await run();
    if (done) tell('good', typeof done === 'function' ? done(value) : done);
    return value === undefined || value === null ? true : value;
  } catch (e) {
    if (e.name !== 'AbortError')
      tell('bad', [e.message, ...(e.problems ?? []).map((p) => p.text)].join(' '));
    return undefined;
  }
}
