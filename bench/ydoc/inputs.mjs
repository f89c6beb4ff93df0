// inputs - the files that every library of the benchmark reads, made once with the real yjs into
// build/bench: lists of updates (u32le count, then u32le length and bytes each), documents, and
// edits by index.
import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'

const TYPIST = 3123456789 // a client id as yjs draws them: any 32 bits
const EDITS = 259778
const COPIES = 100
const PEOPLE = 100
const PEOPLE_UPDATES = 1000001
const PAST_CLIENTS = 10000
const PAST_UPDATES = 1000
const SMALL_BYTES = 10240

// Numbers that are the same on every run.
function random(seed) {
  return (n) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor((seed / 4294967296) * n)
  }
}

// [position, deleted, inserted] of one person who writes, jumps and corrects.
function generateEdits() {
  const below = random(1)
  const edits = []
  let length = 0
  let at = 0
  while (edits.length < EDITS) {
    if (below(120) === 0) at = below(length + 1)
    if (below(100) < 30 && at > 0) {
      edits.push([--at, 1, ''])
      length--
    } else {
      edits.push([at++, 0, 'etaoin shrdlu\n'[below(14)]])
      length++
    }
  }
  return edits
}

// The recorded history, or a generated one; the title says which.
export function readEdits(traces) {
  const name = path.join(traces, 'automerge-paper.json.gz')
  if (!fs.existsSync(name)) return { title: 'a generated history', edits: generateEdits() }
  const trace = JSON.parse(zlib.gunzipSync(fs.readFileSync(name)))
  return { title: 'B4', edits: trace.txns.flatMap((t) => t.patches) }
}

class List {
  constructor(name) {
    this.fd = fs.openSync(name, 'w')
    this.n = 0
    this.chunks = [Buffer.alloc(4)]
    this.size = 0
  }

  add(bytes) {
    const head = Buffer.alloc(4)
    head.writeUInt32LE(bytes.length)
    this.chunks.push(head, bytes)
    this.size += bytes.length
    this.n++
    if (this.size > 1 << 22) this.flush()
  }

  flush() {
    fs.writeSync(this.fd, Buffer.concat(this.chunks))
    this.chunks = []
    this.size = 0
  }

  close() {
    this.flush()
    const head = Buffer.alloc(4)
    head.writeUInt32LE(this.n)
    fs.writeSync(this.fd, head, 0, 4, 0)
    fs.closeSync(this.fd)
  }
}

const newDoc = (client) => {
  const doc = new Y.Doc()
  doc.clientID = client
  return doc
}

// An edit is one transaction with at most one deletion and one insertion.
function edit(doc, text, [position, deleted, inserted]) {
  doc.transact(() => {
    if (deleted > 0) text.delete(position, deleted)
    if (inserted !== '') text.insert(position, inserted)
  })
}

function writeEdits(name, edits) {
  const list = new List(name)
  for (const [position, deleted, inserted] of edits) {
    const text = Buffer.from(inserted)
    const record = Buffer.alloc(8 + text.length)
    record.writeUInt32LE(position)
    record.writeUInt32LE(deleted, 4)
    text.copy(record, 8)
    list.add(record)
  }
  list.close()
}

function writeTyping(dir, edits) {
  const doc = newDoc(TYPIST)
  const text = doc.getText('text')
  const list = new List(path.join(dir, 'b4.updates'))
  doc.on('update', (u) => list.add(u))
  edits.forEach((e, i) => {
    edit(doc, text, e)
    if (i === Math.floor(edits.length * 0.9)) fs.writeFileSync(path.join(dir, 'b4.sv90'), Y.encodeStateVector(doc))
    if (i % 100 === 0 && !fs.existsSync(path.join(dir, 'small.doc'))) {
      const state = Y.encodeStateAsUpdate(doc)
      if (state.length >= SMALL_BYTES) fs.writeFileSync(path.join(dir, 'small.doc'), state)
    }
  })
  list.close()
  fs.writeFileSync(path.join(dir, 'b4.doc'), Y.encodeStateAsUpdate(doc))
  return doc
}

// A v1 struct of a text document, `shift` clocks later, with `right` for who had nothing on the right.
function writeStruct(e, s, shift, right) {
  const item = s instanceof Y.Item
  const rightOrigin = item ? s.rightOrigin?.clock ?? (shift > 0 ? right - shift : null) : null
  const origin = item && s.origin !== null
  if (!item) {
    encoding.writeUint8(e, 0)
    encoding.writeVarUint(e, s.length)
    return
  }
  encoding.writeUint8(e, s.content.getRef() | (origin ? 0x80 : 0) | (rightOrigin !== null ? 0x40 : 0))
  if (origin) {
    encoding.writeVarUint(e, TYPIST)
    encoding.writeVarUint(e, s.origin.clock + shift)
  }
  if (rightOrigin !== null) {
    encoding.writeVarUint(e, TYPIST)
    encoding.writeVarUint(e, rightOrigin + shift)
  }
  if (!origin && rightOrigin === null) {
    encoding.writeVarUint(e, 1)
    encoding.writeVarString(e, 'text')
  }
  if (s.content instanceof Y.ContentString) encoding.writeVarString(e, s.content.str)
  else encoding.writeVarUint(e, s.length)
}

// The history written COPIES times by the same person, each time before what is there. It is put
// together from the structs of one copy: writing 26 million edits with yjs takes an hour.
function writeCopies(dir, doc) {
  const { structs, ds } = Y.decodeUpdate(fs.readFileSync(path.join(dir, 'b4.doc')))
  const length = structs.reduce((n, s) => n + s.length, 0)
  const first = doc.getText('text')._start.id.clock
  const ranges = ds.clients.get(TYPIST) ?? []
  const e = encoding.createEncoder()
  encoding.writeVarUint(e, 1)
  encoding.writeVarUint(e, structs.length * COPIES)
  encoding.writeVarUint(e, TYPIST)
  encoding.writeVarUint(e, 0)
  for (let copy = 0; copy < COPIES; copy++)
    for (const s of structs) writeStruct(e, s, copy * length, first + (copy - 1) * length)
  encoding.writeVarUint(e, 1)
  encoding.writeVarUint(e, TYPIST)
  encoding.writeVarUint(e, ranges.length * COPIES)
  for (let copy = 0; copy < COPIES; copy++) {
    for (const range of ranges) {
      encoding.writeVarUint(e, range.clock + copy * length)
      encoding.writeVarUint(e, range.len)
    }
  }
  fs.writeFileSync(path.join(dir, 'b4x100.doc'), encoding.toUint8Array(e))
}

// A person's letter in v1: after (client, clock), before (client, clock), or in the root.
function writeLetter(e, letter, after, before) {
  encoding.writeUint8(e, 4 | (after ? 0x80 : 0) | (before ? 0x40 : 0))
  for (const id of [after, before]) if (id) id.forEach((v) => encoding.writeVarUint(e, v))
  if (!after && !before) {
    encoding.writeVarUint(e, 1)
    encoding.writeVarString(e, 'text')
  }
  encoding.writeVarString(e, letter)
}

// People write by turns, each at a place of their own, and now and then move to another. Letters are
// kept in a list of all that were ever written, so an update is spelled in constant time: yjs takes
// half an hour for this history.
function writePeople(dir) {
  const below = random(2)
  const list = new List(path.join(dir, 'people.updates'))
  const ids = Array.from({ length: PEOPLE }, () => 1000 + below(4294960000))
  const clocks = new Uint32Array(PEOPLE)
  // Letter 0 stands before the first and behind the last.
  const [clock, left, right] = [0, 0, 0].map(() => new Uint32Array(PEOPLE_UPDATES + 1))
  const [who, gone] = [0, 0].map(() => new Uint8Array(PEOPLE_UPDATES + 1))
  const at = new Uint32Array(PEOPLE)
  let n = 0
  const id = (letter) => letter !== 0 && [ids[who[letter]], clock[letter]]
  for (let turn = 0; turn < PEOPLE_UPDATES; turn++) {
    const person = (turn * 7) % PEOPLE
    const e = encoding.createEncoder()
    if (n > 0 && below(200) === 0) at[person] = 1 + below(n)
    while (gone[at[person]]) at[person] = left[at[person]]
    const here = at[person]
    if (here !== 0 && below(10) === 0) {
      for (const v of [0, 1]) encoding.writeVarUint(e, v)
      encoding.writeVarUint(e, ids[who[here]])
      for (const v of [1, clock[here], 1]) encoding.writeVarUint(e, v)
      gone[here] = 1
    } else {
      const next = right[here]
      const letter = ++n
      for (const v of [1, 1, ids[person], clocks[person]]) encoding.writeVarUint(e, v)
      writeLetter(e, 'etaoin shrdlu\n'[below(14)], id(here), id(next))
      encoding.writeVarUint(e, 0)
      who[letter] = person
      clock[letter] = clocks[person]++
      left[letter] = here
      right[letter] = next
      right[here] = letter
      left[next] = letter
      at[person] = letter
    }
    list.add(encoding.toUint8Array(e))
  }
  list.close()
}

// A row of letters, one of each person; then one more person types in the middle.
function writePast(dir) {
  const person = (i) => 1000 + i * 400000
  const middle = PAST_CLIENTS / 2
  const doc = encoding.createEncoder()
  encoding.writeVarUint(doc, PAST_CLIENTS)
  for (let i = PAST_CLIENTS - 1; i >= 0; i--) {
    for (const v of [1, person(i), 0]) encoding.writeVarUint(doc, v)
    writeLetter(doc, 'x', i > 0 && [person(i - 1), 0])
  }
  encoding.writeVarUint(doc, 0)
  fs.writeFileSync(path.join(dir, 'past.doc'), encoding.toUint8Array(doc))
  const list = new List(path.join(dir, 'past.updates'))
  for (let i = 0; i < PAST_UPDATES; i++) {
    const e = encoding.createEncoder()
    for (const v of [1, 1, TYPIST + 1, i]) encoding.writeVarUint(e, v)
    writeLetter(e, 'etaoin shrdlu\n'[i % 14], i > 0 ? [TYPIST + 1, i - 1] : [person(middle - 1), 0], [person(middle), 0])
    encoding.writeVarUint(e, 0)
    list.add(encoding.toUint8Array(e))
  }
  list.close()
}

// Makes what is missing; the title of the history.
export function makeInputs(dir, traces, say) {
  const { title, edits } = readEdits(traces)
  const stamp = path.join(dir, 'made')
  const wanted = `${title} ${edits.length} 1\n`
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted) return title
  fs.rmSync(dir, { recursive: true, force: true })
  fs.mkdirSync(dir, { recursive: true })
  writeEdits(path.join(dir, 'b4.edits'), edits)
  say('typing the history')
  const doc = writeTyping(dir, edits)
  say(`putting ${COPIES} of it together`)
  writeCopies(dir, doc)
  say(`${PEOPLE_UPDATES} updates of ${PEOPLE} people`)
  writePeople(dir)
  say(`a document of ${PAST_CLIENTS} people`)
  writePast(dir)
  fs.writeFileSync(stamp, wanted)
  return title
}

export function readList(name) {
  const bytes = fs.readFileSync(name)
  const list = []
  for (let at = 4; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at)
    list.push(new Uint8Array(bytes.buffer, bytes.byteOffset + at + 4, length))
    at += 4 + length
  }
  if (list.length !== bytes.readUInt32LE(0)) throw new Error(`${name} is cut off`)
  return list
}
