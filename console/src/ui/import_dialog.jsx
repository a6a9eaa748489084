/* A certificate from files: dropped, or picked. */
import { useRef, useState } from 'preact/hooks';
import { post, segment } from '../lib/api.js';
import { CERTIFICATE_FILES, readCertificateFile } from '../lib/files.js';
import { Button, ErrorBox, tell } from './basic.jsx';
import { Dialog } from './dialog.jsx';
import { DropZone } from './drop_zone.jsx';
import { Icon } from './icons.jsx';
import { TextField } from './form.jsx';

const nameOf = (file) =>
  file
    .toLowerCase()
    .replace(/\.[^.]*$/, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64);

/* existing: names of components there are. name: the one to import into; files: dropped already. */
export function ImportDialog({ existing, name: fixed, files: first = [], onClose, onDone }) {
  const [parts, setParts] = useState([]);
  const [name, setName] = useState(fixed ?? '');
  const [how, setHow] = useState('next');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const begun = useRef(false);

  if (!begun.current) {
    begun.current = true;
    if (first.length > 0) take(first);
  }
  async function take(files) {
    setError(null);
    try {
      const read = await Promise.all(files.map(readCertificateFile));
      const useless = read.find((r) => !r.certificate && !r.key);
      if (useless) throw new Error(`${useless.name} holds neither a certificate nor a key.`);
      setParts((before) => [...before.filter((b) => !read.some((r) => r.name === b.name)), ...read]);
      const main = read.find((r) => r.certificate);
      if (main && !fixed) setName((n) => n || nameOf(main.name));
    } catch (e) {
      setError(e);
    }
  }
  const there = existing.includes(name);
  const certificates = parts.filter((p) => p.certificate);
  const keys = parts.filter((p) => p.key);

  async function run(event) {
    event.preventDefault();
    setError(null);
    if (certificates.length === 0) {
      setError(new Error('Choose the file with the certificate first.'));
      return;
    }
    setBusy(true);
    try {
      const got = await post(`/api/v1/certificates/${segment(name)}/import`, {
        query: { next: there && how === 'next' ? 1 : undefined },
        json: {
          certificate: certificates.length === 1 ? certificates[0].certificate : certificates.map((p) => p.certificate).join('\n'),
          ...(keys.length > 0 && !certificates.some((c) => c.key) ? { key: keys[0].key } : {}),
          ...(certificates.some((c) => c.key) ? { key: certificates.find((c) => c.key).key } : {}),
          ...(password ? { password } : {}),
        },
      });
      tell('good', `${got.name} version ${got.version}: ${got.subject}, ${got.days_left} days left${got.has_key ? ', with its private key' : ''}.`);
      if (got.problem) tell('work', got.problem);
      onDone(got);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  }
  return (
    <Dialog title={fixed ? `Import into ${fixed}` : 'Import a certificate'} onClose={() => !busy && onClose()}>
      <form onSubmit={run}>
        <DropZone onFiles={take} label="Files with certificate and key" accept={CERTIFICATE_FILES} multiple>
          Drop the certificate here: PEM, DER, PKCS#7 or PKCS#12, and its key when it is ours
        </DropZone>
        {parts.length > 0 && (
          <ul class="parts">
            {parts.map((p) => (
              <li key={p.name}>
                <Icon name={p.certificate ? 'certificates' : 'key'} />
                <span class="mono">{p.name}</span>
                <span class="soft">{[p.certificate && (p.secret && !p.key ? 'PKCS#12' : 'certificate'), p.key && 'private key'].filter(Boolean).join(' and ')}</span>
                <button type="button" class="button icon-only quiet small" aria-label={`Leave out ${p.name}`} onClick={() => setParts(parts.filter((x) => x !== p))}>
                  <Icon name="cross" />
                </button>
              </li>
            ))}
          </ul>
        )}
        {!fixed && <TextField label="Name of the component" value={name} onValue={setName} required autocomplete="off" autocapitalize="none" spellcheck={false} help="what partners and identities refer to" />}
        {there && (
          <fieldset class="choices">
            <legend>{name} is there already</legend>
            <label>
              <input type="radio" name="how" checked={how === 'next'} onChange={() => setHow('next')} />
              <span>
                Roll over: keep the present one and add this as the next. All valid ones are accepted; the first valid one signs, the newest is encrypted to.
              </span>
            </label>
            <label>
              <input type="radio" name="how" checked={how === 'replace'} onChange={() => setHow('replace')} />
              <span>Replace: only this one counts from now on.</span>
            </label>
          </fieldset>
        )}
        <TextField label="Password of the file" type="password" value={password} onValue={setPassword} autocomplete="off" help={parts.some((p) => p.secret) ? 'this file is encrypted' : 'only for PKCS#12 and encrypted keys; it is not kept'} />
        <ErrorBox error={error} />
        <div class="dialog-foot">
          <Button onClick={onClose} disabled={busy}>
            Do nothing
          </Button>
          <Button kind="primary" type="submit" busy={busy}>
            Import
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
