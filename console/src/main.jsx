import './style/base.css';
import './style/frame.css';
import './style/controls.css';
import './style/table.css';
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { get } from './lib/api.js';
import { followLinks } from './lib/router.js';
import { ended, session, start } from './lib/session.js';
import './lib/theme.js';
import { ErrorBox, Loading } from './ui/basic.jsx';
import { Frame } from './frame.jsx';
import { LogOn, LogOnAgain } from './logon.jsx';

function App() {
  const s = session.use();
  const again = ended.use();
  const [ready, setReady] = useState(false);
  const [error, setError] = useState(null);

  async function begin() {
    try {
      const got = await get('/console/start');
      start.set(got);
      session.set(got.session);
      setReady(true);
    } catch (e) {
      setError(e);
    }
  }
  useEffect(() => {
    begin();
  }, []);
  if (!ready) return error ? <ErrorBox error={error} onRetry={begin} /> : <Loading />;
  if (!s) return <LogOn />;
  return (
    <>
      <Frame key={s.user} />
      {again && <LogOnAgain user={s.user} />}
    </>
  );
}

document.addEventListener('click', followLinks);
/* A file dropped beside a field for files would take the place of the page. */
for (const kind of ['dragover', 'drop']) addEventListener(kind, (e) => e.dataTransfer?.types.includes('Files') && e.preventDefault());
render(<App />, document.getElementById('app'));
