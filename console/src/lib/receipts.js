/* Receipts decoded: EERP and NERP by their layouts (RFC 5024 5.3.13, 5.3.14; level 5 has hash and
 * signature), MDNs as the text they are. */
export function octetsOf(hex) {
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return out;
}

const latin = (octets) => Array.from(octets, (o) => (o >= 32 && o < 127 ? String.fromCharCode(o) : '·')).join('');

const layouts = {
  E: [['EERPDSN', 26], ['EERPRSV1', 3], ['EERPDATE', 8], ['EERPTIME', 10], ['EERPUSER', 8], ['EERPDEST', 25], ['EERPORIG', 25]],
  N: [['NERPDSN', 26], ['NERPRSV1', 6], ['NERPDATE', 8], ['NERPTIME', 10], ['NERPDEST', 25], ['NERPORIG', 25], ['NERPCREA', 25], ['NERPREAS', 2]],
};

/* [[field, value]]; null: not such a command. */
export function decodeCommand(octets) {
  const name = String.fromCharCode(octets[0]);
  const rows = [];
  let at = 1;

  if (!layouts[name]) return null;
  const take = (n) => octets.subarray(at, (at += n));
  for (const [field, n] of layouts[name]) {
    if (at + n > octets.length) return null;
    const value = latin(take(n)).trimEnd();
    if (value) rows.push([field, value]);
  }
  const prefix = name === 'E' ? 'EERP' : 'NERP';
  if (name === 'N' && at + 3 <= octets.length) {
    const n = parseInt(latin(take(3)), 10) || 0;
    if (n > 0) rows.push(['NERPREAST', new TextDecoder().decode(take(n))]);
  }
  for (const [field, kind] of [['HSH', 'hash'], ['SIG', 'signature']]) {
    if (at + 2 > octets.length) break;
    const n = octets[at] * 256 + octets[at + 1];
    at += 2;
    const value = take(n);
    if (n > 0) rows.push([prefix + field, kind === 'hash' ? hexText(value) : `${n} octets (CMS signature)`]);
  }
  return rows;
}

export const hexText = (octets) => Array.from(octets, (o) => o.toString(16).padStart(2, '0')).join('');

/* The parts of an MDN people read: what stands before the signature. */
export function mdnText(octets) {
  return new TextDecoder().decode(octets).replace(/\r\n/g, '\n');
}

/* Fields of the message/disposition-notification part, and the text for people. */
export function decodeMdn(text) {
  const rows = [];
  const wanted = ['Reporting-UA', 'Original-Recipient', 'Final-Recipient', 'Original-Message-ID', 'Disposition', 'Received-Content-MIC', 'Failure', 'Error', 'Warning'];
  const unfolded = text.replace(/\n[ \t]+/g, ' ');
  for (const name of wanted) {
    const found = unfolded.match(new RegExp(`^${name}:[ \\t]*(.*)$`, 'im'));
    if (found) rows.push([name, found[1]]);
  }
  return rows;
}
