// Starts the binary under test on a free port with a data directory of its own.
//
// SKEIN (or SKEIN_BIN) names the binary; build/skein without. SKEIN_SERVER_LOG=1 shows what
// the servers log. A server is stopped by stop(), killed by kill(), and started again on the
// same directory by restart().
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
export const BINARY = path.resolve(process.env.SKEIN || process.env.SKEIN_BIN || path.join(ROOT, 'build/skein'))

// What this process started and has not seen end: nothing of it survives the tests.
const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export class Server {
  constructor({ args = [], env = {}, data, wrap = [] }) {
    this.args = args
    this.env = env
    this.wrap = wrap // a command that runs the binary, such as prlimit
    this.ownsData = data === undefined
    this.data = data ?? fs.mkdtempSync(path.join(os.tmpdir(), 'skein-'))
    this.port = 0
    this.log = ''
  }

  get binary() {
    return BINARY
  }

  get url() {
    return `ws://127.0.0.1:${this.port}`
  }

  get http() {
    return `http://127.0.0.1:${this.port}`
  }

  // Resolves when connections are accepted. A later start takes the port of the first, so
  // that clients find the server again.
  async start() {
    const command = [...this.wrap, BINARY, 'serve', '--listen', `127.0.0.1:${this.port}`, '--data', this.data, ...this.args]
    this.child = spawn(command[0], command.slice(1), {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...this.env },
    })
    const child = this.child
    this.hasServed = false
    running.add(child)
    this.ended = new Promise((resolve) => child.on('close', (code, signal) => {
      running.delete(child)
      resolve({ code, signal })
    }))
    await new Promise((resolve, reject) => {
      let head = ''
      child.on('error', reject)
      child.stderr.setEncoding('utf8')
      child.stderr.on('data', (text) => {
        if (process.env.SKEIN_SERVER_LOG) process.stderr.write(text)
        this.log = (this.log + text).slice(-65536)
        head = (head + text).slice(-65536)
        const line = /^listening\b.*:(\d+)/m.exec(head)
        if (line) {
          this.port = Number(line[1])
          this.hasServed = true
          resolve()
        }
      })
      this.ended.then(({ code, signal }) => reject(new Error(`the server ended (${code ?? signal}): ${head}`)))
    })
    return this
  }

  get pid() {
    return this.child.pid
  }

  get isRunning() {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  // Asks it to end; resolves to {code, signal} when it has.
  async stop() {
    if (this.isRunning) this.child.kill('SIGTERM')
    return this.ended
  }

  async kill() {
    if (this.isRunning) this.child.kill('SIGKILL')
    return this.ended
  }

  async restart() {
    await this.stop()
    return this.start()
  }

  // Stops it and removes its directory. A server that ended in any other way than it was asked
  // to (an assertion, a sanitizer, a leak at its end) has failed the test.
  async dispose() {
    const { code, signal } = await this.stop()
    if (this.ownsData) fs.rmSync(this.data, { recursive: true, force: true })
    if (this.hasServed && code !== 0 && signal !== 'SIGKILL') throw new Error(`the server ended with ${code ?? signal}:\n${this.log.slice(-8192)}`)
    if (/runtime error:|Sanitizer/.test(this.log)) throw new Error(this.log.slice(-8192))
  }

  // What a command of the binary says about the data directory, running or not.
  run(...args) {
    const result = spawnSync(BINARY, [args[0], '--data', this.data, ...args.slice(1)], { encoding: 'utf8', maxBuffer: 1 << 28 })
    if (result.status !== 0) throw new Error(`skein ${args.join(' ')}: ${result.status ?? result.signal}: ${result.stderr}`)
    return result.stdout
  }

  exportText(name, root = 't') {
    return this.run('export', name, '--format', 'text', '--root', root)
  }
}

const deferred = new WeakMap()

// Runs `close` when the test is over, the last one first: clients leave before their server.
export function defer(t, close) {
  if (!deferred.has(t)) {
    deferred.set(t, [])
    t.after(async () => {
      for (const step of deferred.get(t).reverse()) await step()
    })
  }
  deferred.get(t).push(close)
}

// A running server that goes away with the test `t`; without one, whoever started it disposes
// of it.
export async function startServer(options = {}) {
  const server = new Server(options)
  await server.start()
  if (options.t) defer(options.t, () => server.dispose())
  return server
}
