/* Files to be dropped, or picked with the keyboard. */
import './drop_zone.css';
import { useRef, useState } from 'preact/hooks';
import { Button } from './basic.jsx';
import { Icon } from './icons.jsx';

export function DropZone({ onFiles, children, label, multiple = false, accept }) {
  const [over, setOver] = useState(0);
  const input = useRef();
  return (
    <div
      class={`drop ${over > 0 ? 'over' : ''}`}
      onDragEnter={(e) => {
        e.preventDefault();
        setOver((n) => n + 1);
      }}
      onDragLeave={() => setOver((n) => Math.max(0, n - 1))}
      onDragOver={(e) => e.preventDefault()}
      onDrop={(e) => {
        e.preventDefault();
        setOver(0);
        onFiles([...e.dataTransfer.files]);
      }}
    >
      <Icon name="upload" size={22} />
      <p>{children}</p>
      <Button onClick={() => input.current.click()}>{multiple ? 'Choose files' : 'Choose a file'}</Button>
      <input
        ref={input}
        type="file"
        multiple={multiple}
        class="hidden"
        tabIndex={-1}
        aria-label={label}
        accept={accept}
        onChange={(e) => {
          onFiles([...e.target.files]);
          e.target.value = '';
        }}
      />
    </div>
  );
}
