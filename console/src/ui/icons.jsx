/* Icons, 16 by 16, drawn with the text's colour. They say nothing to screen readers: a text does. */
const drawings = {
  overview: 'M2 9.5V14h3V9.5zM6.5 5.5V14h3V5.5zM11 2v12h3V2z',
  listeners: 'M8 8.2v5.3M5.6 10.2a3.4 3.4 0 1 1 4.8 0M3.4 12.2a6.4 6.4 0 1 1 9.2 0',
  documents: 'M4 1.8h5l3.2 3.2v9.2H4zM9 1.8V5h3.2M6 8h4.2M6 10.8h4.2',
  sessions: 'M2 5.2h11M10.4 2.6 13 5.2l-2.6 2.6M14 10.8H3M5.6 8.2 3 10.8l2.6 2.6',
  partners: 'M5.6 7.4a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8zM1.4 13.4c.3-2.6 1.9-4 4.2-4s3.9 1.4 4.2 4M10.6 7.2a2.1 2.1 0 0 0 0-4.2M11.4 9.6c1.8.3 2.9 1.6 3.2 3.8',
  certificates: 'M8 9.4a3.7 3.7 0 1 0 0-7.4 3.7 3.7 0 0 0 0 7.4zM5.6 8.6 4.6 14 8 12.2l3.4 1.8-1-5.4',
  audit: 'M3 3.4h10M3 6.5h10M3 9.6h6M3 12.7h4M10.6 12l1.3 1.3 2.4-2.7',
  users: 'M8 7.6a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4zM2.8 13.8c.4-3 2.3-4.5 5.2-4.5s4.8 1.5 5.2 4.5',
  settings: 'M2 4.5h7M12.5 4.5H14M2 11.5h1.5M7 11.5h7M10.7 6.2a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4zM5.2 13.2a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4z',
  check: 'M3 8.6 6.4 12 13 4.6',
  cross: 'M4 4l8 8M12 4l-8 8',
  alert: 'M8 2 1.5 13.5h13zM8 6.4v3.4M8 11.6v.2',
  clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.8V8l2.2 1.6',
  pause: 'M5.4 3.4v9.2M10.6 3.4v9.2',
  play: 'M5 3.2v9.6l7.4-4.8z',
  restart: 'M13 8a5 5 0 1 1-1.6-3.7M13 2.2v3h-3',
  down: 'M8 2.5v9M4.4 8 8 11.6 11.6 8M3 14h10',
  up: 'M8 12V3M4.4 6.4 8 2.8l3.6 3.6M3 14h10',
  dots: 'M3.2 8h.1M8 8h.1M12.8 8h.1',
  copy: 'M5.6 5.4h7.6v8.2H5.6zM10.4 5.2V2.6H2.8v8.2h2.6',
  search: 'M7 11.6a4.6 4.6 0 1 0 0-9.2 4.6 4.6 0 0 0 0 9.2zM10.4 10.4 14 14',
  sun: 'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.4v1.4M8 13.2v1.4M1.4 8h1.4M13.2 8h1.4M3.3 3.3l1 1M11.7 11.7l1 1M12.7 3.3l-1 1M4.3 11.7l-1 1',
  moon: 'M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8z',
  auto: 'M2 3h12v8H2zM6 14h4M8 11v3',
  menu: 'M2 4h12M2 8h12M2 12h12',
  out: 'M9.6 2.6H3v10.8h6.6M7 8h7M11.4 5.4 14 8l-2.6 2.6',
  right: 'M6 3.4 10.6 8 6 12.6',
  left: 'M10 3.4 5.4 8l4.6 4.6',
  plus: 'M8 3v10M3 8h10',
  trash: 'M3 4.4h10M6.2 4.2V2.6h3.6v1.6M4.4 4.6l.6 9h6l.6-9M6.8 7v4M9.2 7v4',
  edit: 'M3 13l.6-2.8L10.8 3 13 5.2l-7.2 7.2zM9.4 4.4l2.2 2.2',
  external: 'M9 2.8h4.2V7M13 3 7.4 8.6M11.4 9.4v3.8H2.8V4.6h3.8',
  key: 'M5.2 10.8a2.9 2.9 0 1 0 0-5.8 2.9 2.9 0 0 0 0 5.8zM8.1 7.9H14v2.4M11.4 8v2',
  send: 'M14 2 2 7l4.6 2L9 14zM14 2 6.8 9.2',
  help: 'M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4zM6.2 6.2a1.9 1.9 0 1 1 2.6 1.9c-.6.3-.8.7-.8 1.3M8 11.4v.2',
  refresh: 'M13.4 6.4A5.6 5.6 0 0 0 3.2 5M3 2.2V5h2.8M2.6 9.6A5.6 5.6 0 0 0 12.8 11M13 13.8V11h-2.8',
  upload: 'M8 10.5V2.5M4.6 5.8 8 2.4l3.4 3.4M2.6 9.8v3.6h10.8V9.8',
};

export function Icon({ name, size = 16 }) {
  return (
    <svg class={`icon icon-${name}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={drawings[name] ?? drawings.dots} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg class="logo" width="24" height="24" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="7" />
      <path d="M6.5 9.5l4 13 5.5-11 5.5 11 4-13" />
    </svg>
  );
}
