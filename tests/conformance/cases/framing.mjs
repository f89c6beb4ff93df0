// Chapters 1 to 4: framing, pings and pongs, reserved bits, opcodes.
import { binary, frame, ping, pong, text } from '../wire.mjs'
import { echoes, echoThenFail, fails, script } from '../script.mjs'

const sizes = [0, 125, 126, 127, 128, 65535, 65536]
const noise = Buffer.from([0, 255, 254, 253, 252, 251, 0, 255])
const c = (id, name, run) => ({ id, name, run })

const framing = [text, binary].flatMap((make, k) => {
  const type = k === 0 ? 'text' : 'binary'
  const body = (n) => (k === 0 ? '*'.repeat(n) : Buffer.alloc(n, 0xfe))
  return [
    ...sizes.map((n, i) => c(`1.${k + 1}.${i + 1}`, `${type} of ${n} bytes`, echoes(make(body(n)), [[type, body(n)]]))),
    c(`1.${k + 1}.8`, `${type} of 65536 bytes in pieces of 997`, echoes(make(body(65536)), [[type, body(65536)]], { chop: 997 })),
  ]
})

const tenPings = Array.from({ length: 10 }, (_, i) => `payload-${i}`)
const pings = [
  c('2.1', 'ping without payload', echoes(ping(), [['pong', '']])),
  c('2.2', 'ping with text', echoes(ping('Hello, world!'), [['pong', 'Hello, world!']])),
  c('2.3', 'ping with bytes that are not UTF-8', echoes(ping(noise), [['pong', noise]])),
  c('2.4', 'ping of 125 bytes', echoes(ping(Buffer.alloc(125, 0xfe)), [['pong', Buffer.alloc(125, 0xfe)]])),
  c('2.5', 'ping of 126 bytes', fails(ping(Buffer.alloc(126, 0xfe)))),
  c('2.6', 'ping of 125 bytes, byte by byte', echoes(ping(Buffer.alloc(125, 0xfe)), [['pong', Buffer.alloc(125, 0xfe)]], { chop: 1 })),
  c('2.7', 'unsolicited pong without payload', echoes(pong(), [])),
  c('2.8', 'unsolicited pong', echoes(pong('unsolicited'), [])),
  c('2.9', 'unsolicited pong, then a ping', echoes([pong('unsolicited'), ping('our ping')], [['pong', 'our ping']])),
  c('2.10', 'ten pings', echoes(tenPings.map((p) => ping(p)), tenPings.map((p) => ['pong', p]))),
  c('2.11', 'ten pings, byte by byte', echoes(tenPings.map((p) => ping(p)), tenPings.map((p) => ['pong', p]), { chop: 1 })),
]

const reserved = [
  c('3.1', 'RSV3 on a text', fails(text('Hello', { rsv: 1 }))),
  c('3.2', 'text, then RSV2 on a text, then a ping', echoThenFail([text('x', { rsv: 2 }), ping()])),
  c('3.3', 'the same, frame by frame', echoThenFail([text('x', { rsv: 3 }), ping()], 1002, { chop: 'frame' })),
  c('3.4', 'RSV1 without an extension, byte by byte', echoThenFail([text('x', { rsv: 4 }), ping()], 1002, { chop: 1 })),
  c('3.5', 'RSV1 and RSV3 on a binary', fails(binary('x', { rsv: 5 }))),
  c('3.6', 'RSV1 and RSV2 on a ping', fails(ping('x', { rsv: 6 }))),
  c('3.7', 'all three on a close', fails(frame(8, '\x03\xe8', { rsv: 7 }))),
]

const opcodes = [
  ...[3, 4, 5, 6, 7].map((op, i) => c(`4.1.${i + 1}`, `opcode ${op}`,
    i < 2 ? fails(frame(op, i === 0 ? '' : 'reserved')) : echoThenFail([frame(op, i === 2 ? '' : 'reserved'), ping()], 1002, i === 4 ? { chop: 1 } : {}))),
  ...[11, 12, 13, 14, 15].map((op, i) => c(`4.2.${i + 1}`, `opcode ${op}`,
    i < 2 ? fails(frame(op, i === 0 ? '' : 'reserved')) : echoThenFail([frame(op, i === 2 ? '' : 'reserved'), ping()], 1002, i === 4 ? { chop: 1 } : {}))),
  c('4.3.1', 'every reserved opcode fails a connection of its own', async (t) => {
    for (const op of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
      for (const fin of [true, false]) await script({ send: [frame(op, '', { fin })], expect: [['fail', 1002]] })(t)
  }),
]

export default [...framing, ...pings, ...reserved, ...opcodes]
