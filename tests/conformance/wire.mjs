// wire - frames by hand over a raw socket, and a strict reader of the answers.
//
// Nothing here corrects what a case wants to send: every bit of a frame can be
// set wrong. What the server sends is held to the RFC on every frame: shortest
// length, no mask, reserved bits and opcodes, valid UTF-8, no data after a close.
import net from 'node:net'
import crypto from 'node:crypto'
import zlib from 'node:zlib'

export const FIN = 0x80
export const RSV1 = 0x40
export const OP = { cont: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 }
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const bytesOf = (v) => (typeof v === 'string' ? Buffer.from(v) : Buffer.from(v ?? []))

/* One frame. o: fin (true), rsv (0 to 7), mask (true; or 4 bytes), form (7, 16 or
 * 64 bits of length; the shortest), length (what to announce). */
export function frame(opcode, payload, o = {}) {
  const body = bytesOf(payload)
  const length = BigInt(o.length ?? body.length)
  const form = o.form ?? (length < 126n ? 7 : length < 65536n ? 16 : 64)
  const first = ((o.fin ?? true) ? FIN : 0) | ((o.rsv ?? 0) << 4) | opcode
  const masked = (o.mask ?? true) !== false
  const head = [first, (masked ? 0x80 : 0) | (form === 7 ? Number(length) : form === 16 ? 126 : 127)]
  if (form === 16) head.push(Number(length >> 8n) & 255, Number(length & 255n))
  if (form === 64) for (let i = 56n; i >= 0n; i -= 8n) head.push(Number((length >> i) & 255n))
  if (!masked) return Buffer.concat([Buffer.from(head), body])
  const key = Array.isArray(o.mask) ? Buffer.from(o.mask) : crypto.randomBytes(4)
  return Buffer.concat([Buffer.from(head), key, applyMask(Buffer.from(body), key)])
}

function applyMask(body, key) {
  const word = key.readUInt32LE(0)
  const n = body.length & ~3
  if (body.byteOffset % 4 === 0) {
    const words = new Uint32Array(body.buffer, body.byteOffset, n / 4)
    for (let i = 0; i < words.length; i++) words[i] ^= word
  } else {
    for (let i = 0; i < n; i++) body[i] ^= key[i & 3]
  }
  for (let i = n; i < body.length; i++) body[i] ^= key[i & 3]
  return body
}

export const text = (v, o) => frame(OP.text, v, o)
export const binary = (v, o) => frame(OP.binary, v, o)
export const cont = (v, o) => frame(OP.cont, v, o)
export const ping = (v, o) => frame(OP.ping, v, o)
export const pong = (v, o) => frame(OP.pong, v, o)
export const close = (code, reason = '', o) =>
  frame(OP.close, code === undefined ? '' : closePayload(code, reason), o)
export const closePayload = (code, reason = '') =>
  Buffer.concat([Buffer.from([code >> 8, code & 255]), bytesOf(reason)])

/* A message in fragments: sizes of all but the last, or one size for all. */
export function fragments(opcode, payload, size, o = {}) {
  const body = bytesOf(payload)
  const frames = []
  for (let i = 0; i === 0 || i < body.length; i += size) {
    const last = i + size >= body.length
    frames.push(frame(i === 0 ? opcode : OP.cont, body.subarray(i, i + size),
      { ...o, fin: last, rsv: i === 0 ? o.rsv : 0 }))
  }
  return frames
}

/* permessage-deflate of one message without context. */
export function deflate(payload, o = {}) {
  const out = zlib.deflateRawSync(bytesOf(payload), { finishFlush: zlib.constants.Z_SYNC_FLUSH, level: 6, ...o })
  return out.subarray(0, out.length - 4)
}

/* In small steps, so that zlib has nothing but the agreed window to look back into. */
export function inflate(payload, windowBits = 15) {
  return zlib.inflateRawSync(Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]),
    { finishFlush: zlib.constants.Z_SYNC_FLUSH, windowBits, chunkSize: windowBits < 15 ? 64 : 65536 })
}

export class Failure extends Error {}
export const fail = (words) => {
  throw new Failure(words)
}

const short = (b) => (b.length > 40 ? `${b.length} bytes` : JSON.stringify(b.toString('latin1')))
export const show = (ev) =>
  ev.type === 'close' ? `close ${ev.code ?? 'without a code'}` : ev.data ? `${ev.type} ${short(ev.data)}` : ev.type

const strictText = new TextDecoder('utf-8', { fatal: true })
export const isUtf8 = (b) => {
  try {
    strictText.decode(b)
    return true
  } catch {
    return false
  }
}

/* A socket, and what has come from it and was not taken yet. */
class Stream {
  constructor(port, host) {
    this.rest = Buffer.alloc(0)
    this.chunks = []
    this.buffered = 0
    this.ended = null
    this.wake = () => {}
    this.socket = net.connect({ port, host, noDelay: true, allowHalfOpen: true })
    this.socket.on('data', (d) => {
      this.chunks.push(d)
      this.buffered += d.length
      this.wake()
    })
    this.socket.on('end', () => this.end('eof'))
    this.socket.on('close', () => this.end('eof'))
    this.socket.on('error', (e) => this.end(e.code === 'ECONNRESET' || e.code === 'EPIPE' ? 'reset' : e.code))
  }

  end(how) {
    this.ended ??= how
    this.wake()
  }

  opened() {
    return new Promise((resolve, reject) => this.socket.once('connect', resolve).once('error', reject))
  }

  /* Waits until something more has come, or the end. */
  more(ms) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Failure(`nothing came for ${ms} ms`)), ms)
      this.wake = () => {
        clearTimeout(timer)
        this.wake = () => {}
        resolve()
      }
    })
  }

  /* n bytes, or null when the stream ends before. */
  async bytes(n, ms) {
    while (this.buffered < n && this.ended === null) await this.more(ms)
    if (this.buffered < n) return null
    if (this.rest.length < n) {
      this.rest = Buffer.concat([this.rest, ...this.chunks])
      this.chunks = []
    }
    const out = this.rest.subarray(0, n)
    this.rest = this.rest.subarray(n)
    this.buffered -= n
    return out
  }

  write(data) {
    return new Promise((resolve) => this.socket.write(data, () => resolve()))
  }

  destroy() {
    this.socket.destroy()
  }
}

export const TIMEOUT_MS = 5000

export class Client {
  constructor(target) {
    this.target = target
    this.deflate = null
    this.partial = null
    this.closed = false
  }

  async connect() {
    this.stream = new Stream(this.target.port, this.target.host)
    await this.stream.opened()
    return this
  }

  /* The parts of a correct upgrade request; a case replaces what it likes. */
  request(o = {}) {
    this.key = o.key ?? crypto.randomBytes(16).toString('base64')
    const fields = {
      Host: `${this.target.host}:${this.target.port}`,
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': this.key,
      'Sec-WebSocket-Version': '13',
      ...o.fields,
    }
    const lines = Object.entries(fields).filter(([, v]) => v !== null).map(([k, v]) => `${k}: ${v}`)
    return [`${o.line ?? `GET ${this.target.path} HTTP/1.1`}`, ...lines, ...(o.lines ?? [])].join('\r\n') + '\r\n\r\n'
  }

  /* The answer to an HTTP request: { status, fields }, or null when the connection ends first. */
  async response(ms = TIMEOUT_MS) {
    let head = ''
    while (!head.endsWith('\r\n\r\n')) {
      const b = await this.stream.bytes(1, ms)
      if (b === null) return head === '' ? null : fail(`the response ends in its head: ${JSON.stringify(head)}`)
      head += b.toString('latin1')
      if (head.length > 65536) fail('the response head does not end')
    }
    const lines = head.slice(0, -4).split('\r\n')
    const m = /^HTTP\/1\.1 (\d{3}) [ -~]+$/.exec(lines[0]) ?? fail(`bad status line ${lines[0]}`)
    const fields = new Map()
    for (const line of lines.slice(1)) {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): *(.*?) *$/.exec(line) ?? fail(`bad line ${line}`)
      const key = name.toLowerCase()
      fields.set(key, fields.has(key) ? `${fields.get(key)}, ${value}` : value)
    }
    return { status: Number(m[1]), fields }
  }

  /* The whole opening handshake. o: as request(), and chop. */
  async open(o = {}) {
    await this.connect()
    await this.send(this.request(o), o.chop)
    this.accept(await this.response(), o)
    return this
  }

  accept(res, o = {}) {
    if (res?.status !== 101) fail(`the handshake was answered with ${res?.status ?? 'the end of the connection'}`)
    const want = crypto.createHash('sha1').update(this.key + GUID).digest('base64')
    if (res.fields.get('sec-websocket-accept') !== want) fail('Sec-WebSocket-Accept is wrong')
    if (res.fields.get('upgrade')?.toLowerCase() !== 'websocket') fail('Upgrade is wrong')
    if (res.fields.get('connection')?.toLowerCase() !== 'upgrade') fail('Connection is wrong')
    if (res.fields.has('content-length') || res.fields.has('transfer-encoding')) fail('a 101 has a body')
    const extension = res.fields.get('sec-websocket-extensions')
    if (extension !== undefined) this.deflate = parseDeflate(extension)
    if (extension !== undefined && !o.fields?.['Sec-WebSocket-Extensions'] && !o.lines)
      fail('an extension is used that was not offered')
    this.protocol = res.fields.get('sec-websocket-protocol')
  }

  /* Bytes, frames or a list of them, at once, or in pieces of `chop` bytes. */
  async send(data, chop = 0) {
    const all = Array.isArray(data) ? Buffer.concat(data.map(bytesOf)) : bytesOf(data)
    if (chop === 0) return this.stream.write(all)
    for (let i = 0; i < all.length; i += chop) await this.stream.write(all.subarray(i, i + chop))
  }

  async readFrame(ms) {
    const head = await this.stream.bytes(2, ms)
    if (head === null) return null
    const opcode = head[0] & 15
    if (head[1] & 0x80) fail('the server masks')
    if (head[0] & 0x30) fail('the server sets RSV2 or RSV3')
    if (this.closed) fail('the server sends after its close frame')
    let length = head[1] & 0x7f
    const wide = length === 126 ? 2 : length === 127 ? 8 : 0
    if (wide > 0) {
      const b = (await this.stream.bytes(wide, ms)) ?? fail('the stream ends in a header')
      length = wide === 2 ? b.readUInt16BE(0) : Number(b.readBigUInt64BE(0))
      if (length < (wide === 2 ? 126 : 65536)) fail('the server does not use the shortest length')
    }
    if (opcode >= 8 && (length > 125 || !(head[0] & FIN))) fail('the server sends a bad control frame')
    if (head[0] & RSV1 && (!this.deflate || opcode > 2 || opcode === 0)) fail('the server sets RSV1 where it may not')
    const data = (await this.stream.bytes(length, ms)) ?? fail('the stream ends in a frame')
    return { opcode, fin: (head[0] & FIN) !== 0, rsv1: (head[0] & RSV1) !== 0, data }
  }

  /* The next event: text, binary, ping, pong, close (code, data), eof or reset. */
  async next(ms = TIMEOUT_MS) {
    for (;;) {
      const f = await this.readFrame(ms)
      if (f === null) return { type: this.stream.ended }
      if (f.opcode === OP.ping) return { type: 'ping', data: f.data }
      if (f.opcode === OP.pong) return { type: 'pong', data: f.data }
      if (f.opcode === OP.close) return this.onClose(f.data)
      if (f.opcode > 2) fail(`the server sends opcode ${f.opcode}`)
      if ((f.opcode === 0) !== (this.partial !== null)) fail('the server mixes up its fragments')
      this.partial ??= { type: f.opcode === OP.text ? 'text' : 'binary', rsv1: f.rsv1, parts: [] }
      this.partial.parts.push(f.data)
      if (f.fin) return this.onMessage()
    }
  }

  onMessage() {
    const { type, rsv1, parts } = this.partial
    let data = parts.length === 1 ? parts[0] : Buffer.concat(parts)
    this.partial = null
    if (rsv1) data = inflate(data, this.deflate.serverBits)
    if (type === 'text' && !isUtf8(data)) fail('the server sends text that is not UTF-8')
    return { type, data, compressed: rsv1 }
  }

  onClose(data) {
    this.closed = true
    if (data.length === 1) fail('the server sends half a close code')
    if (!isUtf8(data.subarray(2))) fail('the server sends a reason that is not UTF-8')
    return { type: 'close', code: data.length ? data.readUInt16BE(0) : undefined, data: data.subarray(2) }
  }

  async expect(type, want) {
    const ev = await this.next()
    const ok = ev.type === type && (type === 'close' ? ev.code === want : want === undefined || ev.data.equals(bytesOf(want)))
    const wanted = type === 'close' ? { type, code: want } : { type, data: want === undefined ? undefined : bytesOf(want) }
    if (!ok) fail(`expected ${show(wanted)}, got ${show(ev)}${ev.type === 'close' ? ` "${ev.data}"` : ''}`)
    return ev
  }

  /* The server must end the connection by itself, in order. */
  async expectEnd(ms = TIMEOUT_MS) {
    const ev = await this.next(ms)
    if (ev.type !== 'eof' && ev.type !== 'reset') fail(`expected the end of the connection, got ${show(ev)}`)
    return ev.type
  }

  /* The server fails the connection: close frame with that code, then the end. */
  async expectFailure(code) {
    await this.expect('close', code)
    await this.expectEnd()
  }

  /* Our own closing handshake; shows too that nothing else had been sent. */
  async finish(code = 1000) {
    await this.send(close(code))
    await this.expect('close', code)
    await this.expectEnd()
  }

  destroy() {
    this.stream?.destroy()
  }
}

/* What the server agreed to, held to RFC 7692, 7.1. */
function parseDeflate(value) {
  const [name, ...params] = value.split(';').map((s) => s.trim())
  if (name !== 'permessage-deflate') fail(`the server chose the extension ${name}`)
  const out = { serverBits: 15, clientBits: 15, serverNoTakeover: false, clientNoTakeover: false, seen: new Set() }
  for (const p of params) {
    const [key, v] = p.split('=')
    if (out.seen.has(key)) fail(`the server answers ${key} twice`)
    out.seen.add(key)
    if (key === 'server_no_context_takeover' && v === undefined) out.serverNoTakeover = true
    else if (key === 'client_no_context_takeover' && v === undefined) out.clientNoTakeover = true
    else if (key === 'server_max_window_bits' && /^([89]|1[0-5])$/.test(v)) out.serverBits = Number(v)
    else if (key === 'client_max_window_bits' && /^([89]|1[0-5])$/.test(v)) out.clientBits = Number(v)
    else fail(`the server answers with ${p}`)
  }
  return out
}
