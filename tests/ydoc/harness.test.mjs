// That the other tests can fail, and that they do not when nothing is wrong: an oracle made of
// Yjs passes, one that is wrong in a single way is caught, and a failure is made small. Nothing
// here needs the library.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { GROUPS, checkPlan, decodeScript, encodeScript, firstDifference, makePlan } from './compare.mjs'
import { describeBoth, describeRequest } from './describe.mjs'
import { FAMILIES } from './families.mjs'
import { answerAgain, perform } from './histories.mjs'
import { Oracle, OracleFailure, decodeList, encodeNew } from './oracle.mjs'
import { WAYS } from './oracle_yjs.mjs'

const YJS = [process.execPath, fileURLToPath(new URL('oracle_yjs.mjs', import.meta.url))]
const PLANS = 2 // of each group and family

function start(t, way = '', options = { timeoutMs: 20_000 }) {
  const oracle = new Oracle([...YJS, ...(way === '' ? [] : way.split(' '))], options)
  t.after(() => oracle.close())
  return oracle
}

// Which group of checks notices which mistake.
const NOTICED_BY = {
  'flips a byte of the state': 'apply v1', 'flips a byte of the v2 state': 'apply v2', 'flips a byte of a merge': 'updates v1',
  'flips a byte of a snapshot': 'snapshots', 'forgets an update': 'apply v1', 'emits nothing': 'apply v1', 'misplaces a position': 'positions',
  'ignores local edits': 'local edits alone', 'never undoes': 'undo alone', 'reads an empty root': 'reading',
}

test('an oracle made of Yjs passes', async (t) => {
  const oracle = start(t)
  for (const [i, group] of Object.keys(GROUPS).entries()) {
    const families = Object.keys(FAMILIES).filter((_, j) => (i + j) % 3 === 0)
    for (const family of [...families, 'mixed']) assert.equal(await checkPlan(makePlan(group, family, 7), oracle), undefined)
  }
})

for (const [way, group] of Object.entries(NOTICED_BY)) {
  test(`an oracle that ${way} is caught`, async (t) => {
    const oracle = start(t, way)
    const report = await checkPlan(makePlan(group, 'mixed', 11), oracle, { minimiseMs: 1500 })
    assert.match(report ?? 'nothing was noticed', /answered differently|refused:/)
  })
}

test('every wrong way is used here', () => {
  assert.deepEqual([...Object.keys(NOTICED_BY), 'refuses what it does not know', 'dies', 'hangs'].sort(), [...WAYS].sort())
})

test('an unknown command fails the test that needs it, and says which', async (t) => {
  const oracle = start(t, 'refuses what it does not know')
  assert.match(await checkPlan(makePlan('snapshots', 'plain', 1), oracle), /the command X was refused: unsupported/)
  assert.match(await checkPlan(makePlan('local edits alone', 'plain', 1), oracle), /the command T was refused: unsupported/)
})

test('a death is blamed on the request that was not answered, and the next call lives', async (t) => {
  const oracle = start(t, 'dies')
  const script = perform({ ...makePlan('apply v1', 'plain', 3), delivery: 'inorder' })
  const fifth = script.findIndex((_, i) => script.slice(0, i + 1).filter(({ command }) => command === '1').length === 5)
  const found = await firstDifference(script, oracle)
  assert.equal(found.index, fifth)
  assert.match(found.words, /ended with 3 at request 1 /)
  assert.equal((await oracle.call('N', encodeNew(true, {}))).ok, true)
})

test('a hang is ended and blamed on its request', async (t) => {
  const oracle = start(t, 'hangs', { timeoutMs: 4000 })
  const script = perform({ ...makePlan('apply v1', 'plain', 3), delivery: 'inorder' })
  const found = await firstDifference(script, oracle)
  assert.match(found.words, /did not answer within 4 s at request 1 /)
})

test('a program that is not there is a failure', async () => {
  const oracle = new Oracle(['/nonexistent/ydoc', 'oracle'])
  await assert.rejects(oracle.call('S'), OracleFailure)
})

// Any state is wrong here, so that a new document and one request are enough.
test('a failure is made as small as it can be', async (t) => {
  const oracle = start(t, 'flips a byte of the state')
  const plan = makePlan('apply v1', 'mixed', 5)
  const report = await checkPlan(plan, oracle, { minimiseMs: 8000 })
  assert.match(report, /^apply v1, mixed, seed 5\n {2}N [0-9a-f]+\n> E\n {2}answered differently\n/)
})

test('a kept script is the same when it is read again', () => {
  const script = perform(makePlan('undo among others', 'mixed', 9))
  assert.deepEqual(decodeScript(JSON.parse(JSON.stringify(encodeScript(script)))), script)
  assert.deepEqual(answerAgain(script), script)
})

test('the same plan gives the same script', () => {
  for (const group of Object.keys(GROUPS)) {
    const plan = makePlan(group, 'mixed', 13)
    assert.deepEqual(perform(structuredClone(plan)), perform(plan))
  }
})

test('both sides of a difference can be read', () => {
  for (const group of Object.keys(GROUPS)) {
    for (const request of perform(makePlan(group, 'mixed', 17))) {
      assert.ok(describeRequest(request).startsWith(request.command))
      assert.doesNotMatch(describeBoth(request.command, request.answer, request.answer), /cannot be read|  !/)
    }
  }
})

// What the histories are to contain; a generator that has stopped making one of these would
// make tests that pass for nothing.
test('the histories hold everything there is', () => {
  const seen = new Set()
  const note = (condition, what) => condition && seen.add(what)
  for (const group of Object.keys(GROUPS)) {
    for (const family of Object.keys(FAMILIES)) {
      for (let seed = 1; seed <= PLANS; seed++) look(perform(makePlan(group, family, seed * 31)), note)
    }
  }
  const contents = ['Deleted', 'Binary', 'String', 'Embed', 'Format', 'Type', 'Any', 'Doc'].map((name) => `Content ${name}`)
  const types = ['YArray', 'YMap', 'YText', 'YXmlElement', 'YXmlFragment', 'YXmlHook', 'YXmlText'].map((name) => `type ${name}`)
  const values = ['$u', '$big', '$bin', '-0', 'NaN', '$doc'].map((name) => `value ${name}`)
  const events = ['GC', 'Skip', 'pending structs', 'pending deletions', 'a clean-up', 'a cut pair', 'a big client id', 'an undo that did something', 'a redo that did something', 'an unresolved position']
  const wanted = [...contents, ...types, ...values, ...events]
  assert.deepEqual(wanted.filter((what) => !seen.has(what)), [])
})

function look(script, note) {
  for (const [i, { command, payload, answer }] of script.entries()) {
    if (command === 'M' || i === script.length - 1) lookAtUpdate(describeBoth(command, answer, answer), note)
    if (command === 'J') for (const word of ['$u', '$big', '$bin', '-0', 'NaN', '$doc']) note(answer.includes(`"${word}"`), `value ${word}`)
    if (command === 'P') {
      note(answer[0] === 1, 'pending structs')
      note(answer[1] === 1, 'pending deletions')
    }
    note(command === 'U' && decodeList(answer).length > 1, 'a clean-up')
    note(command === 'K' && payload.toString() === '"undo"' && answer[0] === 1, 'an undo that did something')
    note(command === 'K' && payload.toString() === '"redo"' && answer[0] === 1, 'a redo that did something')
    note(command === 'Q' && answer.readInt32LE(0) === -1, 'an unresolved position')
  }
}

function lookAtUpdate(words, note) {
  for (const name of ['Deleted', 'Binary', 'String', 'Embed', 'Format', 'Type', 'Any', 'Doc']) note(new RegExp(` ${name} `).test(words), `Content ${name}`)
  for (const [, name] of words.matchAll(/ Type (Y\w+)/g)) note(true, `type ${name}`)
  note(/ GC$/m.test(words), 'GC')
  note(/ Skip$/m.test(words), 'Skip')
  note(words.includes('\ufffd'), 'a cut pair')
  note(/\b\d{11,}:/.test(words), 'a big client id')
}
