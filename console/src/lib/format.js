/* Texts of times, sizes and counts, as the browser's language writes them. */
const two = (n) => String(n).padStart(2, '0');

/* 2026-11-21 in local time. */
export const localDay = (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
export const localClock = (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;

/* Local: the clock today, else day and clock. */
export function timeText(text, { full = false } = {}) {
  const d = new Date(text);
  if (Number.isNaN(d.getTime())) return text;
  return !full && localDay(d) === localDay(new Date()) ? localClock(d) : `${localDay(d)} ${localClock(d)}`;
}

export const utcText = (text) => `${text.replace('T', ' ').replace('Z', '')} UTC`;

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

export function agoText(text, now = Date.now()) {
  const s = (new Date(text).getTime() - now) / 1000;
  const a = Math.abs(s);
  if (a < 60) return relative.format(Math.round(s), 'second');
  if (a < 3600) return relative.format(Math.round(s / 60), 'minute');
  if (a < 86400) return relative.format(Math.round(s / 3600), 'hour');
  return relative.format(Math.round(s / 86400), 'day');
}

export function sizeText(n) {
  if (n === null || n === undefined) return '';
  if (n < 1000) return `${n} B`;
  let unit = -1;
  do {
    n /= 1000;
    unit++;
  } while (n >= 999.5 && unit < 4);
  return `${n < 10 ? n.toFixed(1) : Math.round(n)} ${['kB', 'MB', 'GB', 'TB', 'PB'][unit]}`;
}

const counts = new Intl.NumberFormat('en');
export const countText = (n) => counts.format(n);

/* 1 document, 2 documents */
export const plural = (n, one, many = `${one}s`) => `${countText(n)} ${n === 1 ? one : many}`;

export function spanText(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.round((s % 86400) / 3600)} h`;
}
