/* Files that the browser's user gives, and gets. */

export function base64(buffer) {
  const octets = new Uint8Array(buffer);
  let text = '';
  for (let i = 0; i < octets.length; i += 8192) text += String.fromCharCode(...octets.subarray(i, i + 8192));
  return btoa(text);
}

export const CERTIFICATE_FILES = '.pem,.crt,.cer,.der,.key,.p12,.pfx,.p8,.p7b,.p7c';

const pem = (octets) => `-----BEGIN CERTIFICATE-----\n${base64(octets).replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;

/* The tags at the beginning of a SEQUENCE's first two members; [0, 0] when it is none. */
function members(o) {
  const skip = (at) => at + 2 + (o[at + 1] & 0x80 ? o[at + 1] & 0x7f : 0);
  const length = (at) => (o[at + 1] & 0x80 ? o.slice(at + 2, skip(at)).reduce((n, v) => n * 256 + v, 0) : o[at + 1]);
  if (o[0] !== 0x30) return [0, 0];
  const first = skip(0);
  return [o[first], o[skip(first) + length(first)]];
}

/* By its outermost structure: a certificate begins with a SEQUENCE, PKCS#7 with an OBJECT IDENTIFIER, a PKCS#12 file
 * with version 3 and a SEQUENCE, a key with version 0 or 1. Certificates become PEM, so that several go together. */
function ofDer(octets) {
  const [first, second] = members(octets);
  const at = octets[1] & 0x80 ? 2 + (octets[1] & 0x7f) : 2;
  if (first === 0x06) return { certificate: base64(octets), key: null, secret: false };
  if (first === 0x02 && second === 0x30 && octets[at + 2] === 3) return { certificate: base64(octets), key: null, secret: true };
  if (first === 0x02) return { certificate: null, key: base64(octets), secret: false };
  if (first === 0x30 && second === 0x04) return { certificate: null, key: base64(octets), secret: true };
  if (first === 0x30 && second === 0x30) return { certificate: pem(octets), key: null, secret: false };
  return { certificate: null, key: null, secret: false };
}

/* What a file with certificates or keys is, for the API: {name, certificate, key, secret}: PEM, or
 * base64 of DER. secret: it takes a password. */
export async function readCertificateFile(file) {
  if (file.size > 1024 * 1024) throw new Error(`${file.name} has more than 1 MB: it is no certificate.`);
  const buffer = await file.arrayBuffer();
  const text = new TextDecoder('latin1').decode(buffer);
  if (!text.includes('-----BEGIN ')) return { name: file.name, ...ofDer(new Uint8Array(buffer)) };
  const certificate = /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----|-----BEGIN (PKCS7|CMS)-----/.test(text);
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);
  return {
    name: file.name,
    certificate: certificate ? text : null,
    key: key ? text : null,
    secret: /ENCRYPTED/.test(text),
  };
}

export function saveFile(name, octets, type) {
  const url = URL.createObjectURL(new Blob([octets], { type }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
