// bench - runs every operation with ydoc, yjs and ywasm, each in a process of its own, one after
// the other, and prints the table; `--write` puts it into README.md.
//
// Every figure is of this run on this machine: ratios hold where absolute figures do not. A result
// that differs from that of yjs ends the benchmark: who computes something else is not faster.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { makeInputs } from './inputs.mjs'

const HERE = path.dirname(fileURLToPath(import.meta.url))
const ROOT = path.resolve(HERE, '../..')
const USAGE = `bench/ydoc/run [options]
  --seconds N     how long the rounds of one operation go on, at least two rounds (3)
  --only PATTERN  only the rows whose title matches
  --write         put the table into bench/ydoc/README.md too
`
const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}

const traces = process.env.SKEIN_TRACES || path.resolve(ROOT, '../shared/traces')
const dir = path.join(ROOT, 'build/bench')
const say = (words) => process.stderr.write(`${words}\n`)
const title = makeInputs(dir, traces, (words) => say(`making inputs: ${words}`))
if (title !== 'B4') say(`no editing histories in ${traces} (set SKEIN_TRACES): ${title} instead`)

const time = (ns) => (ns < 1e3 ? `${ns.toPrecision(3)} ns` : ns < 1e6 ? `${(ns / 1e3).toPrecision(3)} µs` : ns < 1e9 ? `${(ns / 1e6).toPrecision(3)} ms` : `${(ns / 1e9).toPrecision(3)} s`)
const bytes = (n) => (n < 1e6 ? `${(n / 1e3).toPrecision(3)} KB` : `${(n / 1e6).toPrecision(3)} MB`)
const perSecond = (ns) => Math.round(1e9 / ns).toLocaleString('en-US')

// What is done, on which files, which value counts, and how it is shown.
const ROWS = [
  { title: `parse the ${title} document (v1, warm)`, run: ['load', 'b4.doc'] },
  { title: `apply the updates of ${title} one by one, each`, run: ['apply', 'b4.updates'] },
  { title: 'the same, and encode each for the others', run: ['emit', 'b4.updates'] },
  { title: '1,000,001 updates of 100 people, each', run: ['apply', 'people.updates'] },
  { title: 'one update where 10,000 people once wrote, encoded for the others', run: ['emit', 'past.updates', 'past.doc'] },
  { title: `type the history of ${title} by index, an update for each edit, each`, run: ['type', 'b4.edits'] },
  { title: 'merge 10,000 updates', run: ['merge', 'b4.updates', '10000'] },
  { title: `what somebody with 90 % of ${title} lacks, from the document`, run: ['diff-doc', 'b4.doc', 'b4.sv90'] },
  { title: 'the same, from the bytes', run: ['diff-update', 'b4.doc', 'b4.sv90'] },
  { title: 'load a 10 KB document, a second', run: ['load', 'small.doc'], show: perSecond },
  { title: 'memory of a 10 KB document', run: ['hold', 'small.doc', '2000'], key: 'bytes', show: bytes },
  { title: `memory of the ${title} document`, run: ['hold', 'b4.doc', '50'], key: 'bytes', show: bytes },
  { title: `parse ${title} x 100 (10.5 million characters)`, run: ['load', 'b4x100.doc'] },
  { title: `memory of ${title} x 100`, run: ['hold', 'b4x100.doc', '1'], key: 'bytes', show: bytes },
]
const LIBRARIES = {
  ydoc: (args) => [path.join(ROOT, 'build/release/bench_ydoc_rows'), options.seconds, ...args],
  yjs: (args) => [process.execPath, '--expose-gc', '--max-old-space-size=8192', path.join(HERE, 'peer.mjs'), 'yjs', options.seconds, ...args],
  ywasm: (args) => [process.execPath, '--expose-gc', '--max-old-space-size=8192', path.join(HERE, 'peer.mjs'), 'ywasm', options.seconds, ...args],
}

// The values that one operation prints; empty if the library has no such function.
function measure(library, row) {
  const [operation, ...files] = row.run
  const args = [operation, ...files.map((f) => (/^\d+$/.test(f) ? f : path.join(dir, f)))]
  const [command, ...rest] = LIBRARIES[library](args)
  const done = spawnSync(command, rest, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (done.status !== 0) throw new Error(`${library}: ${row.title}: ${done.stderr || done.signal}`)
  return Object.fromEntries(done.stdout.trim().split('\n').filter(Boolean).map((line) => line.split(' ')))
}

// ydoc gives the bytes of yjs; ywasm is held to the length of the text alone.
function hold(row, values) {
  const { yjs, ydoc, ywasm } = values
  for (const key of ['length', 'hash', 'emitted'])
    if (yjs[key] !== undefined && ydoc[key] !== undefined && yjs[key] !== ydoc[key]) throw new Error(`${row.title}: ${key} is ${ydoc[key]} with ydoc, ${yjs[key]} with yjs`)
  const ofText = !['merge', 'diff-doc', 'diff-update'].includes(row.run[0])
  if (ofText && ywasm.length !== undefined && yjs.length !== ywasm.length) throw new Error(`${row.title}: length is ${ywasm.length} with ywasm, ${yjs.length} with yjs`)
}

function cell(row, values) {
  const value = values[row.key ?? 'ns']
  return value === undefined ? '–' : (row.show ?? time)(Number(value))
}

function ratio(row, peer, own) {
  const key = row.key ?? 'ns'
  if (peer[key] === undefined || own[key] === undefined) return '–'
  const r = Number(peer[key]) / Number(own[key])
  return r < 1000 ? r.toPrecision(3) : Number(r.toPrecision(3)).toLocaleString('en-US')
}

const load = () => os.loadavg()[0].toFixed(1)
const version = (name) => JSON.parse(fs.readFileSync(path.join(HERE, 'node_modules', name, 'package.json'), 'utf8')).version
const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).stdout.trim()
const before = load()
const lines = ['| | ydoc | yjs | ywasm | yjs : ydoc | ywasm : ydoc |', '| --- | --: | --: | --: | --: | --: |']
for (const row of ROWS.filter((r) => r.title.includes(options.only))) {
  const values = {}
  for (const library of Object.keys(LIBRARIES)) {
    say(`${row.title}: ${library}`)
    values[library] = measure(library, row)
  }
  hold(row, values)
  const { ydoc, yjs, ywasm } = values
  lines.push(`| ${row.title} | ${cell(row, ydoc)} | ${cell(row, yjs)} | ${cell(row, ywasm)} | ${ratio(row, yjs, ydoc)} | ${ratio(row, ywasm, ydoc)} |`)
  say(lines.at(-1))
}

const cpu = os.cpus()
const head = `Measured ${new Date().toISOString().slice(0, 10)} at ${commit}: ${cpu.length} cores (${cpu[0].model.trim()}), ${Math.round(os.totalmem() / 2 ** 30)} GB, Linux ${os.release().split('-')[0]}, Node ${process.versions.node}; yjs ${version('yjs')}, ywasm ${version('ywasm')}. Load average before ${before}, after ${load()}; ${options.seconds} s a row. The history is ${title}.`
const table = `${head}\n\n${lines.join('\n')}\n`
process.stdout.write(table)
if (options.write) {
  const readme = path.join(HERE, 'README.md')
  const text = fs.readFileSync(readme, 'utf8')
  const mark = '<!-- figures -->\n'
  fs.writeFileSync(readme, text.slice(0, text.indexOf(mark) + mark.length) + table)
}
