// script - the common form of a case: open, send these frames, see these events, close.
import { text } from './wire.mjs'

/* o.send: frames. o.expect: [type, data] of each event, in order; a last element
 * ['fail', code] means that the server fails the connection, else we close it and
 * nothing else may have come. o.chop: 'frame' sends each frame by itself, a number
 * sends pieces of that many bytes. o.open: options of the handshake. */
export function script(o) {
  return async (t) => {
    const c = await t.open(o.open)
    if (o.chop === 'frame') for (const f of o.send) await c.send(f)
    else await c.send(o.send, o.chop)
    for (const [type, data] of o.expect) {
      if (type === 'fail') return c.expectFailure(data)
      await c.expect(type, data)
    }
    await c.finish()
  }
}

export const fails = (send, code = 1002, o = {}) => script({ ...o, send: [].concat(send), expect: [['fail', code]] })

/* Sent and echoed, each of them. */
export const echoes = (frames, expect, o = {}) => script({ ...o, send: [].concat(frames), expect })

/* After a first message, so that an answer is pending when the fault comes in. */
export const echoThenFail = (frames, code = 1002, o = {}) =>
  script({ ...o, send: [text('Hello, world!'), ...[].concat(frames)], expect: [['text', 'Hello, world!'], ['fail', code]] })

/* The same case sent at once, frame by frame, and byte by byte. */
export function threeWays(ids, name, make) {
  const ways = [[{}, ''], [{ chop: 'frame' }, ', frame by frame'], [{ chop: 1 }, ', byte by byte']]
  return ids.map((id, i) => ({ id, name: name + ways[i][1], run: make(ways[i][0]) }))
}
