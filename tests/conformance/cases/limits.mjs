// Chapters 9 and 10: large messages, many fragments, many messages, odd cuts.
import { binary, close, cont, fail, fragments, frame, OP, ping, text } from '../wire.mjs'
import { echoes } from '../script.mjs'

const KB = 1024
const MB = 1024 * KB
const MESSAGE_MAX = 16 * MB // the server's default
const mask = [0x12, 0x34, 0x56, 0x78]
const label = (n) => (n >= MB ? `${n / MB} MB` : n >= KB ? `${n / KB} KB` : `${n} bytes`)
const kinds = [['text', OP.text, (n) => Buffer.alloc(n, 'The quick brown fox… ')], ['binary', OP.binary, (n) => Buffer.alloc(n, 0xfe)]]
/* A multiple of the pattern, so that no character is cut. */
const body = (kind, n) => (kind[0] === 'text' ? Buffer.concat([kind[2](n - (n % 23)), Buffer.alloc(n % 23, '.')]) : kind[2](n))

const whole = kinds.flatMap((kind, k) => [64 * KB, 256 * KB, MB, 4 * MB, 8 * MB, 16 * MB].map((n, i) => [
  `9.${k + 1}.${i + 1}`, `${kind[0]} of ${label(n)}`, async (t) => {
    const data = body(kind, n)
    await echoes(frame(kind[1], data, { mask }), [[kind[0], data]])(t)
  }]))

const inFragments = kinds.flatMap((kind, k) => [64, 256, KB, 4 * KB, 16 * KB, 64 * KB, 256 * KB, MB, 4 * MB].map((n, i) => [
  `9.${k + 3}.${i + 1}`, `${kind[0]} of 4 MB in fragments of ${label(n)}`, async (t) => {
    const data = body(kind, 4 * MB)
    await echoes(fragments(kind[1], data, n, { mask }), [[kind[0], data]])(t)
  }]))

const inPieces = kinds.flatMap((kind, k) => [64, 128, 256, 512, KB, 2 * KB].map((n, i) => [
  `9.${k + 5}.${i + 1}`, `${kind[0]} of 1 MB in pieces of ${label(n)}`, async (t) => {
    const data = body(kind, MB)
    await echoes(frame(kind[1], data, { mask }), [[kind[0], data]], { chop: n })(t)
  }]))

const roundTrips = kinds.flatMap((kind, k) => [0, 16, 64, 256, KB, 4 * KB].map((n, i) => [
  `9.${k + 7}.${i + 1}`, `1,000 round trips of ${kind[0]} of ${label(n)}`, async (t) => {
    const data = body(kind, n)
    const one = frame(kind[1], data, { mask })
    const c = await t.open()
    for (let j = 0; j < 1000; j++) {
      await c.send(one)
      await c.expect(kind[0], data)
    }
    await c.finish()
  }]))

/* The header alone must be enough: nothing is waited for that would be refused. */
const tooBig = (frames) => async (t) => {
  const c = await t.open()
  await c.send(frames)
  await c.expectFailure(1009)
}
const header = (n, o = {}) => frame(OP.binary, '', { ...o, length: n, form: 64 })

const limits = [
  ['9.9.1', 'one byte over the limit, refused by its header', tooBig(header(MESSAGE_MAX + 1))],
  ['9.9.2', '2^63 - 1 bytes, refused by its header', tooBig(header(2n ** 63n - 1n))],
  ['9.9.3', 'fragments whose sum is over the limit, refused by the last header', async (t) => {
    const c = await t.open()
    for (let i = 0; i < 16; i++) await c.send(frame(i ? OP.cont : OP.binary, Buffer.alloc(MB), { fin: false, mask }))
    await c.send(frame(OP.cont, '', { length: 1n, form: 7 }))
    await c.expectFailure(1009)
  }],
  ['9.9.4', 'fragments whose sum is the limit', async (t) => {
    const data = Buffer.alloc(MESSAGE_MAX, 7)
    await echoes(fragments(OP.binary, data, 4 * MB, { mask }), [['binary', data]])(t)
  }],
  ['9.9.5', 'a message that is announced large and never comes costs nothing to others', async (t) => {
    const idle = []
    for (let i = 0; i < 50; i++) {
      const c = await t.open()
      await c.send(Buffer.concat([header(MESSAGE_MAX), Buffer.alloc(10)]))
      idle.push(c)
    }
    await echoes(text('still here'), [['text', 'still here']])(t)
  }],
  ['9.9.6', 'more than 65,536 empty fragments', async (t) => {
    const c = await t.open()
    const empty = cont('', { fin: false, mask })
    await c.send([text('', { fin: false }), ...Array.from({ length: 70000 }, () => empty)])
    await c.expectFailure(1008)
  }],
  ['9.9.7', '1,000 empty fragments are fine', async (t) => {
    const empty = cont('', { fin: false, mask })
    await echoes([text('a', { fin: false }), ...Array.from({ length: 1000 }, () => empty), cont('b')], [['text', 'ab']])(t)
  }],
]

const pipelined = [
  ['10.1.1', 'text of 65,536 bytes in fragments of 1,300', async (t) => {
    const data = Buffer.alloc(65536, '*')
    await echoes(fragments(OP.text, data, 1300), [['text', data]])(t)
  }],
  ['10.2.1', '10,000 messages at once come back in order', async (t) => {
    const c = await t.open()
    const list = Array.from({ length: 10000 }, (_, i) => `message ${i}`)
    await Promise.all([
      c.send(list.map((v) => text(v, { mask }))),
      (async () => {
        for (const v of list) await c.expect('text', v)
      })(),
    ])
    await c.finish()
  }],
  ['10.2.2', 'messages of all small sizes at once, in pieces of 7 bytes', async (t) => {
    const c = await t.open()
    const list = Array.from({ length: 300 }, (_, i) => Buffer.alloc(i, i & 255))
    const sent = c.send(list.map((v) => binary(v)), 7)
    for (const v of list) await c.expect('binary', v)
    await sent
    await c.finish()
  }],
  ['10.2.3', 'pings between messages are answered in order', async (t) => {
    const c = await t.open()
    await c.send([text('1'), ping('2'), text('3'), ping('4'), text('5')])
    for (const [type, v] of [['text', '1'], ['pong', '2'], ['text', '3'], ['pong', '4'], ['text', '5']]) await c.expect(type, v)
    await c.finish()
  }],
  ['10.2.4', 'a flood of pings does not starve the messages behind it', async (t) => {
    const c = await t.open()
    const one = ping('flood', { mask })
    const sent = c.send([...Array.from({ length: 20000 }, () => one), text('behind')])
    const afterPongs = async (type) => {
      for (;;) {
        const ev = await c.next()
        if (ev.type === type) return
        if (ev.type !== 'pong' || ev.data.toString() !== 'flood') fail(`got ${ev.type}`)
      }
    }
    await afterPongs('text')
    await sent
    await c.send(close(1000))
    await afterPongs('close') // the pong for the last of many may come behind the message
    await c.expectEnd()
  }],
]

export default [...whole, ...inFragments, ...inPieces, ...roundTrips, ...limits, ...pipelined].map(([id, name, run]) => ({ id, name, run }))
