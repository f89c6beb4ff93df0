// Input that no good client sends. Whatever it is, it is refused with words, the people in
// other rooms and in the same room go on, and the server's memory stays within bounds.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import net from 'node:net'
import { after, before, test } from 'node:test'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { defer, startServer } from './server.mjs'
import { HOCUSPOCUS, KINDS, WebSocket, Y, Y_WEBSOCKETS, join, joinSynced, next, within } from './clients.mjs'

let server
before(async () => (server = await startServer()))
after(() => server.dispose())

// A WebSocket that speaks in bytes. Its messages wait in a queue until they are taken.
class Raw {
  constructor(t, path = '/', at = server) {
    this.ws = new WebSocket(at.url + path)
    this.messages = []
    this.takers = []
    this.closed = new Promise((resolve) => {
      this.ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
      this.ws.on('unexpected-response', (_request, response) => {
        let body = ''
        response.on('data', (data) => (body += data)).on('end', () => resolve({ code: response.statusCode, reason: body }))
      })
    })
    this.ws.on('error', () => {})
    this.ws.on('message', (data) => {
      const taker = this.takers.shift()
      taker ? taker(data) : this.messages.push(data)
    })
    this.open = next(this.ws, 'open')
    this.open.catch(() => {})
    defer(t, () => this.ws.terminate())
  }

  send(...bytes) {
    this.ws.send(Uint8Array.from(bytes.flat()))
  }

  // The next message as a decoder.
  async take() {
    const data = this.messages.shift() ?? (await within('a message', new Promise((resolve) => this.takers.push(resolve))))
    return decoding.createDecoder(new Uint8Array(data))
  }

  // Joins as a y-websocket client: its later messages do not wait for the room to be loaded.
  async enter() {
    await this.open
    this.send(STEP1)
    let message
    do message = await this.take()
    while (decoding.readVarUint(message) !== 0 || decoding.readVarUint(message) !== 1)
  }

  // {code, reason} of its end.
  end() {
    return within('the end of the socket', this.closed)
  }

  // Resolves to {code, reason} when it is closed, or to null when it is alive: what was sent
  // before is handled when the pong comes.
  async fate() {
    const pong = new Promise((resolve) => this.ws.once('pong', () => resolve(null)))
    this.ws.ping()
    return within('a pong or the end of the socket', Promise.race([this.closed, pong]))
  }
}

const bytes = (write) => [...encoding.encode(write)]
const update = (text) => {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}
const yMessage = (sub, payload) => bytes((e) => {
  encoding.writeVarUint(e, 0)
  encoding.writeVarUint(e, sub)
  encoding.writeVarUint8Array(e, payload)
})
const hMessage = (name, ...rest) => [...bytes((e) => encoding.writeVarString(e, name)), ...rest.flat()]
const hAuth = (name, token = 't') => hMessage(name, 2, 0, bytes((e) => encoding.writeVarString(e, token)))
const STEP1 = [0, 0, 1, 0]
const AWARENESS = [1, 7, 1, 0xe9, 7, 1, 2, 0x7b, 0x7d]

// Reads messages of one document until one of that type comes; returns what follows the type.
async function answer(raw, type) {
  for (;;) {
    const message = await raw.take()
    decoding.readVarString(message)
    if (decoding.readVarUint(message) === type) return message
  }
}

async function assertHealthy(t, room, who = Y_WEBSOCKETS[2]) {
  const one = await joinSynced(t, server, who, room)
  const two = await joinSynced(t, server, HOCUSPOCUS[2], room)
  const mark = `still here ${one.doc.clientID}`
  one.text.insert(0, mark)
  await two.holds(one.text.toString())
  await two.saved()
  assert.ok(one.text.toString().startsWith(mark))
  one.close()
  two.close()
}

// Every y-websocket message cut at each byte: the socket is closed with a code of 44xx and a
// reason, and nobody else in the room notices anything.
test('y-websocket messages cut at each byte', async (t) => {
  const room = 'cut y-websocket'
  const watcher = await joinSynced(t, server, Y_WEBSOCKETS[2], room)
  watcher.text.insert(0, 'undisturbed')
  const whole = { 'step 1': STEP1, 'step 2': yMessage(1, update('x')), update: yMessage(2, update('y 🦢')), awareness: AWARENESS }
  for (const [what, message] of Object.entries(whole)) {
    for (let cut = 0; cut < message.length; cut++) {
      const raw = new Raw(t, `/${encodeURIComponent(room)}`)
      await raw.open
      if (what !== 'step 1') raw.send(STEP1)
      raw.send(message.slice(0, cut))
      const fate = await raw.fate()
      if (what === 'step 1' && cut > 0 && fate?.code === 4401) continue // 00 is no address either
      assert.ok(fate, `${what} cut at ${cut} is taken`)
      assert.ok(fate.code >= 4400 && fate.code < 4500, `${what} cut at ${cut}: ${fate.code}`)
      assert.match(fate.reason, /\w/, `${what} cut at ${cut}`)
    }
  }
  assert.equal(watcher.text.toString(), 'undisturbed')
  const other = await joinSynced(t, server, HOCUSPOCUS[2], room)
  assert.equal(other.text.toString(), 'undisturbed')
  await assertHealthy(t, room)
})

// The same for Hocuspocus: the socket is closed, or the document is closed on it, with a
// reason; or the message waits, because it came before the document was opened. It is never
// acknowledged.
test('Hocuspocus messages cut at each byte', async (t) => {
  const room = 'cut'
  const watcher = await joinSynced(t, server, HOCUSPOCUS[2], room)
  watcher.text.insert(0, 'undisturbed')
  await watcher.saved()
  const whole = {
    auth: hAuth(room),
    'step 1': hMessage(room, STEP1),
    update: hMessage(room, yMessage(2, update('y 🦢'))),
    awareness: hMessage(room, AWARENESS),
    stateless: hMessage(room, 5, bytes((e) => encoding.writeVarString(e, 'hello'))),
  }
  for (const [what, message] of Object.entries(whole)) {
    for (let cut = 0; cut < message.length; cut++) {
      const raw = new Raw(t)
      await raw.open
      if (what !== 'auth') {
        raw.send(hAuth(room))
        await answer(raw, 2)
      }
      raw.send(message.slice(0, cut))
      const fate = await raw.fate()
      if (fate) {
        assert.ok(fate.code >= 4400 && fate.code < 4500, `${what} cut at ${cut}: ${fate.code}`)
        assert.match(fate.reason, /\w/)
      } else {
        for (const data of raw.messages) {
          const m = decoding.createDecoder(new Uint8Array(data))
          decoding.readVarString(m)
          assert.notEqual(decoding.readVarUint(m), 8, `${what} cut at ${cut} is acknowledged`)
        }
      }
      raw.ws.terminate()
    }
  }
  assert.equal(watcher.text.toString(), 'undisturbed')
  await assertHealthy(t, room)
})

// A malformed update closes its document with the reason; the other documents of the socket
// stay as they are, and the room never sees it.
test('a malformed update closes its document and no other', async (t) => {
  const raw = new Raw(t)
  await raw.open
  for (const name of ['bad', 'good']) {
    raw.send(hAuth(name))
    await answer(raw, 2)
  }
  const watcher = await joinSynced(t, server, Y_WEBSOCKETS[1], 'bad')
  raw.send(hMessage('bad', yMessage(2, Uint8Array.from([1, 1, 0xe9, 7, 0, 0x1f, 1, 2, 3]))))
  const reason = decoding.readVarString(await answer(raw, 7))
  assert.match(reason, /\w/)
  raw.send(hMessage('good', yMessage(2, update('fine'))))
  assert.equal(decoding.readVarUint(await answer(raw, 8)), 1)
  assert.equal(watcher.text.length, 0)
  await assertHealthy(t, 'bad')
})

// Random bytes in every place, a thousand times, from a seed: nothing ends the server.
test('random bytes', async (t) => {
  let seed = 20261
  const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n
  const start = [hMessage('noise', yMessage(2, update('some text 🦢'))), hMessage('noise', AWARENESS), hMessage('noise', STEP1), hAuth('noise')]
  for (let i = 0; i < 60; i++) {
    const raw = new Raw(t, i % 2 ? '/noise' : '/')
    await raw.open
    raw.send(i % 2 ? STEP1 : hAuth('noise'))
    for (let n = 0; n < 20; n++) {
      const message = [...start[random(start.length)]].slice(i % 2 ? 6 : 0)
      for (let k = 0; k <= random(3); k++) message[random(message.length)] = random(256)
      if (raw.ws.readyState === WebSocket.OPEN) raw.send(message)
    }
    await raw.fate()
    raw.ws.terminate()
  }
  assert.ok(server.isRunning)
  await assertHealthy(t, 'after the noise')
})

// Types that the protocols do not have, and those that only servers may use.
test('unknown and forbidden types', async (t) => {
  for (const type of [4, 9, 10, 11, 127]) {
    const raw = new Raw(t, '/types')
    await raw.enter()
    raw.send(type)
    const fate = await raw.fate()
    assert.ok(fate === null || (fate.code >= 4400 && fate.code < 4500))
  }
  for (const type of [6, 8, 11, 127]) {
    const raw = new Raw(t)
    await raw.open
    raw.send(hAuth('types'))
    await answer(raw, 2)
    raw.send(hMessage('types', type, 1, 0x78))
    const fate = await raw.fate()
    assert.ok(fate === null || (fate.code >= 4400 && fate.code < 4500))
  }
  await assertHealthy(t, 'types')
})

// Before a document is open its messages wait, but not without end.
test('too much before authentication closes the socket', async (t) => {
  const closed = await startServer({ t, env: { SKEIN_JWT_SECRET: 'thirty-two bytes of a secret, and some' } })
  const flood = new Raw(t, '/', closed)
  await flood.open
  for (let i = 0; i < 1100 && flood.ws.readyState === WebSocket.OPEN; i++) flood.send(hMessage('flood', STEP1))
  const fate = await flood.end()
  assert.equal(fate.code, 4413)
  assert.match(fate.reason, /\w/)

  const many = new Raw(t, '/', closed)
  await many.open
  for (let i = 0; i < 150; i++) many.send(hMessage(`pending ${i}`, STEP1))
  assert.equal((await many.end()).code, 4413)

  const big = new Raw(t, '/', closed)
  await big.open
  for (let i = 0; i < 8; i++) big.ws.send(Buffer.concat([Buffer.from(hMessage('big')), Buffer.alloc(900 << 10)]))
  assert.equal((await big.end()).code, 4413)

  const single = new Raw(t, '/', closed)
  await single.open
  single.ws.send(Buffer.alloc(2 << 20, hMessage('single')))
  assert.equal((await single.end()).code, 1009)
})

// A message that is larger than the limit is refused at its header, before its bytes come.
test('an announced message beyond the limit is refused with 1009', async (t) => {
  const socket = net.connect(server.port, '127.0.0.1')
  defer(t, () => socket.destroy())
  socket.write('GET /huge HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  await next(socket, 'data')
  const head = Buffer.alloc(14)
  head[0] = 0x82
  head[1] = 0xff
  head.writeBigUInt64BE(1n << 40n, 2)
  let heard = Buffer.alloc(0)
  socket.on('data', (data) => (heard = Buffer.concat([heard, data])))
  socket.write(head)
  await next(socket, 'close')
  assert.equal(heard[0], 0x88)
  assert.equal(heard.readUInt16BE(2), 1009)
})

// An update in a hundred fragments, with pings in between, is one update.
test('a fragmented message is one message', async (t) => {
  const raw = new Raw(t, '/fragments')
  await raw.open
  raw.send(STEP1)
  const message = Buffer.from(yMessage(2, update('in many pieces '.repeat(20))))
  const step = Math.ceil(message.length / 100)
  for (let at = 0; at < message.length; at += step) {
    raw.ws.send(message.subarray(at, at + step), { fin: at + step >= message.length, binary: true })
    if (at % 50 === 0) raw.ws.ping()
  }
  const watcher = await joinSynced(t, server, HOCUSPOCUS[2], 'fragments')
  await watcher.holds('in many pieces '.repeat(20))
})

// Rooms may be called almost anything, and are the same room for both kinds of clients.
for (const name of ['with/slashes/in it', '🦢 geese', 'percent%20sign', '%', 'ünïcödé', 'a+b&c=d', '.hidden..', 'ends with /', "quote'\"", '<b>', 'x'.repeat(1024)]) {
  test(`the name ${name.slice(0, 30)}`, async (t) => {
    const hocuspocus = await joinSynced(t, server, HOCUSPOCUS[2], name)
    hocuspocus.text.insert(0, name.slice(0, 20))
    await hocuspocus.saved()
    // The y-websocket client puts the name into the URL as it stands.
    const path = await joinSynced(t, server, Y_WEBSOCKETS[2], encodeURIComponent(name))
    assert.equal(path.text.toString(), name.slice(0, 20))
    const query = await joinSynced(t, server, Y_WEBSOCKETS[0], name, { api: true })
    assert.equal(query.text.toString(), name.slice(0, 20))
    assert.equal(server.exportText(name), name.slice(0, 20))
  })
}

// Those that are not allowed are refused with words.
const forbidden = { 'a control character': 'a\u0001b', 'a line break': 'a\nb', '1,025 bytes': 'x'.repeat(1025), '10 KB': 'y'.repeat(10240), nothing: '' }
for (const [what, name] of Object.entries(forbidden)) {
  test(`a name with ${what} is refused`, async (t) => {
    if (name !== '') {
      const person = join(t, server, HOCUSPOCUS[2], name)
      assert.match(await person.refusedWith(), /\w/)
    }
    const raw = new Raw(t, `/api/ws?type=yjs&room=${encodeURIComponent(name)}`)
    raw.open.then(() => raw.send(STEP1), () => {})
    const fate = await raw.end()
    assert.ok((fate.code >= 4400 && fate.code < 4500) || (fate.code >= 400 && fate.code < 500), `${fate.code}`)
    assert.match(fate.reason, /\w/)
  })
}
test('a name with a zero byte, percent-encoded, is refused', async (t) => {
  const raw = new Raw(t, '/a%00b')
  raw.open.then(() => raw.send(STEP1), () => {})
  const fate = await raw.end()
  assert.ok((fate.code >= 4400 && fate.code < 4500) || (fate.code >= 400 && fate.code < 500), `${fate.code}`)
  assert.match(fate.reason, /\w/)
})

const rssMb = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) / 1024

// A state vector with a million clients is answered or refused; the memory that it took is
// bounded by its size, and the others do not wait for it.
test('a state vector with a million clients', async (t) => {
  const raw = new Raw(t, '/million')
  await raw.open
  const before = rssMb()
  const vector = encoding.encode((e) => {
    encoding.writeVarUint(e, 1_000_000)
    for (let i = 0; i < 1_000_000; i++) {
      encoding.writeVarUint(e, 1_000_000 - i)
      encoding.writeVarUint(e, 1)
    }
  })
  raw.ws.send(Buffer.from(yMessage(0, vector)))
  const fate = await raw.fate()
  if (fate) assert.match(fate.reason, /\w/)
  // Announced only: five bytes that claim a million entries.
  const liar = new Raw(t, '/million')
  await liar.enter()
  liar.send(yMessage(0, Uint8Array.from([0xc0, 0x84, 0x3d, 1, 1])))
  const refused = await liar.fate()
  assert.ok(refused.code >= 4400 && refused.code < 4500)
  assert.ok(rssMb() - before < 150, `grew from ${before} to ${rssMb()} MB`)
  await assertHealthy(t, 'million')
})

// Counts and lengths that are announced and not there cost nothing.
test('lengths that lie', async (t) => {
  const before = rssMb()
  const huge = [0xff, 0xff, 0xff, 0xff, 0x7f]
  const lies = [
    [0, 2, ...huge, 1], // an update of 34 GB
    yMessage(2, Uint8Array.from([...huge, 1, 1, 0])), // clients
    yMessage(2, Uint8Array.from([1, ...huge, 1, 0])), // structs
    yMessage(2, Uint8Array.from([0, ...huge])), // clients of the delete set
    yMessage(2, Uint8Array.from([1, 1, 1, 0, 4, 1, 1, 0x74, ...huge])), // a string
    yMessage(2, Uint8Array.from([1, 1, 1, 0, 8, 1, 1, 0x74, ...huge])), // a list of anything
    [1, ...huge], // awareness
    [1, 6, ...huge, 1], // people in it
  ]
  for (const [i, lie] of lies.entries()) {
    const raw = new Raw(t, '/lies')
    await raw.enter()
    raw.send(lie)
    const fate = await raw.fate()
    assert.ok(fate && fate.code >= 4400 && fate.code < 4500, `lie ${i}: ${fate?.code}`)
  }
  assert.ok(rssMb() - before < 20, `grew from ${before} to ${rssMb()} MB`)
  await assertHealthy(t, 'lies')
})

// Deep nesting and a deletion of everything that anybody ever wrote, from someone else.
test('values nested a hundred thousand deep', async (t) => {
  const raw = new Raw(t, '/deep')
  await raw.enter()
  const deep = [...Array(100_000).fill([117, 1]).flat(), 126]
  raw.ws.send(Buffer.from(yMessage(2, Uint8Array.from([1, 1, 1, 0, 8, 1, 1, 0x74, 1, ...deep, 0]))))
  await raw.fate()
  assert.ok(server.isRunning)
  await assertHealthy(t, 'deep')
})

// Two thousand sockets that connect and say nothing keep nobody out.
test('sockets that say nothing keep nobody out', async (t) => {
  const before = rssMb()
  const silent = []
  for (let i = 0; i < 2000; i++) {
    const socket = net.connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    silent.push(socket)
    if (i % 100 === 99) await next(socket, 'connect')
    if (i % 2) socket.write('GET / HTTP/1.1\r\nHost: x\r\n') // and never a blank line
  }
  defer(t, () => silent.forEach((socket) => socket.destroy()))
  await assertHealthy(t, 'not kept out')
  assert.ok(rssMb() - before < 40, `grew from ${before} to ${rssMb()} MB`)
})

// Plain HTTP that is not HTTP is answered with a status, or the connection ends.
test('requests that are none', async () => {
  const ask = (text) => new Promise((resolve) => {
    const socket = net.connect(server.port, '127.0.0.1')
    let heard = ''
    socket.on('data', (data) => (heard += data)).on('error', () => {}).on('close', () => resolve(heard))
    socket.write(text)
  })
  for (const [text, status] of [
    ['\0\0\0\0\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['GET / HTTP/9.9\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 (400|505) /],
    ['GET / HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', /^HTTP\/1\.1 400 /],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`, /^HTTP\/1\.1 (400|431) /],
    [`GET /${'y'.repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, /^HTTP\/1\.1 (400|414|431) /],
  ])
    assert.match(await ask(text), status, JSON.stringify(text.slice(0, 60)))
})

// At the very end: all that was one server, and it is fine.
test('after all of this the server is well', async (t) => {
  for (const kind of KINDS) await assertHealthy(t, 'the end', kind)
  assert.ok(!/assert|sanitizer/i.test(server.log), server.log)
})
