// Chapter 14: the opening handshake, and requests that two parsers could read
// differently (request smuggling).
import { close, fail, text } from '../wire.mjs'

/* Sends a request that must be answered with `status`, and never with an open WebSocket. */
const answered = (make, status, check) => async (t) => {
  const c = await t.client().connect()
  await c.send(make(c, t))
  const res = (await c.response()) ?? fail('the connection ended without an answer')
  if (![].concat(status).includes(res.status)) fail(`answered with ${res.status}, not ${status}`)
  if (check) await check(res, c)
}
const withFields = (fields, status, check) => answered((c) => c.request({ fields }), status, check)
const withLines = (lines, status) => answered((c) => c.request({ lines }), status)

const accepted = (o = {}) => async (t) => {
  const c = await t.open(typeof o === 'function' ? o(t) : o)
  await c.send(text('hi'))
  await c.expect('text', 'hi')
  await c.finish()
}

/* The connection must end after a refusal that leaves the framing in doubt. */
const refusedAndClosed = (make, status) => answered(make, status, async (res, c) => {
  const length = Number(res.fields.get('content-length') ?? 0)
  if (length > 0) await c.stream.bytes(length, 5000)
  const rest = await c.stream.bytes(1, 5000)
  if (rest !== null) fail('the connection goes on after a refused request')
})

const has = (name, value) => (res) => {
  if (res.fields.get(name.toLowerCase()) !== value) fail(`${name} is ${res.fields.get(name.toLowerCase())}, not ${value}`)
}
const raw = (make) => (c, t) => Buffer.from(make(`Host: ${t.target.host}:${t.target.port}`, t.target.path), 'latin1')
const get = (lines) => raw((host, path) => `GET ${path} HTTP/1.1\r\n${host}\r\n${lines}\r\n`)
const post = (lines, body = '') => raw((host, path) => `POST ${path} HTTP/1.1\r\n${host}\r\n${lines}\r\n${body}`)
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'

/* What a path of WebSockets may say to a GET: it is no resource, or it is for WebSockets. */
const plainGet = [400, 404, 426]

const good = [
  ['14.1', 'a plain handshake', accepted()],
  ['14.2', 'names and values in other cases', accepted({ fields: { Upgrade: null, Connection: null, uPgRaDe: 'WebSocket', CONNECTION: 'upgrade' } })],
  ['14.3', 'Connection lists more', accepted({ fields: { Connection: 'keep-alive, Upgrade' } })],
  ['14.4', 'Upgrade lists more', accepted({ fields: { Upgrade: 'h2c, websocket' } })],
  ['14.5', 'byte by byte', accepted({ chop: 1 })],
  ['14.6', 'a cookie of 6 KB', accepted({ fields: { Cookie: `a=${'x'.repeat(6000)}` } })],
  ['14.7', '90 header fields', accepted({ lines: Array.from({ length: 85 }, (_, i) => `X-${i}: y`) })],
  ['14.8', 'a query', accepted((t) => ({ line: `GET ${t.target.path}?a=b&c=%20 HTTP/1.1` }))],
  ['14.9', 'an absolute target', accepted((t) => ({ line: `GET http://${t.target.host}:${t.target.port}${t.target.path} HTTP/1.1` }))],
  ['14.10', 'the origin of this host', accepted((t) => ({ fields: { Origin: `http://${t.target.host}:${t.target.port}` } }))],
  ['14.11', 'a subprotocol that nobody speaks is not chosen', async (t) => {
    const c = await t.open({ fields: { 'Sec-WebSocket-Protocol': 'made-up, other' } })
    if (c.protocol !== undefined) fail(`the server chose ${c.protocol}`)
    await c.finish()
  }],
  ['14.12', 'frames right behind the request', async (t) => {
    const c = await t.client().connect()
    await c.send([Buffer.from(c.request()), text('early'), text('bird'), close(1000)])
    c.accept(await c.response())
    await c.expect('text', 'early')
    await c.expect('text', 'bird')
    await c.expect('close', 1000)
    await c.expectEnd()
  }],
  ['14.13', 'the key of the RFC', async (t) => {
    const c = await t.client().connect()
    await c.send(c.request({ key: 'dGhlIHNhbXBsZSBub25jZQ==' }))
    has('Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')(await c.response())
  }],
  ['14.14', 'an HTTP request, then the upgrade on the same connection', async (t) => {
    const c = await t.client().connect()
    await c.send(get('')(c, t))
    const res = await c.response()
    await c.stream.bytes(Number(res.fields.get('content-length')), 5000)
    if (res.fields.get('connection')?.toLowerCase() === 'close') return // permitted too
    await c.send(c.request())
    c.accept(await c.response())
    await c.finish()
  }],
]

const bad = [
  ['14.20', 'without Upgrade it is a plain request', withFields({ Upgrade: null }, plainGet)],
  ['14.21', 'with another Upgrade too', withFields({ Upgrade: 'h2c' }, plainGet)],
  ['14.22', 'no Connection', withFields({ Connection: null }, 400)],
  ['14.23', 'Connection without Upgrade', withFields({ Connection: 'keep-alive' }, 400)],
  ['14.24', 'no version', withFields({ 'Sec-WebSocket-Version': null }, [400, 426])],
  ['14.25', 'version 8: told which one', withFields({ 'Sec-WebSocket-Version': '8' }, 426, has('Sec-WebSocket-Version', '13'))],
  ['14.26', 'version 14', withFields({ 'Sec-WebSocket-Version': '14' }, 426)],
  ['14.27', 'version twice', withLines(['Sec-WebSocket-Version: 13'], [400, 426])],
  ['14.28', 'no key', withFields({ 'Sec-WebSocket-Key': null }, 400)],
  ['14.29', 'an empty key', withFields({ 'Sec-WebSocket-Key': '' }, 400)],
  ['14.30', 'a key of 15 bytes', withFields({ 'Sec-WebSocket-Key': Buffer.alloc(15).toString('base64') }, 400)],
  ['14.31', 'a key of 17 bytes', withFields({ 'Sec-WebSocket-Key': Buffer.alloc(17).toString('base64') }, 400)],
  ['14.32', 'a key that is not base64', withFields({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j*Q==' }, 400)],
  ['14.33', 'two keys', withLines(['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='], 400)],
  ['14.34', 'POST', answered((c, t) => c.request({ line: `POST ${t.target.path} HTTP/1.1` }), [400, 404, 405])],
  ['14.35', 'HTTP/1.0', answered((c, t) => c.request({ line: `GET ${t.target.path} HTTP/1.0` }), 400)],
  ['14.36', 'a handshake with a body', answered((c) => c.request({ fields: { 'Content-Length': '5' } }) + 'hello', 400)],
  ['14.37', 'an origin of another host', withFields({ Origin: 'https://evil.example' }, 403)],
  ['14.38', 'the origin null', withFields({ Origin: 'null' }, 403)],
  ['14.39', 'an origin that only begins like ours', answered((c, t) => c.request({ fields: { Origin: `http://${t.target.host}:${t.target.port}.evil.example` } }), 403)],
  ['14.40', 'another port', answered((c, t) => c.request({ fields: { Origin: `http://${t.target.host}:1` } }), 403)],
]

const hygiene = [
  ['14.50', 'no Host', answered((c) => c.request({ fields: { Host: null } }), 400)],
  ['14.51', 'two Hosts', answered((c, t) => c.request({ lines: [`Host: ${t.target.host}`] }), 400)],
  ['14.52', 'a Host with a path', withFields({ Host: 'a/b' }, 400)],
  ['14.53', 'a Host with a user', withFields({ Host: 'u@a' }, 400)],
  ['14.54', 'Content-Length and Transfer-Encoding', refusedAndClosed(post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${smuggled}`), 400)],
  ['14.55', 'two different Content-Lengths', refusedAndClosed(post('Content-Length: 0\r\nContent-Length: 40\r\n', smuggled), 400)],
  ['14.56', 'two equal Content-Lengths', refusedAndClosed(post('Content-Length: 1\r\nContent-Length: 1\r\n', 'x'), 400)],
  ['14.57', 'a list of Content-Lengths', refusedAndClosed(post('Content-Length: 1, 1\r\n', 'x'), 400)],
  ['14.58', 'Content-Length: +1', refusedAndClosed(post('Content-Length: +1\r\n', 'x'), 400)],
  ['14.59', 'Content-Length: -1', refusedAndClosed(post('Content-Length: -1\r\n'), 400)],
  ['14.60', 'Content-Length: 0x1', refusedAndClosed(post('Content-Length: 0x1\r\n', 'x'), 400)],
  ['14.61', 'two Transfer-Encodings', refusedAndClosed(post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400)],
  ['14.62', 'Transfer-Encoding: identity', refusedAndClosed(post('Transfer-Encoding: identity\r\n'), [400, 501])],
  ['14.63', 'Transfer-Encoding: chunked, gzip', refusedAndClosed(post('Transfer-Encoding: chunked, gzip\r\n'), [400, 501])],
  ['14.64', 'Transfer-Encoding with a vertical tab', refusedAndClosed(post('Transfer-Encoding: \vchunked\r\n', '0\r\n\r\n'), [400, 501])],
  ['14.65', 'a space before the colon', refusedAndClosed(post('Content-Length : 5\r\n', 'hello'), 400)],
  ['14.66', 'a tab before the colon', refusedAndClosed(post('Transfer-Encoding\t: chunked\r\n', '0\r\n\r\n'), 400)],
  ['14.67', 'a folded field', refusedAndClosed(get('X: a\r\n b\r\n'), 400)],
  ['14.68', 'a folded first field', refusedAndClosed(raw((host, path) => `GET ${path} HTTP/1.1\r\n ${host}\r\n\r\n`), 400)],
  ['14.69', 'bare line feeds', refusedAndClosed(raw((host, path) => `GET ${path} HTTP/1.1\n${host}\n\n`), 400)],
  ['14.70', 'one bare line feed', refusedAndClosed(get('X: a\nY: b\r\n'), 400)],
  ['14.71', 'a bare carriage return', refusedAndClosed(get('X: a\rb\r\n'), 400)],
  ['14.72', 'a zero in a value', refusedAndClosed(get('X: a\0b\r\n'), 400)],
  ['14.73', 'a zero in a name', refusedAndClosed(get('X\0: a\r\n'), 400)],
  ['14.74', 'a line without a colon', refusedAndClosed(get('X\r\n'), 400)],
  ['14.75', 'a line without a name', refusedAndClosed(get(': x\r\n'), 400)],
  ['14.76', 'a name with a bracket', refusedAndClosed(get('X(: a\r\n'), 400)],
  ['14.77', 'a raw byte above 7f in the target', refusedAndClosed(raw((host, path) => `GET ${path}?\xc3\xa9 HTTP/1.1\r\n${host}\r\n\r\n`), 400)],
  ['14.78', 'two spaces in the request line', refusedAndClosed(raw((host, path) => `GET  ${path} HTTP/1.1\r\n${host}\r\n\r\n`), 400)],
  ['14.79', 'a target that is no path', refusedAndClosed(raw((host) => `GET debug HTTP/1.1\r\n${host}\r\n\r\n`), 400)],
  ['14.80', 'HTTP/0.9', refusedAndClosed(raw((host, path) => `GET ${path}\r\n\r\n`), 400)],
  ['14.81', 'the preface of HTTP/2', refusedAndClosed(raw(() => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 505)],
  ['14.82', 'a hello of TLS', refusedAndClosed(raw(() => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'), 400)],
  ['14.83', 'frames without a handshake', refusedAndClosed(() => text('hello'), 400)],
  ['14.84', 'a head of 17 KB', refusedAndClosed(get(`X: ${'y'.repeat(17000)}\r\n`), 431)],
  ['14.85', 'a head without an end', refusedAndClosed(raw((host, path) => `GET ${path} HTTP/1.1\r\n${host}\r\n${'X: y\r\n'.repeat(3000)}`), 431)],
  ['14.86', '200 fields', refusedAndClosed(get('X: y\r\n'.repeat(200)), 431)],
  ['14.87', 'a target of 9 KB', refusedAndClosed(raw((host, path) => `GET ${path}?${'a'.repeat(9000)} HTTP/1.1\r\n${host}\r\n\r\n`), 414)],
  ['14.88', 'a target without an end', refusedAndClosed(raw((host, path) => `GET ${path}?${'a'.repeat(20000)}`), 414)],
  ['14.89', 'chunk sizes that are not hexadecimal', refusedAndClosed(post('Transfer-Encoding: chunked\r\n', 'xyz\r\n'), 400)],
  ['14.90', 'chunk with a bare line feed', refusedAndClosed(post('Transfer-Encoding: chunked\r\n', '5\nhello\r\n0\r\n\r\n'), 400)],
  ['14.91', 'chunk longer than it says', refusedAndClosed(post('Transfer-Encoding: chunked\r\n', '5\r\nhello!!\r\n0\r\n\r\n'), 400)],
  ['14.92', 'after 101 an HTTP request is a bad frame', async (t) => {
    const c = await t.open()
    await c.send(c.request())
    await c.expectFailure(1002)
  }],
  ['14.93', 'a refused handshake does not turn into an open one', async (t) => {
    const c = await t.client().connect()
    await c.send([Buffer.from(c.request({ fields: { 'Sec-WebSocket-Key': 'short' } })), text('hello')])
    const res = await c.response()
    if (res.status !== 400) fail(`answered with ${res.status}`)
    await c.stream.bytes(Number(res.fields.get('content-length') ?? 0), 5000)
    const next = await c.response().catch(() => null) // an answer to the frame as a request, or the end
    if (next !== null && next.status === 101) fail('the connection was upgraded')
  }],
]

export default [...good, ...bad, ...hygiene].map(([id, name, run]) => ({ id, name, run }))
