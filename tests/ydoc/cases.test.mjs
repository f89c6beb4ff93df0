// Cases that real Yjs has answered before: histories, corner cases made by hand and snapshots, one
// JSON object a line in FOLDER/cases/*.jsonl.gz. The folder is $YJS_CASES, or ../shared/yjs-cases
// beside the checkout; without it these tests are skipped.
//
// A case is turned into questions, [command, payload, isRight, words], in an order that a document
// can be asked in. One test a family and command says how many of its answers were wrong.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import zlib from 'node:zlib'
import * as Y from 'yjs'
import { Oracle, ROOT, encodeList, encodeNew, encodePosition, encodeRead } from './oracle.mjs'
import { isSameJson } from './tagged.mjs'

const FOLDER = path.resolve(process.env.YJS_CASES ?? path.join(ROOT, '../shared/yjs-cases'))
const CASES = path.join(FOLDER, 'cases')
const ABSENT = fs.existsSync(CASES) ? false : `there is no ${CASES}`
const NOT_HISTORIES = ['lib0', 'protocol'] // vectors of what the oracle has no command for
const SHOWN_MAX = 3

const bytes = (base64) => new Uint8Array(Buffer.from(base64, 'base64'))
const digest = (body) => createHash('sha256').update(body).digest('hex').slice(0, 16)

// ---- what is right ----------------------------------------------------------------------------------

const isDone = () => true
const isBytes = (base64) => (body) => body.equals(bytes(base64))
const isDigest = (hex) => (body) => digest(body) === hex
const isJson = (value) => (body) => {
  try {
    return isSameJson(JSON.parse(body.toString()), value)
  } catch {
    return false
  }
}
const isList = (list) => (body) => body.equals(encodeList(list.map(bytes)))
const isFlags = (expected) => (body) => {
  return body.length === 2 && (body[0] !== 0) === Boolean(expected.pendingUpdate2) && (body[1] !== 0) === Boolean(expected.pendingDs2)
}
const isIndex = (index) => (body) => body.length === 4 && body.readInt32LE(0) === (index ?? -1)

// ---- questions --------------------------------------------------------------------------------------

const none = new Uint8Array(0)

function* document(expected, roots, words) {
  for (const [name, kind] of Object.entries(roots)) yield ['J', encodeRead(kind, name), isJson(expected.json[name]), `${words}, ${name}`]
  const members = { S: 'sv', E: 'v1', F: 'v2', X: 'snap1', Y: 'snap2' }
  for (const [command, member] of Object.entries(members)) yield [command, none, isBytes(expected[member]), words]
  yield ['P', none, isFlags(expected), words]
}

// One way in which a history's updates were delivered.
function* variant(history, { name, gc, late, steps, chk, emits, expect }) {
  const updates = { 1: history.u1, 2: history.u2 }
  yield ['N', encodeNew(gc, history.roots, !late), isDone, name]
  for (const [i, [version, update]] of steps.entries()) {
    const words = `${history.id}/${name}, step ${i}`
    yield [String(version), bytes(typeof update === 'number' ? updates[version][update] : update), isDone, words]
    yield ['E', none, isDigest(chk[i]), words]
    if (emits) yield ['U', none, isList(emits[i]), words]
  }
  yield* document(expect, history.roots, `${history.id}/${name}`)
  if (name === 'inorder-v1') yield* whole(history)
}

// What is asked of the document that has everything, in order.
function* whole({ id, roots, diffs, relpos }) {
  for (const { sv, doc1, doc2 } of diffs) {
    yield ['E', bytes(sv), isBytes(doc1), `${id}, against ${sv}`]
    yield ['F', bytes(sv), isBytes(doc2), `${id}, against ${sv}`]
  }
  for (const { root, index, assoc, enc, abs } of relpos) {
    yield ['R', encodePosition(roots[root], root, index, assoc), isBytes(enc), `${id}, ${root} ${index} ${assoc}`]
    yield ['Q', bytes(enc), isIndex(abs), `${id}, ${root} ${index} ${assoc}`]
  }
}

function* withoutDocument({ id, u1, u2, merges, diffs }) {
  for (const merge of merges) {
    const [updates, commands] = merge.v === 1 ? [u1, 'MVC'] : [u2, 'mvc']
    const words = `${id}, merge of ${merge.in}`
    yield [commands[0], encodeList(merge.in.map((i) => bytes(updates[i]))), isBytes(merge.out), words]
    yield [commands[1], bytes(merge.out), isBytes(merge.sv), words]
    yield [commands[2], bytes(merge.out), isBytes(merge.conv), words]
  }
  for (const { sv, upd1, upd2 } of diffs) {
    yield ['D', encodeList([merges[0].out, sv].map(bytes)), isBytes(upd1), `${id}, against ${sv}`]
    yield ['d', encodeList([merges[1].out, sv].map(bytes)), isBytes(upd2), `${id}, against ${sv}`]
  }
}

function* byHand({ name, mode, roots, in: updates, expect, conv, merged }) {
  yield ['N', encodeNew(mode !== 'v1-nogc', roots, mode !== 'v1-untyped'), isDone, name]
  const order = mode === 'rev' ? [...updates].reverse() : updates
  for (const update of order.map(bytes)) {
    yield mode === 'v2' ? ['2', Y.convertUpdateFormatV1ToV2(update), isDone, name] : ['1', update, isDone, name]
  }
  yield* document(expect, roots, name)
  if (merged && mode === 'v1') yield ['M', encodeList(updates.map(bytes)), isBytes(merged), name]
  for (const [i, converted] of (conv ?? []).entries()) yield ['C', bytes(updates[i]), isBytes(converted), name]
}

function* snapshots({ id, roots, u1, snaps }) {
  yield ['N', encodeNew(false, roots), isDone, id]
  for (const update of u1) yield ['1', bytes(update), isDone, id]
  yield ['X', none, isBytes(snaps.at(-1).e1), id]
  yield ['Y', none, isBytes(snaps.at(-1).e2), id]
}

function* questions(one) {
  if (one.variants) {
    for (const each of one.variants) yield* variant(one, each)
    yield* withoutDocument(one)
  } else if (one.mode) {
    yield* byHand(one)
  } else if (one.snaps) {
    yield* snapshots(one)
  } else {
    throw new Error(`a case of no known form: ${Object.keys(one)}`)
  }
}

// ---- answers ----------------------------------------------------------------------------------------

async function ask(oracle, cases, tally) {
  for (const one of cases) {
    const asked = [...questions(one)].map((question) => [question, oracle.call(question[0], Buffer.from(question[1]))])
    for (const [[command, , isRight, words], call] of asked) {
      const count = (tally[command] ??= { asked: 0, wrong: [] })
      count.asked++
      const { ok, body } = await call
      if (!ok) count.wrong.push(`${words}: refused: ${body}`)
      else if (!isRight(body)) count.wrong.push(`${words}: a different answer`)
    }
  }
}

const families = ABSENT ? [] : fs.readdirSync(CASES).filter((file) => file.endsWith('.jsonl.gz')).map((file) => file.replace('.jsonl.gz', ''))

test('the shared cases are there', { skip: ABSENT }, () => {
  if (families.length === 0) throw new Error(`no cases in ${CASES}`)
})

const oracle = new Oracle()
after(() => oracle.close())

for (const family of families.filter((name) => !NOT_HISTORIES.includes(name))) {
  test(`cases: ${family}`, async (t) => {
    const lines = zlib.gunzipSync(fs.readFileSync(path.join(CASES, `${family}.jsonl.gz`))).toString().trim().split('\n')
    const tally = {}
    await ask(oracle, lines.map((line) => JSON.parse(line)), tally)
    for (const [command, { asked, wrong }] of Object.entries(tally)) {
      await t.test(`${family}, command ${command}: ${asked} answers`, () => {
        if (wrong.length > 0) throw new Error([`${wrong.length} of ${asked} are wrong`, ...wrong.slice(0, SHOWN_MAX)].join('\n  '))
      })
    }
  })
}
