// peer - one operation of the benchmark with yjs or ywasm, in a process of its own. The operations,
// their arguments and what is printed are those of bench/ydoc_rows.c.
//
//   node --expose-gc peer.mjs yjs|ywasm SECONDS OPERATION FILE...
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { readList } from './inputs.mjs'

const [name, seconds, operation, ...args] = process.argv.slice(2)
const Y = name === 'yjs' ? await import('yjs') : createRequire(import.meta.url)('ywasm')
const TYPIST = 3123456789 // who typed the inputs: typing again gives the same bytes
const read = (file) => new Uint8Array(fs.readFileSync(file))

// What the two libraries call by different names.
const peer =
  name === 'yjs'
    ? {
        open: () => {
          const doc = new Y.Doc()
          doc.clientID = TYPIST
          return doc
        },
        close: (doc) => doc.destroy(),
        apply: (doc, update) => Y.applyUpdate(doc, update),
        encode: (doc, sv) => Y.encodeStateAsUpdate(doc, sv),
        listen: (doc, f) => doc.on('update', f),
        length: (doc) => doc.getText('text').length,
        edit: (doc, position, deleted, inserted) => {
          const text = doc.getText('text')
          const change = () => { // a single edit is a transaction by itself
            if (deleted > 0) text.delete(position, deleted)
            if (inserted !== '') text.insert(position, inserted)
          }
          if (deleted > 0 && inserted !== '') doc.transact(change)
          else change()
        },
      }
    : {
        open: () => new Y.YDoc({ clientID: TYPIST }),
        close: (doc) => doc.free(),
        apply: (doc, update) => Y.applyUpdate(doc, update),
        encode: (doc, sv) => Y.encodeStateAsUpdate(doc, sv),
        listen: (doc, f) => doc.onUpdate(f),
        length: (doc) => doc.getText('text').length(),
        edit: (doc, position, deleted, inserted) => {
          const text = doc.getText('text')
          const both = deleted > 0 && inserted !== ''
          const transaction = both ? doc.beginTransaction() : undefined
          if (deleted > 0) text.delete(position, deleted, transaction)
          if (inserted !== '') text.insert(position, inserted, undefined, transaction)
          transaction?.commit()
          transaction?.free()
          text.free()
        },
      }

function fnv(bytes) {
  let h = 2166136261
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ bytes[i], 16777619)
  return h >>> 0
}

function print(values) {
  for (const [key, value] of Object.entries(values)) process.stdout.write(`${key} ${value}\n`)
}

function result(doc) {
  return { length: peer.length(doc), hash: fnv(peer.encode(doc)) }
}

// The process's own time, what the engine collects and compiles beside it included.
function cpuMilliseconds() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

// The best round of as many as fit into the time, at least two; one when that took very long.
function best(round) {
  let least = Infinity
  let spent = 0
  let last
  for (let n = 0; n < 2 || spent < seconds * 1000; n++) {
    if (n > 0 && spent > 20000) break
    const before = round.before?.()
    const begin = cpuMilliseconds()
    last = round.run(before)
    const time = cpuMilliseconds() - begin
    least = Math.min(least, time)
    spent += time
    round.after?.(last)
  }
  return least * 1e6
}

function proportional() {
  return Number(/^Pss: +(\d+)/m.exec(fs.readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]) * 1024
}

function collect() {
  for (let i = 0; i < 4; i++) globalThis.gc()
}

// The memory of yjs is what its objects take after a full collection, less than what the engine
// keeps for them; that of ywasm, which is in its module's memory, is what the process grows by.
function held() {
  collect()
  if (name !== 'yjs') return proportional()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const operations = {
  load(file) {
    const bytes = read(file)
    let values
    const ns = best({
      run: () => {
        const doc = peer.open()
        peer.apply(doc, bytes)
        return doc
      },
      after: (doc) => {
        values ??= result(doc)
        peer.close(doc)
      },
    })
    print({ ns, ...values })
  },

  hold(file, n) {
    const bytes = read(file)
    const docs = new Array(Number(n)).fill(null)
    const warm = peer.open()
    peer.apply(warm, bytes)
    const before = held()
    for (let i = 0; i < docs.length; i++) {
      docs[i] = peer.open()
      peer.apply(docs[i], bytes)
    }
    print({ bytes: (held() - before) / docs.length, ...result(docs[0]) })
  },

  apply: (file, base) => applyAll(file, base, false),
  emit: (file, base) => applyAll(file, base, true),

  type(file) {
    const edits = readList(file).map((record) => {
      const b = Buffer.from(record.buffer, record.byteOffset, record.length)
      return [b.readUInt32LE(0), b.readUInt32LE(4), b.toString('utf8', 8)]
    })
    let values
    let emitted
    const ns = best({
      run: () => {
        const doc = peer.open()
        emitted = 0
        peer.listen(doc, (update) => (emitted += update.length))
        for (const e of edits) peer.edit(doc, ...e)
        return doc
      },
      after: (doc) => {
        values ??= { ...result(doc), emitted }
        peer.close(doc)
      },
    })
    print({ ns: ns / edits.length, ...values })
  },

  merge(file, n) {
    if (Y.mergeUpdates === undefined) return
    const list = readList(file).slice(0, Number(n))
    let merged
    const ns = best({ run: () => (merged = Y.mergeUpdates(list)) })
    print({ ns, length: merged.length, hash: fnv(merged) })
  },

  'diff-doc'(file, svFile) {
    const doc = peer.open()
    const sv = read(svFile)
    let diff
    peer.apply(doc, read(file))
    const ns = best({ run: () => (diff = peer.encode(doc, sv)) })
    print({ ns, length: diff.length, hash: fnv(diff) })
  },

  'diff-update'(file, svFile) {
    if (Y.diffUpdate === undefined) return
    const update = read(file)
    const sv = read(svFile)
    let diff
    const ns = best({ run: () => (diff = Y.diffUpdate(update, sv)) })
    print({ ns, length: diff.length, hash: fnv(diff) })
  },
}

function applyAll(file, base, listen) {
  const list = readList(file)
  const start = base && read(base)
  let values
  let emitted
  const ns = best({
    before: () => {
      const doc = peer.open()
      if (start) peer.apply(doc, start)
      emitted = 0
      if (listen) peer.listen(doc, (update) => (emitted += update.length))
      return doc
    },
    run: (doc) => {
      for (const update of list) peer.apply(doc, update)
      return doc
    },
    after: (doc) => {
      values ??= result(doc)
      peer.close(doc)
    },
  })
  print({ ns: ns / list.length, ...values, ...(listen ? { emitted } : {}) })
}

operations[operation](...args)
