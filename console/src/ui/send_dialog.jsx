/* A document of the browser's user is handed in to be sent. */
import { useState } from 'preact/hooks';
import { get, post } from '../lib/api.js';
import { sizeText } from '../lib/format.js';
import { usePoll } from '../lib/hooks.js';
import { go } from '../lib/router.js';
import { Button, ErrorBox, Link, Note, tell } from './basic.jsx';
import { Dialog } from './dialog.jsx';
import { DropZone } from './drop_zone.jsx';
import { SelectField, TextField } from './form.jsx';

/* So that the same dialog, sent twice, is one document. */
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, '0')).join('');

/* partner: the one to send to; without, one is chosen. */
export function SendDialog({ partner: fixed, onClose }) {
  const { data, error: unread } = usePoll((signal) => (fixed ? null : get('/api/v1/components', { kind: 'partner' }, { signal })), fixed ?? '');
  const [partner, setPartner] = useState(fixed ?? '');
  const [protocol, setProtocol] = useState('');
  const [file, setFile] = useState(null);
  const [name, setName] = useState('');
  const [contentType, setContentType] = useState('');
  const [subject, setSubject] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const [key] = useState(newKey);
  const partners = (data?.components ?? []).map((c) => c.name).sort();

  async function run(event) {
    event.preventDefault();
    if (!file) {
      setError(new Error('Choose the file first.'));
      return;
    }
    setError(null);
    setBusy(true);
    try {
      const as2 = protocol === 'as2';
      const { id } = await post('/api/v1/documents', {
        query: { partner, protocol, file_name: file.name, name, key, content_type: as2 ? contentType : '', subject: as2 ? subject : '' },
        body: file,
        type: 'application/octet-stream',
      });
      tell('good', `Document ${id} is in custody, and goes to ${partner}.`);
      onClose();
      go(`/documents/${id}`);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  }
  return (
    <Dialog title={fixed ? `Send a document to ${fixed}` : 'Send a document'} onClose={() => !busy && onClose()}>
      <form onSubmit={run}>
        <ErrorBox error={unread} />
        {data && partners.length === 0 && (
          <Note icon="partners">
            There is no partner to send to yet. <Link to="/partners/new/partner">Make the first one</Link>
          </Note>
        )}
        {!fixed && <SelectField label="Partner" value={partner} onValue={setPartner} required options={[['', 'choose one'], ...partners]} />}
        <SelectField
          label="Protocol"
          value={protocol}
          onValue={setProtocol}
          options={[
            ['', 'what the partner has'],
            ['oftp2', 'OFTP2'],
            ['as2', 'AS2'],
          ]}
          help="OFTP2 when it has both"
        />
        <DropZone onFiles={(files) => setFile(files[0] ?? null)} label="The file to send">
          {file ? (
            <>
              <span class="mono">{file.name}</span>, {sizeText(file.size)}
            </>
          ) : (
            'Drop the file here'
          )}
        </DropZone>
        <TextField label="Name" value={name} onValue={setName} autocomplete="off" spellcheck={false} help="what the partner sees (SFIDDSN, AS2 file name); empty: that of the file" />
        {protocol === 'as2' && (
          <>
            <TextField label="Content type" value={contentType} onValue={setContentType} autocomplete="off" spellcheck={false} help="empty: the partner's send.content_type" />
            <TextField label="Subject" value={subject} onValue={setSubject} autocomplete="off" />
          </>
        )}
        <ErrorBox error={error} />
        <div class="dialog-foot">
          <Button onClick={onClose} disabled={busy}>
            Do nothing
          </Button>
          <Button kind="primary" type="submit" busy={busy}>
            Send
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
