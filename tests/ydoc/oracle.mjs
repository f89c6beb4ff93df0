// A client of the oracle protocol: a child process that answers framed requests in order.
//
// Request: u32le n, a command byte, n - 1 bytes. Answer: u32le n, a status byte (0 done, 1
// refused), n - 1 bytes. Requests are pipelined: up to PIPE_REQUESTS and PIPE_BYTES are on their
// way at once, the rest waits here. Answers come in order, so the oldest request without an
// answer is the one that a death or a hang is blamed on.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

const PIPE_REQUESTS = 256
const PIPE_BYTES = 4 << 20
const ANSWER_BYTES_MAX = 256 << 20

// The command line under test. YDOC_ORACLE is split on spaces; YDOC_BIN is the `ydoc` command.
export function commandUnderTest(env = process.env) {
  if (env.YDOC_ORACLE) return env.YDOC_ORACLE.split(' ').filter((word) => word !== '')
  return [path.resolve(env.YDOC_BIN || path.join(ROOT, 'build/ydoc')), 'oracle']
}

// The process ended or fell silent; `request` is the one that it did not answer.
export class OracleFailure extends Error {
  constructor(words, request, log) {
    const payload = Buffer.from(request.payload)
    const hex = payload.length > 400 ? `${payload.toString('hex', 0, 400)}… (${payload.length} bytes)` : payload.toString('hex')
    super(`the oracle ${words} at request ${request.command} ${hex}${log === '' ? '' : `\n${log}`}`)
    this.request = request
    this.isHang = words.startsWith('did not answer')
  }
}

// Everything that this process started goes with it.
const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

class Request {
  constructor(command, payload) {
    this.command = command
    this.payload = payload
    this.promise = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }))
    this.promise.catch(() => {}) // a pipelined request may fail before anybody looks at it
  }

  frame() {
    const head = Buffer.alloc(5)
    head.writeUInt32LE(this.payload.length + 1, 0)
    head[4] = this.command.charCodeAt(0)
    return this.payload.length === 0 ? head : Buffer.concat([head, this.payload])
  }
}

export class Oracle {
  constructor(command = commandUnderTest(), { timeoutMs = 20_000 } = {}) {
    this.command = command
    this.timeoutMs = timeoutMs
    this.waiting = [] // not written yet
    this.sent = [] // written, oldest first
    this.sentBytes = 0
    this.deaths = 0
  }

  // Resolves to {ok, body}; rejects with an OracleFailure when there is no answer. After that the
  // next call starts a new process, without a document.
  call(command, payload = Buffer.alloc(0)) {
    const request = new Request(command, payload)
    this.waiting.push(request)
    this.#send()
    return request.promise
  }

  #send() {
    if (this.child === undefined && this.waiting.length > 0) this.#start()
    while (this.waiting.length > 0 && this.sent.length < PIPE_REQUESTS && this.sentBytes < PIPE_BYTES) {
      const request = this.waiting.shift()
      this.sent.push(request)
      this.sentBytes += request.payload.length
      this.child.stdin.write(request.frame())
      if (this.sent.length === 1) this.#arm()
    }
  }

  #start() {
    const child = spawn(this.command[0], this.command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] })
    this.child = child
    this.chunks = []
    this.have = 0
    this.log = ''
    running.add(child)
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (text) => { this.log = (this.log + text).slice(0, 16384) })
    child.stdin.on('error', () => {}) // the end of the process says more
    child.stdout.on('data', (data) => this.#on_data(child, data))
    child.on('error', (error) => this.#on_end(child, `could not be started (${error.message})`))
    child.on('close', (code, signal) => this.#on_end(child, this.verdict ?? `ended with ${code ?? signal}`))
  }

  #on_data(child, data) {
    if (child !== this.child) return
    this.chunks.push(data)
    this.have += data.length
    while (this.have >= 4) {
      if (this.chunks[0].length < 4) this.chunks = [Buffer.concat(this.chunks)]
      const n = this.chunks[0].readUInt32LE(0)
      if (n < 1 || n > ANSWER_BYTES_MAX || this.sent.length === 0) return this.#kill(`gave a bad answer of ${n} bytes`)
      if (this.have < 4 + n) break
      const all = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks)
      const rest = all.subarray(4 + n)
      this.chunks = rest.length > 0 ? [rest] : []
      this.have = rest.length
      this.#answer({ ok: all[4] === 0, body: Buffer.from(all.subarray(5, 4 + n)) })
    }
  }

  #answer(answer) {
    const request = this.sent.shift()
    this.sentBytes -= request.payload.length
    this.#arm()
    request.resolve(answer)
    this.#send()
  }

  // The oldest request has timeoutMs, counted from when it became the oldest.
  #arm() {
    clearTimeout(this.timer)
    if (this.sent.length === 0) return
    this.timer = setTimeout(() => this.#kill(`did not answer within ${this.timeoutMs / 1000} s`), this.timeoutMs)
  }

  #kill(words) {
    this.verdict = words
    this.child.kill('SIGKILL')
  }

  // What was sent behind the failed request fails with it: its answers would have been given by
  // a document that is gone.
  #on_end(child, words) {
    running.delete(child)
    if (child !== this.child) return
    clearTimeout(this.timer)
    this.child = undefined
    this.verdict = undefined
    this.exitWords = words
    const lost = this.sent.splice(0).concat(this.waiting.splice(0))
    this.sentBytes = 0
    if (lost.length > 0) this.deaths++
    const failure = lost.length > 0 ? new OracleFailure(words, lost[0], this.log) : undefined
    for (const request of lost) request.reject(failure)
    this.ended?.()
  }

  // Closes its input and waits for its end, which has to be a good one.
  async close() {
    if (this.child === undefined) return
    const end = new Promise((resolve) => { this.ended = resolve })
    const timer = setTimeout(() => this.#kill('did not end with its input'), this.timeoutMs)
    this.child.stdin.end()
    await end
    clearTimeout(timer)
    if (this.exitWords !== 'ended with 0') throw new Error(`the oracle ${this.exitWords}\n${this.log}`)
  }
}

// ---- payloads ----------------------------------------------------------------------------------

export const KINDS = { Array: 0, Map: 1, Text: 2, XmlElement: 3, XmlFragment: 4, XmlText: 6 }
export const KIND_NAMES = Object.fromEntries(Object.entries(KINDS).map(([name, number]) => [number, name]))

export function encodeList(items) {
  const parts = [Buffer.alloc(4)]
  parts[0].writeUInt32LE(items.length, 0)
  for (const item of items) {
    const head = Buffer.alloc(4)
    head.writeUInt32LE(item.length, 0)
    parts.push(head, Buffer.from(item))
  }
  return Buffer.concat(parts)
}

export function decodeList(bytes) {
  const items = []
  let at = 4
  for (let left = bytes.readUInt32LE(0); left > 0; left--) {
    const end = at + 4 + bytes.readUInt32LE(at)
    if (end > bytes.length) throw new Error('a list that is longer than its bytes')
    items.push(bytes.subarray(at + 4, end))
    at = end
  }
  return items
}

function kindAndName(kind, name) {
  const text = Buffer.from(name)
  return Buffer.concat([Buffer.from([KINDS[kind], text.length]), text])
}

// `roots`: {name: kind}. `isDeclared` false leaves their kinds unknown until they are read.
export function encodeNew(gc, roots, isDeclared = true) {
  const names = isDeclared ? Object.keys(roots) : []
  return Buffer.concat([Buffer.from([gc ? 1 : 0, names.length]), ...names.map((name) => kindAndName(roots[name], name))])
}

export const encodeRead = (kind, name) => Buffer.concat([Buffer.from([KINDS[kind]]), Buffer.from(name)])

export function encodePosition(kind, name, index, assoc) {
  const tail = Buffer.alloc(5)
  tail.writeInt32LE(index, 0)
  tail.writeInt8(assoc, 4)
  return Buffer.concat([kindAndName(kind, name), tail])
}

export const encodeJson = (value) => Buffer.from(JSON.stringify(value))
