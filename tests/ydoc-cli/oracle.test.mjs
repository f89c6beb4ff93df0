// `ydoc oracle`: the session that docs/ydoc-oracle.md shows, and what it does with nonsense. That it
// answers like Yjs is what the differential tests are for.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const YDOC = process.env.YDOC_BIN || path.join(ROOT, 'build/ydoc')
const HELLO = Buffer.from('01010500040101740568656c6c6f00', 'hex')

function frame(command, payload = '') {
  const body = Buffer.concat([Buffer.from(command), Buffer.from(payload)])
  const head = Buffer.alloc(4)
  head.writeUInt32LE(body.length)
  return Buffer.concat([head, body])
}

function oracle(input) {
  const done = spawnSync(YDOC, ['oracle'], { input })
  const answers = []
  for (let at = 0; at < done.stdout.length; ) {
    const n = done.stdout.readUInt32LE(at)
    answers.push({ status: done.stdout[at + 4], body: done.stdout.subarray(at + 5, at + 4 + n) })
    at += 4 + n
  }
  return { status: done.status, answers, bytes: done.stdout }
}

const NEW = frame('N', [1, 1, 2, 1, 0x74])

test('the session in the manual is what happens', () => {
  const manual = fs.readFileSync(path.join(ROOT, 'docs/ydoc-oracle.md'), 'utf8')
  const sent = []
  const answered = []
  for (const [, arrow, hex] of manual.matchAll(/^(→|←) ((?:[0-9a-f]{2}| (?! ))+)/gm)) (arrow === '→' ? sent : answered).push(hex.replaceAll(' ', ''))
  assert.ok(sent.length >= 3)
  const done = oracle(Buffer.from(sent.join(''), 'hex'))
  assert.equal(done.bytes.toString('hex'), answered.join(''))
  assert.equal(done.status, 0)
})

test('a refusal leaves the document and the process as they were', () => {
  const done = oracle(Buffer.concat([frame('S'), NEW, frame('1', HELLO.subarray(0, 9)), frame('!'), frame('T', '[['), frame('1', HELLO), frame('E')]))
  assert.deepEqual(done.answers.map((a) => a.status), [1, 0, 1, 1, 1, 0, 0])
  assert.match(done.answers[2].body.toString(), /byte \d+/)
  assert.deepEqual(done.answers[6].body, HELLO)
  assert.equal(done.status, 0)
})

test('what was emitted is given once', () => {
  const done = oracle(Buffer.concat([NEW, frame('1', HELLO), frame('U'), frame('U')]))
  assert.deepEqual(done.answers[2].body, Buffer.concat([Buffer.from([1, 0, 0, 0, HELLO.length, 0, 0, 0]), HELLO]))
  assert.deepEqual(done.answers[3].body, Buffer.alloc(4))
})

test('a request that is cut off or too long ends the process with 3', () => {
  for (const input of [NEW.subarray(0, 6), Buffer.from([0, 0, 0, 0]), Buffer.from([255, 255, 255, 255, 0x4e])]) assert.equal(oracle(input).status, 3)
})

test('lists that lie about their lengths are refused', () => {
  for (const list of ['', 'ff', 'ffffffff', '0100000005000000', '020000000100000000', '02000000ffffffff00000000']) {
    const done = oracle(Buffer.concat([frame('M', Buffer.from(list, 'hex')), frame('D', Buffer.from(list, 'hex'))]))
    assert.deepEqual(done.answers.map((a) => a.status), [1, 1], list)
  }
})

const ROOTS = frame('N', [1, 2, 2, 1, 0x74, 1, 1, 0x6d]) // Text "t", Map "m"
const read = (kind, name) => frame('J', Buffer.concat([Buffer.from([kind]), Buffer.from(name)]))

test('local edits are one transaction, with values that JSON does not have', () => {
  const edits = [
    ['insert', 't', 0, 'hi😀'],
    ['format', 't', 0, 2, { bold: true }],
    ['embed', 't', 2, { image: 'x' }],
    ['delete', 't', 0, 1],
    ['set', 'm', 'list', [1, { $n: '-0' }, { $bin: 'AQI=' }]],
    ['ainsert', ['m', 'list'], 1, [{ $map: { text: { $text: [{ insert: 'in' }] } } }]],
    ['insert', ['m', 'list', 1, 'text'], 2, 'side'],
    ['set', 'm', 'gone', { $big: '-5' }],
    ['unset', 'm', 'gone'],
  ]
  const done = oracle(Buffer.concat([ROOTS, frame('T', JSON.stringify(edits)), frame('U'), read(2, 't'), read(1, 'm')]))
  assert.deepEqual(done.answers.map((a) => a.status), [0, 0, 0, 0, 0])
  assert.equal(done.answers[2].body.readUInt32LE(0), 1)
  assert.deepEqual(JSON.parse(done.answers[3].body), { $text: [{ insert: 'i', attributes: { bold: true } }, { insert: { image: 'x' } }, { insert: '😀' }] })
  assert.deepEqual(JSON.parse(done.answers[4].body), { $map: { list: [1, { $map: { text: { $text: [{ insert: 'inside' }] } } }, { $n: '-0' }, { $bin: 'AQI=' }] } })
})

test('local edits of which one cannot be done are refused together', () => {
  for (const bad of [['insert', 'x', 0, 'a'], ['insert', 't', -1, 'a'], ['insert', 't', 0.5, 'a'], ['insert', 't', 0], ['nonsense', 't'], ['adelete', 'm', 0, 1], ['set', 'm', 'k'], ['set', 'm', 'k', { $n: '1' }], ['insert', ['m', 'nothing'], 0, 'a'], [], {}, 'insert']) {
    const done = oracle(Buffer.concat([ROOTS, frame('T', JSON.stringify([['insert', 't', 0, 'good'], bad])), frame('U'), frame('E')]))
    assert.deepEqual(done.answers.map((a) => a.status), [0, 1, 0, 0], JSON.stringify(bad))
    assert.match(done.answers[1].body.toString(), /^operation 2: /)
    assert.deepEqual(done.answers[2].body, Buffer.alloc(4))
    assert.deepEqual(done.answers[3].body, Buffer.alloc(2))
  }
})
