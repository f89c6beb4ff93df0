// run - starts Skein and its peers one after the other, lets the load generator at them, and
// writes what it found between the marks in bench/README.md.
//
// Every figure is of a server that was started for it and is stopped after it, on this machine,
// in this run: ratios between them hold where absolute figures do not. The peers store nothing;
// Skein stores every edit in a directory on disk (under build/, not in a tmpfs).
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'

const HERE = path.dirname(fileURLToPath(import.meta.url))
const ROOT = path.dirname(HERE)
const README = path.join(HERE, 'README.md')
const USAGE = `bench/run [options]
  --quick            3 seconds a cell instead of 8, 2,000 idle connections instead of 10,000
  --only PATTERN     only the parts or rows whose name matches: edits, cursors, echo, idle, rooms, join
  --servers LIST     of skein, hocuspocus, y-websocket, ws, limit (all)
  --skein PATH       the binary (build/skein)
  --build DIR        where bench_loadgen and bench_limit are (build/release)
  --repeat N         measure each cell N times and keep the median (1)
  --print            print the tables and leave README.md alone
`

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    servers: { type: 'string', default: 'skein,hocuspocus,y-websocket,ws,limit' },
    skein: { type: 'string', default: path.join(ROOT, 'build/skein') },
    build: { type: 'string', default: path.join(ROOT, 'build/release') },
    repeat: { type: 'string', default: '1' },
    print: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}
const SECONDS = options.quick ? 3 : 8
const REPEAT = Number(options.repeat)
const wanted = new Set(options.servers.split(','))
const scratch = path.join(ROOT, 'build/bench-data')

// ---- servers ---------------------------------------------------------------------------------

// How to start each, and what loadgen must be told to talk to it.
const SERVERS = {
  skein: {
    title: 'Skein',
    command: (dir) => [options.skein, 'serve', '--listen', '127.0.0.1:0', '--data', dir, '--debug-echo', '--idle-unload', '1s'],
    protos: ['y-websocket', 'hocuspocus'],
  },
  hocuspocus: {
    title: 'Hocuspocus',
    command: () => ['node', path.join(HERE, 'peers/hocuspocus.mjs'), '0'],
    protos: ['hocuspocus'],
  },
  'y-websocket': {
    title: 'y-websocket server',
    command: () => ['node', path.join(HERE, 'peers/y-websocket.mjs'), '0'],
    protos: ['y-websocket'],
  },
  ws: {
    title: 'ws',
    command: () => ['node', path.join(HERE, 'peers/ws-echo.mjs'), '0'],
    protos: [],
  },
  limit: {
    title: 'bare epoll',
    command: () => [path.join(options.build, 'bench_limit'), '0'],
    protos: ['y-websocket'],
  },
}

// Starts a server and resolves when it accepts connections.
async function start(name, dir, more = []) {
  const [file, ...args] = [...SERVERS[name].command(dir), ...more]
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  const port = await new Promise((resolve, reject) => {
    child.stderr.on('data', (data) => {
      log = (log + data).slice(-8192)
      const line = /^listening.*:(\d+)/m.exec(log)
      if (line) resolve(Number(line[1]))
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => reject(new Error(`${name} ended (${code ?? signal}):\n${log}`)))
  })
  return { name, child, port }
}

async function stop(server) {
  const { child } = server
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(late)
}

// One run of the load generator against a running server; the line of JSON that it printed.
async function load(server, args, endpoint = '/') {
  const all = ['--url', `127.0.0.1:${server.port}${endpoint}`, '--pid', String(server.child.pid), ...args.map(String)]
  const child = spawn(path.join(options.build, 'bench_loadgen'), all, { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => (out += data))
  child.stderr.on('data', (data) => (err += data))
  const [code] = await once(child, 'close')
  process.stderr.write(`  ${server.name.padEnd(12)} ${err.trim()}\n`)
  if (out === '') return { failed: err.trim() }
  return { ...JSON.parse(out), bad: code !== 0 }
}

// One run with a server and a data directory of its own.
async function run(name, args, endpoint, more) {
  const dir = fs.mkdtempSync(path.join(scratch, `${name}-`))
  const server = await start(name, dir, more)
  try {
    return await load(server, args, endpoint)
  } finally {
    await stop(server)
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

function median(runs, key) {
  runs.sort((a, b) => (a[key] ?? Infinity) - (b[key] ?? Infinity))
  return runs[Math.floor(runs.length / 2)]
}

async function cell(name, args, endpoint, key) {
  const runs = []
  for (let i = 0; i < REPEAT; i++) runs.push(await run(name, args, endpoint))
  return median(runs, key)
}

// ---- what is measured ------------------------------------------------------------------------

// The rows of the table, with what Skein is to reach: CPU-seconds per million, p99 in ms.
const EDITS = [
  { name: '100 people write, 5 edits a second each', args: ['--conns', 100, '--rate', 5], aim: [0.6, 20] },
  { name: '500 people write, 1 a second', args: ['--conns', 500, '--rate', 1], aim: [0.45, 25] },
  { name: '500 people write, 5 a second', args: ['--conns', 500, '--rate', 5], aim: [0.12, 25] },
  { name: '500 people, 5 of them write, 5 a second', args: ['--conns', 500, '--writers', 5, '--rate', 5], aim: [2.2, 6] },
  { name: '100 people, 2 edits and 2 cursor moves a second', args: ['--conns', 100, '--rate', 2, '--cursors', 2], aim: [2.0, 20] },
]

const columns = []
for (const name of Object.keys(SERVERS)) {
  if (!wanted.has(name)) continue
  for (const proto of SERVERS[name].protos) columns.push({ name, proto })
}
const titleOf = ({ name, proto }) => (name === 'skein' ? `Skein (${proto})` : SERVERS[name].title)
const matches = (...names) => options.only === '' || names.some((n) => n.toLowerCase().includes(options.only.toLowerCase()))

const fixed = (value, digits = 2) => (value === undefined ? '' : value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : digits))

// An edit's cell in words. A server that lets edits wait for seconds has not kept up.
function editWords(result) {
  if (result.failed) return 'fails'
  const share = result.delivered / (result.delivered + result.missing)
  if (share < 0.999) return `cannot (${(share * 100).toFixed(0)} % arrive)`
  const late = result.p99_ms >= 1000 ? `${fixed(result.p99_ms / 1000, 1)} s` : `${fixed(result.p99_ms, 1)} ms`
  return `${fixed(result.cpu_s_per_million)}; ${late}`
}

const usable = (result) => result && !result.failed && result.missing === 0

function editRatio(row) {
  const own = columns.map((c, i) => [c, row.results[i]]).filter(([c, r]) => c.name === 'skein' && usable(r))
  const theirs = columns.map((c, i) => [c, row.results[i]]).filter(([c, r]) => ['hocuspocus', 'y-websocket'].includes(c.name) && usable(r))
  if (own.length === 0 || theirs.length === 0) return ''
  const mine = Math.max(...own.map(([, r]) => r.cpu_s_per_million))
  const best = Math.min(...theirs.map(([, r]) => r.cpu_s_per_million))
  return `${fixed(best / mine, 1)} times less`
}

// What Skein's CPU is of that of the bare loop, which sends once for each delivery.
function bareRatio(row) {
  const own = columns.map((c, i) => [c, row.results[i]]).filter(([c, r]) => c.name === 'skein' && usable(r))
  const bare = row.results[columns.findIndex((c) => c.name === 'limit')]
  if (own.length === 0 || !usable(bare)) return ''
  return `${((100 * Math.max(...own.map(([, r]) => r.cpu_s_per_million))) / bare.cpu_s_per_million).toFixed(0)} %`
}

async function measureEdits() {
  const rows = []
  for (const row of EDITS) {
    if (!matches('edits', row.name)) continue
    process.stderr.write(`${row.name}\n`)
    const results = []
    for (const { name, proto } of columns) {
      const args = ['--mode', 'edit', '--proto', proto, '--seconds', SECONDS, '--warm', options.quick ? 1 : 2, '--drain', 15, ...row.args]
      results.push(await cell(name, args, '/', 'cpu_s_per_million'))
    }
    rows.push({ ...row, results })
  }
  return rows
}

async function measureCursors() {
  if (!matches('cursors')) return []
  process.stderr.write('1,500 people move their cursor once a second\n')
  const rows = []
  for (const column of columns.filter((c) => c.name !== 'limit')) {
    const args = ['--mode', 'edit', '--proto', column.proto, '--conns', 1500, '--rate', 0, '--cursors', 1, '--seconds', SECONDS, '--warm', 2]
    rows.push({ ...column, result: await cell(column.name, args, '/', 'cores') })
  }
  return rows
}

// A few per cent are to be told apart here, so the servers take turns, three times, and each
// runs one thread: the generator has the other core.
async function measureEcho() {
  const rows = []
  if (!matches('echo')) return rows
  const names = ['limit', 'skein', 'ws'].filter((n) => wanted.has(n))
  for (const inflight of [1, 16]) {
    process.stderr.write(`echo, ${inflight} in flight\n`)
    const runs = Object.fromEntries(names.map((name) => [name, []]))
    for (let turn = 0; turn < Math.max(3, REPEAT); turn++)
      for (const name of names) {
        const args = ['--mode', 'echo', '--conns', 100, '--inflight', inflight, '--seconds', options.quick ? 3 : 5]
        runs[name].push(await run(name, args, '/debug/echo', name === 'skein' ? ['--workers', '1'] : []))
      }
    for (const name of names) rows.push({ name, inflight, result: median(runs[name], 'cpu_s_per_million') })
  }
  return rows
}

async function measureIdle() {
  const rows = []
  const conns = options.quick ? 2000 : 10000
  const rooms = options.quick ? 1000 : 4000
  const people = columns.filter((c) => c.name !== 'limit')
  if (matches('idle')) {
    process.stderr.write(`${conns} idle connections\n`)
    for (const name of ['skein', 'ws'].filter((n) => wanted.has(n)))
      rows.push({ title: `${SERVERS[name].title}: a socket that says nothing`, conns, result: await cell(name, ['--mode', 'idle', '--proto', 'none', '--conns', conns, '--seconds', 2, '--drain', 3], '/debug/echo', 'bytes_each') })
    for (const column of people)
      rows.push({ title: `${titleOf(column)}: a person in a document of 100`, conns, result: await cell(column.name, ['--mode', 'idle', '--proto', column.proto, '--conns', conns, '--docs', conns / 100, '--writers', 0, '--seconds', 2, '--drain', 3], '/', 'bytes_each') })
  }
  if (matches('rooms')) {
    process.stderr.write('rooms of 10 KB\n')
    for (const column of people)
      rows.push({ title: `${titleOf(column)}: a document of 10 KB with one person`, conns: rooms, result: await cell(column.name, ['--mode', 'idle', '--proto', column.proto, '--conns', rooms, '--docs', rooms, '--bytes', 10240, '--seconds', 3, '--drain', 5], '/', 'bytes_each') })
  }
  return rows
}

async function measureJoin() {
  const rows = []
  if (!matches('join')) return rows
  process.stderr.write('joining a document of 1 MB\n')
  for (const column of columns.filter((c) => c.name !== 'limit')) {
    const dir = fs.mkdtempSync(path.join(scratch, `${column.name}-`))
    const common = ['--mode', 'join', '--proto', column.proto, '--room', 'join', '--bytes', 1 << 20]
    let server = await start(column.name, dir)
    const warm = await load(server, [...common, '--joins', options.quick ? 10 : 50])
    await stop(server)
    rows.push({ title: `${titleOf(column)}, warm`, result: warm })
    if (column.name === 'skein') {
      server = await start(column.name, dir)
      rows.push({ title: `${titleOf(column)}, cold: the first after a restart`, result: await load(server, [...common, '--writers', 0, '--joins', 1]) })
      await stop(server)
    }
    fs.rmSync(dir, { recursive: true, force: true })
  }
  return rows
}

// ---- tables ----------------------------------------------------------------------------------

const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

function editTables(rows) {
  const main = table(
    ['one document', ...columns.map(titleOf), 'Skein against the better peer', 'and against bare epoll', 'aim'],
    rows.map((row) => [row.name, ...row.results.map(editWords), editRatio(row), bareRatio(row), `≤ ${row.aim[0]}; ≤ ${row.aim[1]} ms`]),
  )
  const more = []
  for (const row of rows)
    columns.forEach((column, i) => {
      const r = row.results[i]
      if (!r.failed)
        more.push([row.name, titleOf(column), fixed(r.p50_ms, 1), fixed(r.p99_ms, 1), fixed(r.max_ms, 1), r.acks > 0 ? `${fixed(r.ack_p50_ms, 1)} / ${fixed(r.ack_p99_ms, 1)}` : '', fixed(r.cores * 100, 0), fixed(r.generator_cores * 100, 0), fixed(r.rss_kb / 1024, 1)])
    })
  return `### Edits\n\nCPU-seconds of the server per million delivered edits; p99 from one person's send to another's receipt.\n\n${main}\n\n` +
    `<details><summary>The same runs in detail</summary>\n\n${table(['', 'server', 'p50 ms', 'p99 ms', 'max ms', 'acknowledged p50 / p99 ms', 'server, % of a core', 'generator, %', 'RSS MB'], more)}\n\n</details>\n`
}

function echoTable(rows) {
  const bare = (row) => rows.find((r) => r.name === 'limit' && r.inflight === row.inflight)
  return `### Echo of 20 bytes, 100 connections, one thread\n\n${table(
    ['', 'in flight on each', 'messages a second', 'CPU-s per million', 'p99 ms', 'CPU against bare epoll'],
    rows.filter((r) => !r.result.failed).map((row) => [
      SERVERS[row.name].title, row.inflight, row.result.per_second.toLocaleString('en'), fixed(row.result.cpu_s_per_million), fixed(row.result.p99_ms, 2),
      bare(row) ? `${((row.result.cpu_s_per_million / bare(row).result.cpu_s_per_million) * 100).toFixed(0)} %` : '',
    ]),
  )}\n`
}

const cursorTable = (rows) => `### 1,500 people move their cursor once a second\n\n${table(
  ['', 'server, % of a core', 'moves seen a second', 'p50 ms', 'p99 ms'],
  rows.filter((r) => !r.result.failed).map((r) => [titleOf(r), fixed(r.result.cores * 100, 1), Math.round(r.result.moves / r.result.wall_s).toLocaleString('en'), fixed(r.result.cursor_p50_ms, 1), fixed(r.result.cursor_p99_ms, 1)]),
)}\n`

const idleTable = (rows) => `### Memory of those who do nothing\n\n${table(
  ['', 'open', 'bytes each (PSS)', 'left of each when all are gone'],
  rows.map((r) => [r.title, ...(r.result.failed ? ['fails', '', ''] : [r.conns.toLocaleString('en'), r.result.bytes_each.toLocaleString('en'), r.result.bytes_left.toLocaleString('en')])]),
)}\n`

const joinTable = (rows) => `### Joining a document of 1 MB\n\n${table(
  ['', 'server CPU, ms each', 'first byte p50, ms', 'all of it p50, ms', 'bytes'],
  rows.map((r) => [r.title, ...(r.result.failed ? ['fails', '', '', ''] : [fixed(r.result.cpu_ms_each), fixed(r.result.first_p50_ms), fixed(r.result.whole_p50_ms), r.result.bytes.toLocaleString('en')])]),
)}\n`

function machine() {
  const git = spawnSync('git', ['-C', ROOT, 'describe', '--always', '--dirty'], { encoding: 'utf8' })
  const cpus = os.cpus()
  const memory = Math.round(os.totalmem() / 2 ** 30)
  const versions = ['@hocuspocus/server', '@y/websocket-server', 'ws', 'yjs'].map((name) => {
    const file = path.join(HERE, 'peers/node_modules', name, 'package.json')
    return `${name} ${JSON.parse(fs.readFileSync(file)).version}`
  })
  return `Measured ${new Date().toISOString().slice(0, 10)} at ${git.stdout.trim()}: ${cpus.length} cores (${cpus[0].model.trim()}), ` +
    `${memory} GB, Linux ${os.release().split('-')[0]}, Node ${process.versions.node}; ${versions.join(', ')}. ` +
    `${SECONDS} seconds a cell${REPEAT > 1 ? `, median of ${REPEAT}` : ''}; load average before the run ${os.loadavg()[0].toFixed(1)}. The generator shares the machine with the server.\n`
}

async function main() {
  fs.mkdirSync(scratch, { recursive: true })
  const parts = [machine()]
  const add = (rows, print) => rows.length > 0 && parts.push(print(rows))
  try {
    add(await measureEdits(), editTables)
    add(await measureCursors(), cursorTable)
    add(await measureEcho(), echoTable)
    add(await measureIdle(), idleTable)
    add(await measureJoin(), joinTable)
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true })
  }
  const text = parts.join('\n')
  if (options.print || options.only !== '') {
    console.log(text)
    return
  }
  const [before, rest] = fs.readFileSync(README, 'utf8').split('<!-- figures -->\n')
  const after = rest.split('<!-- end of figures -->')[1]
  fs.writeFileSync(README, `${before}<!-- figures -->\n${text}<!-- end of figures -->${after}`)
  console.log(text)
}

await main()
