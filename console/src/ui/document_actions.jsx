/* What can be done about documents, one or several. */
import { useRef, useState } from 'preact/hooks';
import { get, post, segment } from '../lib/api.js';
import { plural } from '../lib/format.js';
import { usePoll } from '../lib/hooks.js';
import { go } from '../lib/router.js';
import { Button, Link, say, tell } from './basic.jsx';
import { confirm, Dialog } from './dialog.jsx';

/* Whether a receipt waits for an operator: the document was taken with acknowledge: manual, or (before
 * that was noted) its process is one of manual, which have it now. What is not processed yet may also be
 * relayed, or a certificate. receipts are not told in lists. */
export function awaitsRelease(d, manual) {
  if (d.direction !== 'in' || (d.receipts?.length ?? 0) > 0) return false;
  const owed = d.properties?.acknowledge === 'manual' || manual.has(d.listener);
  if (['opened', 'processing'].includes(d.state)) return d.receipts !== undefined || owed;
  return ['processed', 'failed'].includes(d.state) && owed;
}

/* Of the listeners of documents those with acknowledge: manual. */
export function useManual(documents) {
  const names = [...new Set(documents.filter((d) => d.direction === 'in' && d.listener).map((d) => d.listener))].sort();
  const { data } = usePoll(
    names.length > 0 &&
      (async (signal) => {
        const one = (n) => get(`/api/v1/components/process/${segment(n)}`, { masked: 1 }, { signal }).catch((e) => (e.status === 404 ? { text: '' } : Promise.reject(e)));
        const found = await Promise.all(names.map(one));
        return names.filter((_, i) => /["']?acknowledge["']?\s*:\s*["']?manual\b/.test(found[i].text));
      }),
    names.join(),
  );
  return new Set(data ?? []);
}

/* So that a request made twice resends once. */
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, '0')).join('');

const doIt = (action, d, query) => post(`/api/v1/documents/${d.id}/${action.id}`, { query });

const ended = ['acknowledged', 'rejected', 'overdue', 'failed'];

/* What is offered: offer(d, manual); the API has the last word. */
export const actions = [
  {
    id: 'retry',
    title: 'Retry',
    icon: 'restart',
    offer: (d) => d.state === 'failed' || d.state === 'rejected' || (d.state === 'overdue' && d.protocol === 'as2'),
    text: (d) => (d.direction === 'in' ? 'What failed is run again, from the step that failed.' : 'It is sent to the partner again now.'),
    done: 'is tried again',
  },
  {
    id: 'reprocess',
    title: 'Process again',
    icon: 'restart',
    offer: (d) => d.direction === 'in' && d.state === 'processed',
    text: () => 'The process runs over it again, from its first step. What it wrote the first time stays.',
    done: 'is processed again',
  },
  {
    id: 'resend',
    title: 'Resend',
    icon: 'send',
    offer: (d) => d.direction === 'out' && ended.includes(d.state),
    text: () => 'The partner gets it as a new document, which does not count as a duplicate.',
    done: 'is sent again, as this new document',
  },
  {
    id: 'acknowledge',
    title: 'Acknowledge',
    icon: 'check',
    offer: awaitsRelease,
    text: () => 'The partner gets a positive receipt. It cannot be taken back.',
    done: 'is acknowledged',
  },
  {
    id: 'reject',
    title: 'Reject',
    icon: 'cross',
    danger: true,
    offer: awaitsRelease,
    text: () => 'The partner gets a negative receipt. It cannot be taken back.',
    field: { label: 'Reason for the partner' },
    done: 'is rejected',
  },
  {
    id: 'cancel',
    title: 'Cancel',
    icon: 'cross',
    danger: true,
    offer: (d) => d.direction === 'out' && ['queued', 'sealed', 'sending'].includes(d.state),
    text: () => 'It is not sent any more.',
    done: 'is cancelled',
  },
];

/* One, after a question. */
export async function run(action, d, refresh) {
  const key = action.id === 'resend' ? newKey() : undefined;
  const answer = await confirm({
    title: `${action.title} document ${d.id}?`,
    text: (
      <>
        <p>
          <b>{d.name}</b> {d.direction === 'in' ? 'from' : 'to'} {d.partner ?? d.peer}
        </p>
        <p>{action.text(d)}</p>
      </>
    ),
    action: action.title,
    danger: action.danger,
    field: action.field,
    run: (text) => doIt(action, d, { text, key }),
  });
  if (!answer) return;
  tell('good', `Document ${d.id} ${action.done}.`);
  if (action.id === 'resend' && answer.id) go(`/documents/${answer.id}`);
  else refresh();
}

const SHOWN = 8;

/* Several, after a question, one after the other; what the API refuses is told for each. onClose(done). */
export function ManyDialog({ action, documents, onClose }) {
  const [text, setText] = useState('');
  const [state, setState] = useState({ at: -1, done: 0, refused: [] }); /* at: -1 before, Infinity behind */
  const stop = useRef(false);
  const { at, done, refused } = state;
  const busy = at >= 0 && at < documents.length;

  async function start(event) {
    event.preventDefault();
    for (let i = 0; i < documents.length && !stop.current; i++) {
      setState((s) => ({ ...s, at: i }));
      try {
        await doIt(action, documents[i], { text, key: action.id === 'resend' ? newKey() : undefined });
        setState((s) => ({ ...s, done: s.done + 1 }));
      } catch (e) {
        if (e.name === 'AbortError') return;
        setState((s) => ({ ...s, refused: [...s.refused, { d: documents[i], text: e.message }] }));
        if (e.status === 0) break; /* nobody answers any more */
      }
    }
    setState((s) => ({ ...s, at: Infinity }));
    say(`${action.title}: it is over`);
  }
  const names = (list) => (
    <ul class="names">
      {list.slice(0, SHOWN).map((d) => (
        <li key={d.id}>
          <b>{d.name || `document ${d.id}`}</b> {d.direction === 'in' ? 'from' : 'to'} {d.partner ?? d.peer}
        </li>
      ))}
      {list.length > SHOWN && <li class="soft">and {plural(list.length - SHOWN, 'other', 'others')}</li>}
    </ul>
  );
  return (
    <Dialog title={`${action.title} ${plural(documents.length, 'document')}${at < 0 ? '?' : ''}`} onClose={() => !busy && onClose(done > 0)}>
      <form onSubmit={start}>
        <div class="dialog-text">
          {at < 0 && (
            <>
              <p>Each of them: {action.text(documents[0])}</p>
              {names(documents)}
            </>
          )}
          {busy && (
            <p class="progress">
              <progress max={documents.length} value={at} aria-label={action.title} />
              <span>
                {at + 1} of {documents.length}
              </span>
            </p>
          )}
          {at === Infinity && (
            <p role="status">
              {plural(done, 'document')} {done === 1 ? 'is' : 'are'} done
              {refused.length > 0 && `, ${refused.length} not`}
              {done + refused.length < documents.length && `, ${documents.length - done - refused.length} left as they were`}.
            </p>
          )}
          {refused.length > 0 && (
            <ul class="names">
              {refused.map((r) => (
                <li key={r.d.id}>
                  <Link to={`/documents/${r.d.id}`} onClick={() => onClose(done > 0)}>
                    {r.d.name || `document ${r.d.id}`}
                  </Link>
                  : {r.text}
                </li>
              ))}
            </ul>
          )}
        </div>
        {at < 0 && action.field && (
          <label class="field">
            <span class="label">{action.field.label}</span>
            <input value={text} onInput={(e) => setText(e.target.value)} maxLength={200} />
          </label>
        )}
        <div class="dialog-foot">
          {at < 0 && (
            <>
              <Button onClick={() => onClose(false)}>Do nothing</Button>
              <Button kind={action.danger ? 'danger' : 'primary'} type="submit" autofocus={!action.danger}>
                {action.title} {documents.length}
              </Button>
            </>
          )}
          {busy && <Button onClick={() => (stop.current = true)}>Stop after this one</Button>}
          {at === Infinity && (
            <Button kind="primary" onClick={() => onClose(done > 0)}>
              Close
            </Button>
          )}
        </div>
      </form>
    </Dialog>
  );
}
