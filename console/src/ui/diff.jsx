/* Every line of two texts after a blank, '-' or '+', as the API gives them; long runs that are the
 * same are folded. */
import './diff.css';
import { useState } from 'preact/hooks';

const AROUND = 3;

function folded(lines) {
  const keep = lines.map(() => false);
  lines.forEach((l, i) => {
    if (l[0] !== ' ') for (let k = Math.max(0, i - AROUND); k <= Math.min(lines.length - 1, i + AROUND); k++) keep[k] = true;
  });
  const out = [];
  for (let i = 0; i < lines.length; i++) {
    if (keep[i]) out.push(lines[i]);
    else if (i === 0 || keep[i - 1]) out.push(null);
  }
  return out;
}

export function Diff({ lines }) {
  const [all, setAll] = useState(false);
  const changed = lines.filter((l) => l[0] !== ' ').length;
  const shown = all ? lines : folded(lines);
  if (changed === 0) return <p class="none">Both are the same.</p>;
  return (
    <>
      <div class="diff" role="region" aria-label="What differs" tabIndex={0}>
        {shown.map((l, i) =>
          l === null ? (
            <div key={i} class="diff-gap" aria-hidden="true">
              ⋯
            </div>
          ) : (
            <div key={i} class={l[0] === '+' ? 'added' : l[0] === '-' ? 'removed' : undefined}>
              {l[0] !== ' ' && <span class="hidden">{l[0] === '+' ? 'added: ' : 'removed: '}</span>}
              <span aria-hidden="true">{l[0]} </span>
              {l.slice(1)}
            </div>
          ),
        )}
      </div>
      {shown.length < lines.length && (
        <button type="button" class="button quiet" onClick={() => setAll(true)}>
          Show all {lines.length} lines
        </button>
      )}
    </>
  );
}
