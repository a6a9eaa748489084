// libas2 as a partner of the gateway. The library makes and reads messages; the HTTP around it is
// Node's. Orders come as JSON lines on standard input, answers go to standard output: run.py has
// the words.
//
//     LIBAS2=node_modules node --security-revert=CVE-2023-46809 libas2_peer.mjs
//         KEY_AND_CERTIFICATE OUR_CERTIFICATE DIRECTORY

import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import readline from 'node:readline'
import { createRequire } from 'node:module'

const require = createRequire(path.join(process.env.LIBAS2, 'x.js'))
const { AS2Composer, AS2Parser, AS2Crypto, request } = require('libas2')
const { AS2SignedData } = require('libas2/dist/src/AS2Crypto/AS2SignedData')

const [pair, ours, directory] = process.argv.slice(2)
const pem = fs.readFileSync(pair, 'utf8')
const block = kind => pem.match(new RegExp(`-----BEGIN ${kind}-----[^]*?-----END ${kind}-----`))[0]
const key = block('PRIVATE KEY')
const certificate = block('CERTIFICATE')
const theirs = fs.readFileSync(ours, 'utf8')
const DIGESTS = { sha1: 'SHA-1', sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' }
const CIPHERS = { '3des': 'des-EDE3-CBC', aes128: 'aes128-CBC', aes192: 'aes192-CBC', aes256: 'aes256-CBC' }
const WAIT = 10000

let received = []
let expected = {}
let number = 0
let own
const mdns = new Map()
const mics = new Map()
const wakers = new Set()

const say = answer => process.stdout.write(JSON.stringify(answer) + '\n')
const wake = () => wakers.forEach(w => w())

function until (check) {
  return new Promise(resolve => {
    const done = () => { wakers.delete(look); clearTimeout(timer); resolve(check()) }
    const look = () => { if (check()) done() }
    const timer = setTimeout(done, WAIT)
    wakers.add(look)
    look()
  })
}

// The signature that was made last: libas2 does not keep the MIC of what it sends.
let lastSigned
const sign = AS2Crypto.sign
AS2Crypto.sign = async (...args) => (lastSigned = await sign(...args))

function messageDigest (node) {
  const signed = new AS2SignedData(Buffer.alloc(0), node.childNodes[1].content)
  const attribute = signed.signed.signerInfos[0].signedAttrs.attributes
    .find(a => a.type === '1.2.840.113549.1.9.4')
  return Buffer.from(attribute.values[0].valueBlock.valueHex).toString('base64')
}

const base = (o, more) => ({
  host: { name: 'peer', id: 'PEER', url: own + '/mdn', certificate, privateKey: key, ...more.host },
  partner: { name: 'waybill', id: 'WAYBILL', url: o.url, file: 'EDIFACT', certificate: theirs, ...more.partner }
})

// ---- receiving ----

async function takeMessage (rawHeaders, headers, body) {
  // Its own way, by text, breaks binary octets; octets overflow its stack when they are many.
  const text = body.every(octet => octet < 128)
  const node = await AS2Parser.parse(text
    ? { headers: rawHeaders, content: body }
    : Buffer.concat([Buffer.from(headers + '\r\n', 'latin1'), body]))
  const o = { ...expected, url: own }
  const wanted = node.getHeader('Disposition-Notification-To') !== undefined
  const url = node.getHeader('Receipt-Delivery-Option')
  const out = await node.dispositionOut({
    agreement: base(o, {
      host: { decrypt: o.encrypted, sign: DIGESTS[o.digest] },
      partner: {
        verify: o.signed,
        mdn: { async: !!url, signing: node.getHeader('Disposition-Notification-Options') ? DIGESTS[o.digest] : false }
      }
    })
  })
  const content = out.contentNode && out.contentNode.content
  const file = path.join(directory, `received-${++number}`)
  const d = out.disposition.notification.disposition
  fs.writeFileSync(file, content || Buffer.alloc(0))
  received.push({
    file, name: out.contentNode && out.contentNode.filename, signed: !!o.signed, encrypted: !!o.encrypted,
    compressed: false, error: d.processed ? null : `${d.description.type}: ${d.description.text}`
  })
  wake()
  return wanted ? { url, ...await out.dispositionNode.buildObject() } : null
}

async function takeMdn (raw) {
  const node = await AS2Parser.parse(raw)
  const signed = (node.getHeader('Content-Type') || '').includes('multipart/signed')
  const mdn = await node.dispositionIn(signed ? { cert: theirs } : undefined)
  const n = mdn.notification
  const mic = n.receivedContentMic && n.receivedContentMic.mic
  const sent = mics.get(n.originalMessageId)
  return {
    id: n.originalMessageId,
    disposition: n.disposition.processed && !n.disposition.description ? 'processed' : JSON.stringify(n.disposition),
    signed, verified: signed, mic: sent && mic ? sent === mic : null
  }
}

const server = http.createServer((req, res) => {
  const bodies = []
  req.on('data', d => bodies.push(d))
  req.on('end', async () => {
    const body = Buffer.concat(bodies)
    let headers = ''
    for (let i = 0; i < req.rawHeaders.length; i += 2) headers += `${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}\r\n`
    try {
      if (req.url === '/mdn') {
        let mdn
        try { mdn = await takeMdn(Buffer.concat([Buffer.from(headers + '\r\n', 'latin1'), body])) } catch (e) { mdn = { error: `${e}` } }
        mdns.set(mdn.id, mdn)
        res.writeHead(200, { 'Content-Length': 0 }).end()
        return wake()
      }
      const mdn = await takeMessage(req.rawHeaders, headers, body)
      if (mdn === null || mdn.url) res.writeHead(200, { 'Content-Length': 0 }).end()
      else res.writeHead(200, { ...mdn.headers, 'Content-Length': Buffer.byteLength(mdn.body) }).end(mdn.body)
      if (mdn !== null && mdn.url) await request({ url: mdn.url, headers: mdn.headers, body: mdn.body })
    } catch (e) {
      console.error(e)
      received.push({ file: '/dev/null', error: `${e}` })
      wake()
      if (!res.headersSent) res.writeHead(500, { 'Content-Length': 0 }).end()
    }
  })
})

// ---- sending ----

async function compose (o) {
  lastSigned = undefined
  let content = fs.readFileSync(o.file)
  if (o.type.startsWith('text/')) content = content.toString('utf8')
  const composer = new AS2Composer({
    message: {
      filename: o.name, contentType: o.type, content, contentDisposition: false,
      // base64 is what it does by itself; a field of the part would move to the message.
      headers: o.base64 ? [] : [{ key: 'Content-Transfer-Encoding', value: 'binary' }]
    },
    agreement: base(o, {
      host: {
        sign: o.sign ? DIGESTS[o.sign] : false,
        mdn: o.mdn === 'none' ? undefined : { async: o.mdn === 'async', signing: o.mdn === 'unsigned' ? false : DIGESTS[o.sign || 'sha256'] }
      },
      partner: { encrypt: o.encrypt ? CIPHERS[o.encrypt] : false }
    }),
    additionalHeaders: { Subject: 'interop' }
  })
  const message = await composer.compile()
  if (o.mdn === 'unsigned') delete message._headers[message._headers.findIndex(h => h.key === 'Disposition-Notification-Options')]
  message._headers = message._headers.filter(h => h)
  const options = await composer.toRequestOptions()
  return { options, id: message.messageId(), mic: lastSigned && messageDigest(lastSigned) }
}

async function send (o) {
  const { options, id, mic } = await compose(o)
  mics.set(id, mic)
  const answer = await request(options)
  const out = { status: answer.statusCode, message_id: id, mdn: null }
  if (o.mdn === 'async') {
    await until(() => mdns.has(id) || mdns.has(undefined))
    out.mdn = mdns.get(id) || mdns.get(undefined) || null
    mdns.clear()
  } else if (o.mdn !== 'none' && answer.rawBody.length) {
    out.mdn = await takeMdn(answer.rawResponse)
  }
  return out
}

async function take () {
  await until(() => received.length)
  const found = received
  received = []
  return { received: found }
}

const words = { send, take, expect: async o => { expected = o; return {} } }
server.listen(0, '127.0.0.1', async () => {
  own = `http://127.0.0.1:${server.address().port}`
  say({ ready: true, url: own + '/as2', mdn_url: own + '/mdn' })
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const o = JSON.parse(line)
    try {
      say(await words[o.op](o))
    } catch (e) {
      console.error(e)
      say({ error: `${e}` })
    }
  }
  process.exit(0)
})
