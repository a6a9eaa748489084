/* Files that the browser's user gives, and gets. */

export function base64(buffer) {
  const octets = new Uint8Array(buffer);
  let text = '';
  for (let i = 0; i < octets.length; i += 8192) text += String.fromCharCode(...octets.subarray(i, i + 8192));
  return btoa(text);
}

export const CERTIFICATE_FILES = '.pem,.crt,.cer,.der,.key,.p12,.pfx,.p7b,.p7c';

/* What a file with certificates or keys is, for the API: {name, certificate, key, secret}: PEM as it is,
 * the rest in base64. secret: it takes a password. */
export async function readCertificateFile(file) {
  if (file.size > 1024 * 1024) throw new Error(`${file.name} has more than 1 MB: it is no certificate.`);
  const buffer = await file.arrayBuffer();
  const text = new TextDecoder('latin1').decode(buffer);
  if (!text.includes('-----BEGIN ')) {
    const p12 = /\.(p12|pfx)$/i.test(file.name);
    return { name: file.name, certificate: base64(buffer), key: null, secret: p12 };
  }
  const certificate = /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----|-----BEGIN PKCS7-----/.test(text);
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
