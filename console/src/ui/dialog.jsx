/* Dialogs: the browser's own, which keeps the focus within and gives it back. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { store } from '../lib/store.js';
import { Button, ErrorBox, IconButton } from './basic.jsx';

let numbers = 0;

/* <Dialog title onClose>content</Dialog> is open while it is rendered. */
export function Dialog({ title, onClose, children, wide }) {
  const ref = useRef();
  const pressed = useRef(); /* a text selected beyond the edge does not close it */
  const [id] = useState(() => `dialog-${++numbers}`);
  useEffect(() => {
    const d = ref.current;
    d.showModal();
    return () => d.close();
  }, []);
  return (
    <dialog
      ref={ref}
      class={`dialog ${wide ? 'wide' : ''}`}
      aria-labelledby={id}
      onCancel={(e) => {
        if (e.target !== ref.current) return;
        e.preventDefault();
        onClose();
      }}
      onPointerDown={(e) => (pressed.current = e.target)}
      onClick={(e) => e.target === ref.current && pressed.current === ref.current && onClose()}
    >
      <div class="dialog-body">
        <div class="dialog-head">
          <h2 id={id}>{title}</h2>
          <IconButton icon="cross" label="Close" onClick={onClose} />
        </div>
        {children}
      </div>
    </dialog>
  );
}

const asked = store(null);

/* Asks before something is done; run does it, and its failure is shown in the dialog.
 * await confirm({title, text, action: 'Cancel document', danger, field: {label, required}, run})
 * gives false, or what run gave (true for nothing). text may be JSX. With field, run gets its text.
 * other: the text of a third choice, which gives 'other'. */
export function confirm(question) {
  return new Promise((resolve) => asked.set({ ...question, resolve }));
}

export function Confirmation() {
  const q = asked.use();
  return q ? <Question q={q} key={q} /> : null;
}

function Question({ q }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const [text, setText] = useState('');

  function close(value) {
    asked.set(null);
    q.resolve(value);
  }
  async function run(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const value = await q.run?.(text);
      close(value ?? true);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  }
  return (
    <Dialog title={q.title} onClose={() => !busy && close(false)}>
      <form onSubmit={run}>
        <div class="dialog-text">{typeof q.text === 'string' ? <p>{q.text}</p> : q.text}</div>
        {q.field && (
          <label class="field">
            <span class="label">{q.field.label}</span>
            <input value={text} onInput={(e) => setText(e.target.value)} required={q.field.required} maxLength={q.field.max ?? 200} />
          </label>
        )}
        <ErrorBox error={error} />
        <div class="dialog-foot">
          <Button onClick={() => close(false)} disabled={busy}>
            Do nothing
          </Button>
          {q.other && (
            <Button onClick={() => close('other')} disabled={busy}>
              {q.other}
            </Button>
          )}
          <Button kind={q.danger ? 'danger' : 'primary'} type="submit" busy={busy} autofocus={!q.danger}>
            {q.action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
