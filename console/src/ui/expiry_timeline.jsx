/* Certificates on a time axis: from when, until when, and where today is. */
import { plural } from '../lib/format.js';
import { Link } from './basic.jsx';

const DAY = 86400000;

function months(from, to) {
  const span = (to - from) / DAY;
  const step = span > 1500 ? 12 : span > 500 ? 6 : span > 200 ? 3 : 1;
  const out = [];
  const d = new Date(from);
  d.setUTCDate(1);
  d.setUTCHours(0, 0, 0, 0);
  for (; d.getTime() < to; d.setUTCMonth(d.getUTCMonth() + 1))
    if (d.getUTCMonth() % step === 0 && d.getTime() > from) out.push({ at: d.getTime(), text: step === 12 ? `${d.getUTCFullYear()}` : `${d.getUTCFullYear()}-${String(d.getUTCMonth() + 1).padStart(2, '0')}` });
  return out;
}

const TONES = { ok: 'good', expires: 'warn', expired: 'bad', revoked: 'bad', 'not yet valid': 'idle', unusable: 'bad' };

export function ExpiryTimeline({ certificates, to: link }) {
  const list = certificates.filter((c) => c.valid_from && c.valid_to);
  if (list.length === 0) return null;
  const now = Date.now();
  const ends = list.map((c) => new Date(c.valid_to).getTime());
  const from = Math.min(now - 60 * DAY, Math.max(Math.min(...ends) - 30 * DAY, now - 120 * DAY));
  const to = Math.max(now + 120 * DAY, Math.min(Math.max(...ends) + 30 * DAY, now + 3 * 365 * DAY));
  const x = (at) => (Math.min(1, Math.max(0, (at - from) / (to - from))) * 100).toFixed(2);
  return (
    <div class="expiry">
      <div class="expiry-axis" aria-hidden="true">
        {months(from, to).map((m) => (
          <span key={m.at} style={{ left: `${x(m.at)}%` }}>
            {m.text}
          </span>
        ))}
        <span class="expiry-today" style={{ left: `${x(now)}%` }}>
          today
        </span>
      </div>
      <ul>
        {list.map((c) => {
          const a = x(new Date(c.valid_from).getTime());
          const b = x(new Date(c.valid_to).getTime());
          const left = c.days_left < 0 ? `over for ${plural(-c.days_left, 'day')}` : `${plural(c.days_left, 'day')} left`;
          return (
            <li key={`${c.name}/${c.number}`}>
              <Link to={link(c)} class="expiry-name" title={c.subject}>
                {c.name}
                {c.number > 1 && <span class="soft"> ({c.number})</span>}
              </Link>
              <div class="expiry-row">
                <div class={`expiry-bar ${TONES[c.state] ?? 'idle'}`} style={{ left: `${a}%`, width: `${Math.max(0.4, b - a)}%` }} title={`${c.valid_from.slice(0, 10)} to ${c.valid_to.slice(0, 10)}: ${left}`} />
                <div class="expiry-now" style={{ left: `${x(now)}%` }} />
                <span class="hidden">
                  {c.state}, from {c.valid_from.slice(0, 10)} to {c.valid_to.slice(0, 10)}, {left}
                </span>
              </div>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
