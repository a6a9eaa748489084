/* Connects to a partner and says what was found. */
import { useEffect, useState } from 'preact/hooks';
import { post, segment } from '../lib/api.js';
import { spanText } from '../lib/format.js';
import { Button, ErrorBox, Loading, Note, say } from './basic.jsx';
import { Dialog } from './dialog.jsx';
import { Icon } from './icons.jsx';

export function TestDialog({ name, onClose }) {
  const [result, setResult] = useState(null);
  const [error, setError] = useState(null);

  async function run(signal) {
    setResult(null);
    setError(null);
    try {
      const got = await post(`/api/v1/partners/${segment(name)}/test`, { signal });
      setResult(got);
      say(got.ok ? 'The test went well' : 'The test failed');
    } catch (e) {
      if (e.name !== 'AbortError') setError(e);
    }
  }
  useEffect(() => {
    const alone = new AbortController();
    run(alone.signal);
    return () => alone.abort();
  }, []);
  return (
    <Dialog title={`Test of partner ${name}`} onClose={onClose} wide>
      {!result && !error && <Loading what="Connecting, which may take as long as the partner's time limits" />}
      <ErrorBox error={error} />
      {result && (
        <>
          <Note tone={result.ok ? 'good' : 'bad'} icon={result.ok ? 'check' : 'alert'}>
            {result.ok ? 'Everything that can be tried without sending a document works.' : 'It does not work yet: see the step that failed.'}
          </Note>
          <ol class="test-steps">
            {result.steps.map((s, i) => (
              <li key={i} class={s.ok ? 'good' : 'bad'}>
                <Icon name={s.ok ? 'check' : 'cross'} />
                <span class="step-name">
                  {s.step}
                  <span class="hidden">{s.ok ? ': works' : ': failed'}</span>
                </span>
                <span class="step-text">{s.text}</span>
                <span class="step-time">{spanText(s.ms)}</span>
              </li>
            ))}
          </ol>
          {result.trace.length > 0 && (
            <>
              <h3>What was said</h3>
              <pre class="trace" tabIndex={0} aria-label="Decoded trace">
                {result.trace.join('\n')}
              </pre>
            </>
          )}
        </>
      )}
      <div class="dialog-foot">
        <Button icon="refresh" onClick={() => run()} disabled={!result && !error}>
          Test again
        </Button>
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      </div>
    </Dialog>
  );
}
