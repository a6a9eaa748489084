/* Bars over time, drawn as SVG: a stack of series for each point. Pointing at a bar, or the arrow
 * keys, tell its numbers; the same numbers are a table for those who do not see the drawing. */
import { useState } from 'preact/hooks';
import { memo } from './memo.js';

const W = 720;
const H = 168;
const LEFT = 34;
const BOTTOM = 18;

/* A round number at or above n. */
function top(n) {
  if (n <= 4) return 4;
  const base = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 4, 5, 8, 10].map((m) => m * base).find((v) => v >= n);
}

/* points: [{label, values: [n]}]; series: [{id, name}] by the same order; each id has a colour in
 * chart.css. caption: what is shown. */
function BarsOf({ points, series, caption }) {
  const [label, setLabel] = useState(null); /* the point moves to the left as time goes on */
  const found = points.findIndex((p) => p.label === label);
  const at = found < 0 ? null : found;
  const setAt = (i) => setLabel(i === null ? null : points[i].label);
  const most = top(Math.max(0, ...points.map((p) => p.values.reduce((a, b) => a + b, 0))));
  const step = (W - LEFT) / points.length;
  const y = (n) => (H - BOTTOM) * (1 - n / most) + 6;
  const height = (n) => ((H - BOTTOM) * n) / most;
  const shown = at === null ? points.length - 1 : at;

  function move(event) {
    const box = event.currentTarget.getBoundingClientRect();
    const i = Math.floor((((event.clientX - box.left) / box.width) * W - LEFT) / step);
    setAt(i >= 0 && i < points.length ? i : null);
  }
  function key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    setAt(Math.max(0, Math.min(points.length - 1, shown + by)));
  }
  return (
    <figure class="chart">
      <figcaption>
        <span class="legend">
          {series.map((s) => (
            <span key={s.id}>
              <span class={`swatch fill-${s.id}`} /> {s.name}
            </span>
          ))}
        </span>
        <span class="readout">
          {points[shown]?.label}
          {series.map((s, i) => (
            <span key={s.id}>
              {' '}
              · <b>{points[shown]?.values[i]}</b> {s.name}
            </span>
          ))}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${W} ${H + 10}`}
        role="slider"
        tabindex={0}
        aria-label={caption}
        aria-valuemin={1}
        aria-valuemax={points.length}
        aria-valuenow={shown + 1}
        aria-valuetext={`${points[shown]?.label}: ${series.map((s, i) => `${points[shown]?.values[i]} ${s.name}`).join(', ')}`}
        onPointerMove={move}
        onPointerLeave={() => setAt(null)}
        onKeyDown={key}
      >
        {[0, 0.5, 1].map((part) => (
          <g key={part}>
            <line class="grid" x1={LEFT} x2={W} y1={y(most * part)} y2={y(most * part)} />
            <text class="tick" x={LEFT - 6} y={y(most * part) + 3.5} text-anchor="end">
              {most * part}
            </text>
          </g>
        ))}
        {at !== null && <rect class="cursor" x={LEFT + at * step} y={6} width={step} height={H - BOTTOM} />}
        {points.map((p, i) => {
          let sum = 0;
          return p.values.map((n, k) => {
            if (n === 0) return null;
            sum += n;
            return (
              <rect
                key={`${i}-${k}`}
                class={`bar fill-${series[k].id}`}
                x={LEFT + i * step + step * 0.14}
                y={y(sum)}
                width={step * 0.72}
                height={height(n)}
              />
            );
          });
        })}
        {points.map((p, i) =>
          p.tick ? (
            <text key={i} class="tick" x={LEFT + (i + 0.5) * step} y={H + 6} text-anchor="middle">
              {p.tick}
            </text>
          ) : null,
        )}
      </svg>
    </figure>
  );
}

export const Bars = memo(BarsOf, (a, b) => a.points === b.points);
