/* Bundles the console and writes it as C arrays, compressed.
 *   node build.mjs --modules DIR --out FILE.c [--depfile FILE.d] [--files DIR]
 * --modules is where `npm ci` put what package.json names; nothing is written beside the sources. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

const text = { type: 'string' };
const { values: options } = parseArgs({
  options: { modules: text, out: text, depfile: text, files: text },
});
const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.resolve(options.modules);
const esbuild = createRequire(path.join(modules, 'x.js'))('esbuild');

const bundled = await esbuild.build({
  absWorkingDir: here,
  entryPoints: ['src/main.jsx'],
  bundle: true,
  format: 'esm',
  target: ['chrome105', 'firefox110', 'safari16'],
  minify: true,
  legalComments: 'none',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  nodePaths: [modules],
  outdir: '/bundle',
  write: false,
  metafile: true,
  logLevel: 'warning',
});

const hash = (octets) => createHash('sha256').update(octets).digest('hex').slice(0, 16);
const made = (ending) => bundled.outputFiles.find((f) => f.path.endsWith(ending)).contents;
const script = made('.js');
const style = made('.css');
const names = { script: `app-${hash(script)}.js`, style: `app-${hash(style)}.css` };
const icon = readFileSync(path.join(here, 'src/icon.svg'));
const page = Buffer.from(
  readFileSync(path.join(here, 'src/index.html'), 'utf8')
    .replace('@SCRIPT@', names.script)
    .replace('@STYLE@', names.style)
    .replace('@ICON@', `icon-${hash(icon)}.svg`),
);
/* What is bundled asks that its terms go along. */
const packages = new Set(
  Object.keys(bundled.metafile.inputs)
    .map((f) => f.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1])
    .filter(Boolean),
);
const terms = [...packages].sort().map((name) => {
  const { version } = JSON.parse(readFileSync(path.join(modules, name, 'package.json'), 'utf8'));
  return `${name} ${version}\n\n${readFileSync(path.join(modules, name, 'LICENSE'), 'utf8').trim()}\n`;
});
const licenses = Buffer.from(`The console contains:\n\n${terms.join('\n---\n\n')}`);
/* The page is first: it is also what unknown paths get. */
const assets = [
  { name: 'index.html', type: 'text/html; charset=utf-8', octets: page, fixed: false },
  { name: names.script, type: 'text/javascript; charset=utf-8', octets: script, fixed: true },
  { name: names.style, type: 'text/css; charset=utf-8', octets: style, fixed: true },
  { name: 'licenses.txt', type: 'text/plain; charset=utf-8', octets: licenses, fixed: false },
  { name: `icon-${hash(icon)}.svg`, type: 'image/svg+xml', octets: icon, fixed: true },
];

function array(octets) {
  const lines = [];
  for (let i = 0; i < octets.length; i += 24)
    lines.push('    ' + Array.from(octets.subarray(i, i + 24)).join(','));
  return lines.join(',\n');
}

let c = '/* Made by console/build.mjs. */\n#include "api/console.h"\n';
let table = '';
assets.forEach((a, i) => {
  const packed = gzipSync(a.octets, { level: 9 });
  packed[9] = 255; /* the system it was made on is nobody's business */
  c += `\nstatic const uint8_t octets_${i}[] = {\n${array(packed)}\n};\n`;
  table +=
    `    { "${a.name}", "${a.type}", "\\"${hash(a.octets)}\\"", octets_${i}, ` +
    `sizeof(octets_${i}), ${a.octets.length}, ${a.fixed} },\n`;
});
c += `\nconst struct console_asset console_assets[] = {\n${table}};\n`;
c += `const size_t console_assets_n = ${assets.length};\n`;
writeFileSync(options.out, c);

if (options.files) {
  mkdirSync(options.files, { recursive: true });
  for (const a of assets) writeFileSync(path.join(options.files, a.name), a.octets);
}
if (options.depfile) {
  const inputs = Object.keys(bundled.metafile.inputs).map((f) => path.resolve(here, f));
  const more = ['src/index.html', 'src/icon.svg'].map((f) => path.join(here, f));
  const list = [...inputs, ...more].map((f) => f.replace(/[ #]/g, '\\$&'));
  writeFileSync(options.depfile, `${path.basename(options.out)}: ${list.join(' ')}\n`);
}
