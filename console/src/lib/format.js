/* Texts of times, sizes and counts. Times are in the zone of the browser, or in UTC when the user
 * wants them so. */
import { kept, store } from './store.js';

export const inUtc = kept('waybill.utc', false);

const two = (n) => String(n).padStart(2, '0');

/* Minutes that a time is ahead of UTC in the zone that is shown. */
const ahead = (d) => (inUtc.get() ? 0 : -d.getTimezoneOffset());
const shifted = (d) => new Date(d.getTime() + ahead(d) * 60000).toISOString();

/* 2026-11-21, and 10:15:00 */
export const dayText = (d) => shifted(d).slice(0, 10);
export const clockText = (d) => shifted(d).slice(11, 19);
export const fineClockText = (d) => shifted(d).slice(11, 23);

/* UTC, UTC+01:00 */
export function offsetText(d) {
  const n = ahead(d);
  return n === 0 ? 'UTC' : `UTC${n < 0 ? '-' : '+'}${two(Math.floor(Math.abs(n) / 60))}:${two(Math.abs(n) % 60)}`;
}

/* The zone that is shown, for people. */
export function zoneText() {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const offset = offsetText(new Date());
  return inUtc.get() || !name || name === offset ? offset : `${offset}, ${name}`;
}

/* Changes at midnight: a clock alone is one of today. */
export const today = store(dayText(new Date()));
setInterval(() => today.get() !== dayText(new Date()) && today.set(dayText(new Date())), 10000);

/* The clock today, else day and clock; in full with the zone. */
export function timeText(text, { full = false } = {}) {
  const d = new Date(text);
  if (Number.isNaN(d.getTime())) return text;
  if (full) return `${dayText(d)} ${clockText(d)} ${offsetText(d)}`;
  return dayText(d) === dayText(new Date()) ? clockText(d) : `${dayText(d)} ${clockText(d)}`;
}

/* Of the API's time for a datetime-local field, and back. */
export function toField(text) {
  const d = new Date(text);
  return !text || Number.isNaN(d.getTime()) ? '' : shifted(d).slice(0, 19);
}
export function fromField(value) {
  const d = new Date(inUtc.get() && value ? `${value}Z` : value);
  return !value || Number.isNaN(d.getTime()) ? '' : d.toISOString().replace('.000Z', 'Z');
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

/* 1.2 MB, 1,234,567 octets: to be compared with what the partner says. */
export const exactSize = (n) => (n < 1000 ? plural(n, 'octet') : `${sizeText(n)}, ${plural(n, 'octet')}`);

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
