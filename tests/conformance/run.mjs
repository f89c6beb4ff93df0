// run - starts the server, runs every case, and says how many passed.
//
//   node run.mjs [CASE...]     all cases, or those whose id begins so: 6. 7.1 12.3.4
//
//   SKEIN_BIN, SKEIN   the binary (../../build/skein)
//   SKEIN_WS_URL       ws://HOST:PORT/PATH of an echo server that runs already
//   VERBOSE=1          one line a case
//
// A case passes when exactly what it states happens; there is no "almost".
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from './wire.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const chapters = ['framing', 'fragmentation', 'utf8', 'closing', 'limits', 'compression', 'handshake', 'strictness']
const CASE_MS = 30000

function startServer() {
  const binary = process.env.SKEIN_BIN ?? process.env.SKEIN ?? path.join(here, '../../build/skein')
  const data = mkdtempSync(path.join(tmpdir(), 'skein-conformance-'))
  const child = spawn(binary, ['serve', '--listen', '127.0.0.1:0', '--data', data, '--debug-echo', '--ws-compress', 'on'],
    { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)))
  const target = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', () => reject(new Error(`the server has ended:\n${log}`)))
    child.stderr.on('data', (d) => {
      log = (log + d).slice(-65536)
      const m = /^listening on http:\/\/([0-9.]+):(\d+)/m.exec(log)
      if (m) resolve({ host: m[1], port: Number(m[2]), path: '/debug/echo' })
    })
  })
  const stop = async () => {
    child.kill('SIGTERM')
    const how = await ended
    rmSync(data, { recursive: true, force: true })
    return how
  }
  return { target, stop, log: () => log }
}

function targetOfUrl(url) {
  const u = new URL(url)
  return { host: u.hostname, port: Number(u.port || 80), path: u.pathname + u.search }
}

async function runCase(test, target) {
  const clients = []
  const t = {
    target,
    client: () => (clients.push(new Client(target)), clients.at(-1)),
    open: (o) => t.client().open(o),
  }
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${CASE_MS} ms`)), CASE_MS)
  })
  const begin = process.hrtime.bigint()
  let error = null
  try {
    await Promise.race([test.run(t), late])
  } catch (e) {
    error = e
  }
  clearTimeout(timer)
  for (const c of clients) c.destroy()
  return { ...test, error, ms: Number(process.hrtime.bigint() - begin) / 1e6 }
}

const wanted = process.argv.slice(2)
const modules = await Promise.all(chapters.map((name) => import(`./cases/${name}.mjs`)))
const cases = modules.flatMap((m) => m.default).filter((c) => wanted.length === 0 || wanted.some((w) => c.id.startsWith(w)))
const ids = new Set()
for (const c of cases) {
  if (ids.has(c.id)) throw new Error(`two cases are called ${c.id}`)
  ids.add(c.id)
}

const server = process.env.SKEIN_WS_URL ? null : startServer()
const target = server ? await server.target : targetOfUrl(process.env.SKEIN_WS_URL)
const begin = Date.now()
let passed = 0
const failed = []
for (const test of cases) {
  const result = await runCase(test, target)
  if (result.error) failed.push(result)
  else passed++
  if (result.error) console.log(`FAIL ${test.id} ${test.name}: ${result.error.message}`)
  else if (process.env.VERBOSE) console.log(`ok   ${test.id} ${test.name} (${result.ms.toFixed(1)} ms)`)
}
if (server) {
  const how = await server.stop()
  if (how !== 0) {
    console.log(`FAIL the server ended with ${how}:\n${server.log()}`)
    failed.push({ id: 'exit' })
  }
}
console.log(`${((Date.now() - begin) / 1000).toFixed(1)} s`)
console.log(`${passed} passed, ${failed.length} failed`)
process.exit(failed.length === 0 ? 0 : 1)
