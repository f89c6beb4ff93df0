// Chapter 7: the closing handshake.
import { close, closePayload, cont, fail, frame, OP, ping, text } from '../wire.mjs'
import { fails } from '../script.mjs'

const open = { fin: false }
const big = Buffer.alloc(256 * 1024, 'BAsd7&jh23')

/* Sends frames of which the first `answered` are echoed; then the close is answered
 * with `code`, whatever follows it is ignored, and the connection ends in order. */
const closes = (frames, code, answered = []) => async (t) => {
  const c = await t.open()
  await c.send(frames)
  for (const [type, data] of answered) await c.expect(type, data)
  await c.expect('close', code)
  await c.expectEnd()
}

const valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
const invalid = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]

export default [
  ['7.1.1', 'a message, then close', closes([text('Hello World!'), close(1000)], 1000, [['text', 'Hello World!']])],
  ['7.1.2', 'close twice', closes([close(1000), close(1001)], 1000)],
  ['7.1.3', 'a ping after the close is ignored', closes([close(1000), ping()], 1000)],
  ['7.1.4', 'a text after the close is ignored', closes([close(1000), text('too late')], 1000)],
  ['7.1.5', 'close inside a message', closes([text('fragment1', open), close(1000), cont('fragment2')], 1000)],
  ['7.1.6', 'a large message, close, and a ping', closes([text(big), text('Hello'), close(1000), ping()], 1000, [['text', big], ['text', 'Hello']])],
  ['7.1.7', 'garbage after the close is ignored', closes([close(1000), Buffer.alloc(5000, 0xff)], 1000)],
  ['7.3.1', 'close without a payload', closes([close()], undefined)],
  ['7.3.2', 'close with one byte', fails(frame(OP.close, 'a'))],
  ['7.3.3', 'close with a code', closes([close(1000)], 1000)],
  ['7.3.4', 'close with a reason', closes([close(1000, 'Hello World!')], 1000)],
  ['7.3.5', 'close with the longest reason', closes([close(1000, '*'.repeat(123))], 1000)],
  ['7.3.6', 'close with a reason that is too long', fails(frame(OP.close, closePayload(1000, '*'.repeat(124))))],
  ['7.5.1', 'a reason that is not UTF-8', fails(frame(OP.close, closePayload(1000, Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex'))), 1007)],
  ['7.5.2', 'a reason that is cut inside a character', fails(frame(OP.close, closePayload(1000, Buffer.from('e282', 'hex'))), 1007)],
  ...valid.map((code, i) => [`7.7.${i + 1}`, `code ${code}`, closes([close(code)], code)]),
  ...invalid.map((code, i) => [`7.9.${i + 1}`, `code ${code} may not be sent`, fails(close(code))]),
  ['7.13.1', 'close byte by byte', async (t) => {
    const c = await t.open()
    await c.send(close(1001, 'going'), 1)
    await c.expect('close', 1001)
    await c.expectEnd()
  }],
  ['7.13.2', 'the server ends the connection, not we', async (t) => {
    const c = await t.open()
    await c.send(close(1000))
    await c.expect('close', 1000)
    const begin = Date.now()
    if ((await c.expectEnd()) !== 'eof') fail('the connection was reset')
    if (Date.now() - begin > 1000) fail('the server waited before it ended the connection')
  }],
  ['7.13.3', 'the end of the stream without a close', async (t) => {
    const c = await t.open()
    await c.send(text('x'))
    await c.expect('text', 'x')
    c.stream.socket.end()
    await c.expectEnd()
  }],
  ['7.13.4', 'the end of the stream inside a frame', async (t) => {
    const c = await t.open()
    await c.send(text('hello').subarray(0, 8))
    c.stream.socket.end()
    await c.expectEnd()
  }],
].map(([id, name, run]) => ({ id, name, run }))
