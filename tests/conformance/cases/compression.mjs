// Chapters 12 and 13: permessage-deflate (RFC 7692), and what may go wrong in it.
import crypto from 'node:crypto'
import zlib from 'node:zlib'
import { binary, close, cont, deflate, fail, fragments, frame, inflate, OP, ping, text } from '../wire.mjs'

const KB = 1024
const mask = [0x12, 0x34, 0x56, 0x78]
const offer = (value) => ({ fields: { 'Sec-WebSocket-Extensions': value } })
const plain = 'permessage-deflate'

/* Opens with an offer that must be taken. */
async function compressed(t, value = plain) {
  const c = await t.open(offer(value))
  if (!c.deflate) fail('the offer was declined')
  return c
}

const seeded = (n) => {
  // The same bytes in every run, and not compressible.
  const cipher = crypto.createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16))
  return cipher.update(Buffer.alloc(n))
}
const words = ['{"id":', '"room"', ',', '"clock":', '1234', '}', 'update ', 'awareness ', 'λόγος ', '\n']
function prose(n) {
  const out = []
  let seed = 1
  let length = 0
  while (length < n) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    const w = Buffer.from(words[(seed >>> 16) % words.length])
    out.push(w)
    length += w.length
  }
  const all = Buffer.concat(out).subarray(0, n)
  return Buffer.from(all.toString('utf8').replace(/\ufffd+$/, '').padEnd(n, '.')).subarray(0, n)
}
const contents = [
  ['text', OP.text, 'prose', prose],
  ['text', OP.text, 'one letter', (n) => Buffer.alloc(n, 'a')],
  ['binary', OP.binary, 'noise', seeded],
  ['binary', OP.binary, 'zeros', (n) => Buffer.alloc(n)],
  ['text', OP.text, 'two-byte letters', (n) => Buffer.concat([Buffer.alloc(n & ~1, 'é'), Buffer.alloc(n & 1, '.')])],
]
const sizes = [16, 64, 256, KB, 4 * KB, 8 * KB, 16 * KB, 32 * KB, 64 * KB, 128 * KB]
const rounds = (n) => (n <= 4 * KB ? 50 : 10)

const roundTrips = contents.flatMap(([type, op, label, make], k) => sizes.flatMap((n, i) => [
  [`12.${k + 1}.${i + 1}`, `${label} of ${n} bytes`, async (t) => {
    const data = make(n)
    const one = frame(op, deflate(data), { rsv: 4, mask })
    const c = await compressed(t)
    for (let j = 0; j < rounds(n); j++) {
      await c.send(one)
      await c.expect(type, data)
    }
    await c.finish()
  }],
  [`12.${k + 1}.${i + 11}`, `${label} of ${n} bytes in fragments`, async (t) => {
    const data = make(n)
    const all = fragments(op, deflate(data), Math.max(1, Math.floor(n / 10)), { rsv: 4, mask })
    const c = await compressed(t)
    for (let j = 0; j < rounds(n) / 5; j++) {
      await c.send(all)
      await c.expect(type, data)
    }
    await c.finish()
  }],
]))

/* Offers, and what the answer may be: `bits` the server's window; null: declined. */
const offers = [
  [plain, 15],
  ['permessage-deflate; client_max_window_bits', 15],
  ['permessage-deflate; client_max_window_bits=15', 15],
  ['permessage-deflate; client_max_window_bits=9', 15],
  ['permessage-deflate; client_no_context_takeover', 15],
  ['permessage-deflate; server_no_context_takeover', 15],
  ['permessage-deflate; server_no_context_takeover; client_no_context_takeover', 15],
  ['permessage-deflate; server_max_window_bits=9', 9],
  ['permessage-deflate; server_max_window_bits=12', 12],
  ['permessage-deflate; server_max_window_bits=15', 15],
  ['permessage-deflate; server_max_window_bits="10"', 10],
  ['permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9', 9],
  ['permessage-deflate; server_max_window_bits=9, permessage-deflate', 9],
  ['permessage-deflate; server_max_window_bits=99, permessage-deflate; server_max_window_bits=11', 11],
  ['x-unknown; a=b, permessage-deflate', 15],
  ['permessage-deflate;server_max_window_bits=10;client_max_window_bits', 10],
  ['permessage-deflate; server_max_window_bits', null],
  ['permessage-deflate; server_max_window_bits=7', null],
  ['permessage-deflate; server_max_window_bits=16', null],
  ['permessage-deflate; server_max_window_bits=09', null],
  ['permessage-deflate; client_max_window_bits=7', null],
  ['permessage-deflate; client_max_window_bits=abc', null],
  ['permessage-deflate; client_no_context_takeover=1', null],
  ['permessage-deflate; server_no_context_takeover=true', null],
  ['permessage-deflate; server_no_context_takeover; server_no_context_takeover', null],
  ['permessage-deflate; made_up', null],
  ['permessage-deflate; made_up=1', null],
  ['x-webkit-deflate-frame', null],
  ['permessage-bzip2', null],
]

/* Long enough to reach back further than a small window, if that were allowed. */
const reaching = Buffer.concat([seeded(3000), prose(9000), seeded(3000), prose(9000)])

async function checkAnswer(c, value, bits) {
  if (c.deflate.serverBits !== bits) fail(`the server's window is ${c.deflate.serverBits} bits, not ${bits}`)
  if (/server_no_context/.test(value) && !c.deflate.serverNoTakeover) fail('server_no_context_takeover was not confirmed')
  if (!/client_max_window_bits/.test(value) && c.deflate.seen.has('client_max_window_bits')) fail('client_max_window_bits was not offered')
  const windowBits = Math.max(9, Math.min(c.deflate.clientBits, 15))
  for (const data of [Buffer.from('short'), prose(500), reaching]) {
    await c.send(binary(deflate(data, { windowBits }), { rsv: 4 }))
    await c.expect('binary', data)
  }
}

const negotiation = offers.map(([value, bits], i) => [`13.1.${i + 1}`, `${value}: ${bits === null ? 'declined' : `${bits} bits`}`, async (t) => {
  const c = await t.open(offer(value))
  if (bits === null && c.deflate) fail('the offer was taken')
  if (bits !== null && !c.deflate) fail('the offer was declined')
  if (bits !== null) await checkAnswer(c, value, bits)
  await c.send(text('plain'))
  await c.expect('text', 'plain')
  await c.finish()
}])

/* A window of 256 bytes: to decline is right, and so is to agree and to keep it. */
const eightBits = ['13.2.1', 'server_max_window_bits=8 is kept or declined', async (t) => {
  const c = await t.open(offer('permessage-deflate; server_max_window_bits=8'))
  if (c.deflate) {
    if (c.deflate.serverBits > 8) fail('the server takes a larger window than was offered')
    fail('this suite cannot check a window of 256 bytes')
  }
  await c.finish()
}]

const badGrammar = ['permessage-deflate;', 'permessage-deflate; =1', 'permessage-deflate; a=', 'permessage-deflate; a="b c"', '; permessage-deflate', 'permessage-deflate; a="b', 'permessage deflate']
const grammar = badGrammar.map((value, i) => [`13.3.${i + 1}`, `not grammatical: ${value}`, async (t) => {
  const c = await t.client().connect()
  await c.send(c.request(offer(value)))
  const res = await c.response()
  if (res.status !== 400) fail(`answered with ${res.status}`)
}])

const receives = (frames, expect, value) => async (t) => {
  const c = await compressed(t, value)
  await c.send([].concat(frames))
  for (const [type, data] of expect) {
    if (type === 'fail') return c.expectFailure(data)
    await c.expect(type, data)
  }
  await c.finish()
}
const refused = (frames, code, value) => receives(frames, [['fail', code]], value)

const hello = Buffer.from('f248cdc9c90700', 'hex')
const z = (v, o) => text(typeof v === 'string' ? Buffer.from(v, 'hex') : v, { rsv: 4, ...o })
const stored = (data) => Buffer.concat([Buffer.from([0, data.length & 255, data.length >> 8, ~data.length & 255, (~data.length >> 8) & 255]), data, Buffer.from([0])])
const bomb = deflate(Buffer.alloc(64 * KB * KB), { level: 9 })
const long = prose(3000)

const payloads = [
  ['13.4.1', "the RFC's example", receives(z(hello), [['text', 'Hello']])],
  ['13.4.2', "the RFC's example in two fragments", receives([z('f248cd', { fin: false }), cont(Buffer.from('c9c90700', 'hex'))], [['text', 'Hello']])],
  ['13.4.3', 'a stored block', receives(z('000500faff48656c6c6f00'), [['text', 'Hello']])],
  ['13.4.4', 'a final block, then an empty one', receives(z('f348cdc9c9070000'), [['text', 'Hello']])],
  ['13.4.5', 'two blocks', receives(z('f24805000000ffffcac9c90700'), [['text', 'Hello']])],
  ['13.4.6', 'no text in one byte', receives(z('00'), [['text', '']])],
  ['13.4.7', 'no text as zlib writes it', receives(z(deflate('')), [['text', '']])],
  ['13.4.8', 'plain and compressed messages in turn', receives([z(hello), text('plain'), z(hello), binary('x')], [['text', 'Hello'], ['text', 'plain'], ['text', 'Hello'], ['binary', 'x']])],
  ['13.4.9', 'a ping between compressed fragments', receives([z('f248cd', { fin: false }), ping('p'), cont(Buffer.from('c9c90700', 'hex'))], [['pong', 'p'], ['text', 'Hello']])],
  ['13.4.10', 'empty fragments of a compressed message', receives([z('', { fin: false }), cont('', { fin: false }), cont(hello, { fin: false }), cont('')], [['text', 'Hello']])],
  ['13.4.11', 'one byte a fragment', receives(fragments(OP.text, deflate(long), 1, { rsv: 4 }), [['text', long]])],
  ['13.4.12', 'levels and strategies of zlib', async (t) => {
    const c = await compressed(t)
    for (const level of [0, 1, 5, 9])
      for (const strategy of [zlib.constants.Z_DEFAULT_STRATEGY, zlib.constants.Z_HUFFMAN_ONLY, zlib.constants.Z_RLE, zlib.constants.Z_FIXED]) {
        await c.send(z(deflate(long, { level, strategy })))
        await c.expect('text', long)
      }
    await c.finish()
  }],
  ['13.4.13', 'each message starts with an empty window', async (t) => {
    const c = await compressed(t)
    await c.send([z(deflate(long)), z(deflate(long))])
    for (let i = 0; i < 2; i++) {
      const ev = await c.expect('text', long)
      if (!ev.compressed) fail('3,000 bytes of prose came back uncompressed')
    }
    await c.finish()
  }],
  ['13.5.1', 'noise', refused(z('deadbeef010203'), 1007)],
  ['13.5.2', 'block type 3', refused(z('0600'), 1007)],
  ['13.5.3', 'a stored length without its complement', refused(z('00050000006100'), 1007)],
  ['13.5.4', 'a match that reaches back before the message', receives([z(hello), z('4a845200')], [['text', 'Hello'], ['fail', 1007]])],
  ['13.5.5', 'data that stops inside a block', refused(z(deflate(long).subarray(0, 300)), 1007)],
  ['13.5.6', 'a compressed payload of no bytes', refused(z(''), 1007)],
  ['13.5.7', 'text that is not UTF-8', refused(z(deflate(Buffer.from('ff', 'hex'))), 1007)],
  ['13.5.8', 'text that ends inside a character', refused(z(deflate(Buffer.from('61e282', 'hex'))), 1007)],
  ['13.5.9', 'binary that is not UTF-8 is fine', receives(binary(deflate(Buffer.from('ff', 'hex')), { rsv: 4 }), [['binary', Buffer.from('ff', 'hex')]])],
  ['13.5.10', '64 MB in 64 KB', refused(z(bomb), 1009)],
  ['13.5.11', '64 MB in 64 KB, in fragments', refused(fragments(OP.binary, bomb, 1000, { rsv: 4 }), 1009)],
  ['13.5.12', '16 MB and one byte', refused(binary(deflate(Buffer.alloc(16 * KB * KB + 1)), { rsv: 4 }), 1009)],
  ['13.5.13', '16 MB', async (t) => {
    const data = Buffer.alloc(16 * KB * KB)
    await receives(binary(deflate(data), { rsv: 4 }), [['binary', data]])(t)
  }],
  ['13.5.14', 'an answer before the fault is not lost', receives([z(hello), z('0600')], [['text', 'Hello'], ['fail', 1007]])],
  ['13.6.1', 'RSV1 on a ping', refused(ping('x', { rsv: 4 }), 1002)],
  ['13.6.2', 'RSV1 on a close', refused(close(1000, '', { rsv: 4 }), 1002)],
  ['13.6.3', 'RSV1 on a continuation', refused([z('f248cd', { fin: false }), cont(Buffer.from('c9c90700', 'hex'), { rsv: 4 })], 1002)],
  ['13.6.4', 'RSV1 on the continuation of a plain message', refused([text('a', { fin: false }), cont(hello, { rsv: 4 })], 1002)],
  ['13.6.5', 'RSV2 beside RSV1', refused(z(hello, { rsv: 6 }), 1002)],
  ['13.6.6', 'RSV1 when the offer was declined', async (t) => {
    const c = await t.open(offer('permessage-deflate; made_up'))
    await c.send(z(hello))
    await c.expectFailure(1002)
  }],
  ['13.7.1', 'what the server compresses is shorter and inflates by itself', async (t) => {
    const c = await compressed(t)
    const data = prose(20000)
    await c.send(text(data))
    const f = await c.readFrame(5000)
    if (!f.rsv1) fail('20,000 bytes of prose came back uncompressed')
    if (f.data.length > data.length / 2) fail(`compressed to ${f.data.length} bytes only`)
    if (!inflate(f.data).equals(data)) fail('inflates to something else')
    if (f.data.subarray(-4).equals(Buffer.from('0000ffff', 'hex'))) fail('the tail of the flush was sent')
    await c.finish()
  }],
]

export default [...roundTrips, ...negotiation, eightBits, ...grammar, ...payloads].map(([id, name, run]) => ({ id, name, run }))
