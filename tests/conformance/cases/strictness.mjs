// Chapter 15: where servers are lenient or late, and must not be.
import { binary, close, closePayload, cont, fail, frame, OP, ping, pong, text } from '../wire.mjs'
import { echoes, echoThenFail, fails } from '../script.mjs'

const open = { fin: false }
const unmasked = { mask: false }
const bytes = (...b) => Buffer.from(b)

/* Sends the beginning of a frame, whose rest never comes: it must be failed now. */
const atOnce = (head, code = 1002) => fails(head, code)

export default [
  ['15.1', 'an unmasked text', fails(text('hello', unmasked))],
  ['15.2', 'an unmasked text, failed by its first two bytes', atOnce(bytes(0x81, 0x05))],
  ['15.3', '125 bytes with a length of 16 bits', fails(binary(Buffer.alloc(125), { form: 16 }))],
  ['15.4', '65,535 bytes with a length of 64 bits', fails(binary(Buffer.alloc(65535), { form: 64 }))],
  ['15.5', 'no bytes with a length of 16 bits', fails(text('', { form: 16 }))],
  ['15.6', 'no bytes with a length of 64 bits', fails(text('', { form: 64 }))],
  ['15.7', 'a ping with a length of 16 bits', fails(ping('x', { form: 16 }))],
  ['15.8', 'the top bit of a length of 64 bits', atOnce(bytes(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4))],
  ['15.9', 'an unmasked ping', fails(ping('x', unmasked))],
  ['15.10', 'an unmasked close', fails(close(1000, '', unmasked))],
  ['15.11', 'unmasked inside a masked message', fails([text('a', open), cont('b', unmasked)])],
  ['15.12', 'a length of 16 bits that is too long a form, by its header', atOnce(bytes(0x82, 0xfe, 0, 5))],
  ['15.13', 'a mask of zeros', echoes(text('plain to see', { mask: [0, 0, 0, 0] }), [['text', 'plain to see']])],
  ['15.14', 'a reserved bit, failed by two bytes', atOnce(bytes(0x91, 0xfe))],
  ['15.15', 'a reserved opcode, failed by two bytes', atOnce(bytes(0x83, 0xff))],
  ['15.16', 'a ping of 126 bytes, failed by two bytes', atOnce(bytes(0x89, 0xfe))],
  ['15.17', 'a close of one byte, failed by two bytes', atOnce(bytes(0x88, 0x81))],
  ['15.18', 'a fragmented ping, failed by two bytes', atOnce(bytes(0x09, 0x80))],
  ['15.19', 'a continuation of nothing, failed by two bytes', atOnce(bytes(0x80, 0xfe))],
  ['15.20', 'answers before a fault in the same segment are not lost', echoThenFail([ping('x', { rsv: 1 })])],
  ['15.21', 'ten echoes before a fault are not lost', async (t) => {
    const c = await t.open()
    await c.send([...Array.from({ length: 10 }, (_, i) => text(`message ${i}`)), ping('p'), text('x', unmasked)])
    for (let i = 0; i < 10; i++) await c.expect('text', `message ${i}`)
    await c.expect('pong', 'p')
    await c.expectFailure(1002)
  }],
  ['15.22', 'a large echo before a fault is not lost', async (t) => {
    const c = await t.open()
    const data = Buffer.alloc(4 << 20, 'z')
    await c.send([text(data), frame(3, '')])
    await c.expect('text', data)
    await c.expectFailure(1002)
  }],
  ['15.23', 'a close code cut by the end of the frame', fails(frame(OP.close, 'x'))],
  ['15.24', 'RSV1 on a ping', fails(ping('x', { rsv: 4 }))],
  ['15.25', 'RSV1 on a close', fails(frame(OP.close, closePayload(1000), { rsv: 4 }))],
  ['15.26', 'RSV1 on a continuation', fails([text('a', open), cont('b', { rsv: 4 })])],
  ['15.27', 'a long frame right after a short one, in pieces of 3 bytes', echoes([text('a'), text('b'.repeat(500))], [['text', 'a'], ['text', 'b'.repeat(500)]], { chop: 3 })],
  ['15.28', 'control frames inside a message are not confused with it, byte by byte',
    echoes([text('a', open), ping('x'.repeat(125)), pong('y'), cont('b', open), ping(), cont('c')],
      [['pong', 'x'.repeat(125)], ['pong', ''], ['text', 'abc']], { chop: 1 })],
  ['15.29', 'close inside a message, in the middle of which text was hopeful', async (t) => {
    const c = await t.open()
    await c.send([text(bytes(0xe2, 0x82), open), close(1000)])
    await c.expect('close', 1000)
    await c.expectEnd()
  }],
  ['15.30', 'text that is only cut by a ping is still one text', echoes([text(bytes(0xe2), open), ping('p'), cont(bytes(0x82, 0xac))], [['pong', 'p'], ['text', '€']])],
  ['15.31', 'the next text does not begin in the last one', async (t) => {
    const c = await t.open()
    await c.send([binary(bytes(0xe2)), text(bytes(0x82, 0xac))])
    await c.expect('binary', bytes(0xe2))
    await c.expectFailure(1007)
  }],
  ['15.32', 'binary fragments are not checked as text', echoes([binary(bytes(0xff), open), cont(bytes(0xfe))], [['binary', bytes(0xff, 0xfe)]])],
  ['15.33', 'the error is a close frame with words', async (t) => {
    const c = await t.open()
    await c.send(frame(3, ''))
    const ev = await c.expect('close', 1002)
    if (ev.data.length === 0) fail('the close frame has no reason')
    await c.expectEnd()
  }],
  ['15.34', 'a client that never reads does not hold up another', async (t) => {
    const deaf = await t.open()
    deaf.stream.socket.pause()
    const data = Buffer.alloc(1 << 20, 'x')
    for (let i = 0; i < 8; i++) deaf.stream.socket.write(text(data, { mask: [1, 2, 3, 4] }))
    await echoes(text('still here'), [['text', 'still here']])(t)
  }],
  ['15.35', 'a fault is answered although the peer does not stop sending', async (t) => {
    const c = await t.open()
    const flood = Buffer.alloc(1 << 20, 0xff)
    c.stream.socket.write(frame(3, ''))
    for (let i = 0; i < 4; i++) c.stream.socket.write(flood)
    await c.expect('close', 1002)
    await c.expectEnd()
  }],
  ['15.36', '200 connections at once', async (t) => {
    const all = await Promise.all(Array.from({ length: 200 }, () => t.open()))
    await Promise.all(all.map(async (c, i) => {
      await c.send(text(`connection ${i}`))
      await c.expect('text', `connection ${i}`)
      await c.finish()
    }))
  }],
].map(([id, name, run]) => ({ id, name, run }))
