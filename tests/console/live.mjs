/* How live two pages stay while documents come and go: frames, long tasks, requests, heap. Prints JSON.
 * See live.py. */
import { chromium, T } from './t.mjs';

const seconds = Number(process.argv[2]);
const browser = await chromium.launch({ executablePath: process.env.WAYBILL_CHROMIUM, args: ['--no-sandbox', '--enable-precise-memory-info'] });
const t = new T(browser);
await t.begin({ viewport: { width: 1280, height: 900 } });
const page = t.page;
const errors = [];
page.on('pageerror', (e) => errors.push(String(e)));
page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));

async function watch(path, ready) {
  await t.open(`/${path}`);
  await ready();
  let requests = 0;
  const count = (r) => { requests += r.url().includes('/api/'); };
  page.on('request', count);
  const seen = await page.evaluate(async (ms) => {
    const gaps = [], tasks = [], texts = new Set();
    new PerformanceObserver((l) => tasks.push(...l.getEntries().map((e) => e.duration))).observe({ entryTypes: ['longtask'] });
    const heap = performance.memory.usedJSHeapSize;
    const end = performance.now() + ms;
    let last = performance.now();
    while (last < end) {
      const now = await new Promise(requestAnimationFrame);
      gaps.push(now - last);
      last = now;
      if (gaps.length % 15 === 0) texts.add(document.querySelector('main').innerText);
    }
    gaps.sort((a, b) => a - b);
    return { frames_per_s: gaps.length / (ms / 1000), frame_p50_ms: gaps[gaps.length >> 1],
      frame_p99_ms: gaps[Math.floor(gaps.length * 0.99)], long_tasks: tasks.length,
      longest_task_ms: Math.max(0, ...tasks), changes_seen: texts.size,
      heap_mb_before: heap / 1e6, heap_mb_after: performance.memory.usedJSHeapSize / 1e6 };
  }, seconds * 1000);
  page.off('request', count);
  return { page: path || 'overview', ...seen, requests_per_s: requests / seconds };
}

const found = [
  await watch('', () => page.getByRole('heading', { name: 'Overview' }).waitFor()),
  await watch('documents', () => page.getByRole('table').waitFor()),
];
await browser.close();
console.log(JSON.stringify({ pages: found, errors }));
