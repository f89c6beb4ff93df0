// Corners that chance seldom finds, one table a subject. Yjs says what is right; what Yjs has no
// word about, that a refused request leaves the document as it was, is asserted by itself.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { checkRequests } from './compare.mjs'
import { Oracle, encodeJson, encodeList, encodeNew, encodePosition, encodeRead } from './oracle.mjs'

const ROOTS = { text: 'Text', array: 'Array', map: 'Map', xml: 'XmlFragment', el: 'XmlElement', xtext: 'XmlText' }
const SEEN = [['U'], ['E'], ['S'], ...Object.entries(ROOTS).filter(([name]) => name !== 'el').map(([name, kind]) => ['J', encodeRead(kind, name)])]

const oracle = new Oracle()
after(() => oracle.close())

async function holds(title, requests) {
  const report = await checkRequests(title, requests, oracle)
  if (report !== undefined) throw new Error(report)
}

const fresh = (gc = true) => ['N', encodeNew(gc, ROOTS)]
const edits = (...list) => ['T', encodeJson(list)]
const undoing = (captureTimeout, ...scope) => ['K', encodeJson({ scope: scope.length > 0 ? scope : Object.keys(ROOTS), captureTimeout })]
const [UNDO, REDO, STOP] = ['undo', 'redo', 'stop'].map((order) => ['K', encodeJson(order)])

// Every request is followed by everything that can be seen of the document.
const watched = (requests) => requests.flatMap((request) => [request, ...SEEN])

// Each row is a test: a name and the requests after a new document, with gc and without.
function rows(subject, table) {
  for (const [name, requests] of Object.entries(table)) {
    test(`${subject}: ${name}`, async () => {
      for (const gc of [true, false]) {
        await holds(`${subject}: ${name}, gc ${gc}`, [fresh(gc), ...watched(requests)])
      }
    })
  }
}

const made = (edit, id = 1) => {
  const doc = new Y.Doc()
  doc.clientID = id
  const updates = []
  doc.on('update', (update) => updates.push(update))
  edit(doc)
  return updates
}

// ---- local edits -------------------------------------------------------------------------------------

rows('local edits', {
  'plain values': [edits(
    ['ainsert', 'array', 0, [1, -1, 0.1, 2147483647, 2147483648, -2147483648, 1e300, 'é😀', '', null, true, false]],
    ['ainsert', 'array', 3, [{ $n: '-0' }, { $n: 'NaN' }, { $n: 'Infinity' }, { $n: '-Infinity' }, { $bin: '' }, { $bin: 'AAEC' }]],
    ['ainsert', 'array', 18, [{ a: { $u: 1 }, b: [{ $n: '-0' }, [], {}], c: { $bin: 'AA==' } }]],
    ['set', 'map', 'u', { $u: 1 }], ['set', 'map', 'big', { $big: '-9223372036854775808' }], ['set', 'map', '', null],
  )],
  'bytes between values': [edits(['ainsert', 'array', 0, [1, { $bin: 'AA==' }, 2, 3, { $bin: 'AA==' }, { $bin: 'AQ==' }, 4]])],
  'new types': [edits(
    ['ainsert', 'array', 0, [[1, ['deep', []]], { $map: { a: 1, b: { $map: { c: [2] } } } }, { $text: [{ insert: 'ab' }, { insert: 'cd', attributes: { bold: true } }, { insert: { image: 'x' } }] }]],
    ['set', 'map', 'el', { $el: 'p', a: { class: 'x' }, c: [{ $el: 'b', a: {}, c: [] }] }],
  )],
  'every kind of type': [edits(
    ['ainsert', 'xml', 0, [{ $el: 'p', a: { x: '1' }, c: [{ $xtext: [{ insert: 'hi', attributes: { em: {} } }], attrs: { lang: 'de' } }] }, { $hook: 'h', m: { a: 1 } }]],
    ['set', 'map', 'frag', { $frag: [{ $xtext: [] }] }],
    ['set', 'map', 'text', { $text: [{ insert: 'x' }], attrs: { a: 1 } }],
  )],
  'subdocuments': [edits(
    ['ainsert', 'array', 0, [{ $doc: 'one', gc: true, autoLoad: false, meta: null }, { $doc: 'two', gc: false, autoLoad: true, meta: { a: [1] } }]],
    ['set', 'map', 'd', { $doc: '', gc: false, autoLoad: false, meta: 'm' }],
  ), edits(['adelete', 'array', 0, 1], ['unset', 'map', 'd'])],
  'paths': [
    edits(['ainsert', 'array', 0, ['x', [{ $map: { t: { $text: [{ insert: 'abc' }] } } }]]]),
    edits(['insert', ['array', 1, 0, 't'], 1, 'XY'], ['set', ['array', 1, 0], 'n', 5], ['ainsert', ['array', 1], 0, [0]]),
    edits(['delete', ['array', 1, 1, 't'], 0, 3], ['adelete', ['array', 1], 0, 1]),
    edits(['unset', ['array', 1, 0], 't']),
  ],
  'a path through a text is a position in UTF-16 units': [
    edits(['insert', 'text', 0, '😀ab'], ['embed', 'text', 3, { $map: { k: 1 } }]),
    edits(['set', ['text', 3], 'k', 2]),
  ],
  'a path through an attribute': [
    edits(['set', 'el', 'a', { $map: {} }], ['set', 'xtext', 'b', [1]]),
    edits(['set', ['el', 'a'], 'k', 1], ['ainsert', ['xtext', 'b'], 1, [2]]),
  ],
  'text at both ends and between': [edits(['insert', 'text', 0, 'b']), edits(['insert', 'text', 0, 'a']), edits(['insert', 'text', 2, 'c']), edits(['insert', 'text', 1, '-'])],
  'typing, one transaction a character': [...'typed'].map((letter, i) => edits(['insert', 'text', i, letter])),
  'typing backwards': [...'sdrawkcab'].map((letter) => edits(['insert', 'text', 0, letter])),
  'behind what was deleted': [edits(['insert', 'text', 0, 'abcdef']), edits(['delete', 'text', 2, 2]), edits(['insert', 'text', 2, 'X']), edits(['delete', 'text', 2, 1]), edits(['insert', 'text', 2, 'Y'])],
  'a list behind what was deleted': [edits(['ainsert', 'array', 0, [1, 2, 3, 4]]), edits(['adelete', 'array', 1, 2]), edits(['ainsert', 'array', 1, ['x']]), edits(['ainsert', 'array', 3, ['end']]), edits(['ainsert', 'array', 0, ['start']])],
  'deleted in the transaction that made it': [edits(['insert', 'text', 0, 'abc'], ['delete', 'text', 0, 3]), edits(['set', 'map', 'a', 1], ['unset', 'map', 'a']), edits(['ainsert', 'array', 0, [[1]]], ['adelete', 'array', 0, 1])],
  'a key that is set again': [edits(['set', 'map', 'a', 1]), edits(['set', 'map', 'a', [1, [2]]]), edits(['set', 'map', 'a', 2], ['set', 'map', 'a', 3]), edits(['unset', 'map', 'a']), edits(['unset', 'map', 'a']), edits(['set', 'map', 'a', 4])],
  'nothing': [edits(), edits(['delete', 'text', 0, 0]), edits(['insert', 'text', 0, '']), edits(['ainsert', 'array', 0, []]), edits(['format', 'text', 0, 1, { b: 1 }])],
  'past the end': [
    edits(['insert', 'text', 0, 'ab']), edits(['delete', 'text', 1, 9]), edits(['insert', 'text', 7, 'z']), edits(['format', 'text', 1, 3, { bold: true }]),
  ],
  'the two halves of a pair': [edits(['insert', 'text', 0, 'a😀b😀']), edits(['insert', 'text', 2, 'X']), edits(['delete', 'text', 5, 1]), edits(['format', 'text', 1, 1, { b: true }])],
  'odd characters': [edits(['insert', 'text', 0, '\u0000\ufeffe\u0301\u2028"\\\u0001']), edits(['set', 'map', '\u0000', '\ufeff'], ['set', 'map', 'é😀', '\u0000'])],
})

rows('formats', {
  'inherited': [edits(['insert', 'text', 0, 'abc', { bold: true }]), edits(['insert', 'text', 3, 'd']), edits(['insert', 'text', 1, 'x']), edits(['insert', 'text', 0, 'y']), edits(['insert', 'text', 2, 'z', {}])],
  'over each other': [edits(['insert', 'text', 0, 'abcdefgh']), edits(['format', 'text', 1, 4, { bold: true }]), edits(['format', 'text', 3, 4, { bold: true, em: { a: 1 } }]), edits(['format', 'text', 0, 8, { bold: null }]), edits(['format', 'text', 2, 2, { em: null }]), edits(['format', 'text', 0, 8, { em: { a: 1 } }])],
  'of what is deleted': [edits(['insert', 'text', 0, 'abcdefgh']), edits(['format', 'text', 2, 3, { bold: true }]), edits(['format', 'text', 4, 3, { em: 1 }]), edits(['delete', 'text', 1, 5]), edits(['insert', 'text', 1, 'new']), edits(['delete', 'text', 0, 6])],
  'embeds': [edits(['embed', 'text', 0, { image: 'a' }]), edits(['embed', 'text', 1, { image: 'b' }, { bold: true }]), edits(['insert', 'text', 1, 'x']), edits(['format', 'text', 0, 3, { em: 'é' }]), edits(['delete', 'text', 1, 1])],
  'several at once': [edits(['insert', 'text', 0, 'abcd', { b: 1, a: 2, 7: 3 }]), edits(['format', 'text', 1, 2, { a: null, c: true, 7: 4 }]), edits(['insert', 'text', 2, '-', { c: true }])],
  'at the start and the end': [edits(['insert', 'xtext', 0, 'ab']), edits(['format', 'xtext', 0, 1, { b: 1 }]), edits(['format', 'xtext', 1, 1, { b: 1 }]), edits(['insert', 'xtext', 2, 'c', { b: null }]), edits(['insert', 'xtext', 0, 'd', { b: 2 }])],
  'the same again': [edits(['insert', 'text', 0, 'abc', { b: 1 }]), edits(['format', 'text', 0, 3, { b: 1 }]), edits(['format', 'text', 1, 1, { b: null }]), edits(['format', 'text', 1, 1, { b: 1 }])],
})

// ---- undo --------------------------------------------------------------------------------------------

const remote = made((doc) => doc.getText('text').insert(0, 'theirs '))

rows('undo', {
  'one by one': [undoing(0), edits(['insert', 'text', 0, 'a']), edits(['insert', 'text', 1, 'b']), UNDO, UNDO, UNDO, REDO, REDO, REDO],
  'all at once': [undoing(1e9), edits(['insert', 'text', 0, 'a']), edits(['insert', 'text', 1, 'b']), UNDO, REDO, UNDO],
  'up to a stop': [undoing(1e9), edits(['insert', 'text', 0, 'a']), STOP, edits(['insert', 'text', 1, 'b']), edits(['insert', 'text', 2, 'c']), UNDO, UNDO, REDO, REDO],
  'a deletion': [undoing(0), edits(['insert', 'text', 0, 'abcdef']), edits(['delete', 'text', 2, 2]), UNDO, UNDO, REDO, REDO],
  'an edit ends redoing': [undoing(0), edits(['insert', 'text', 0, 'a']), UNDO, edits(['insert', 'text', 0, 'b']), REDO, UNDO],
  'keys': [undoing(0), edits(['set', 'map', 'a', 1]), edits(['set', 'map', 'a', 2]), edits(['unset', 'map', 'a']), UNDO, UNDO, UNDO, REDO, REDO, REDO],
  'nested types': [undoing(0), edits(['ainsert', 'array', 0, [{ $map: { t: { $text: [{ insert: 'abc' }] }, l: [1, [2]] } }]]), edits(['adelete', 'array', 0, 1]), UNDO, REDO, UNDO, edits(['insert', ['array', 0, 't'], 1, 'X']), UNDO],
  'elements': [undoing(0), edits(['ainsert', 'xml', 0, [{ $el: 'p', a: { c: 'x' }, c: [{ $xtext: [{ insert: 'ab' }] }] }]]), edits(['set', ['xml', 0], 'c', 'y']), edits(['adelete', 'xml', 0, 1]), UNDO, UNDO, UNDO, REDO, REDO, REDO],
  'formats': [undoing(0), edits(['insert', 'text', 0, 'abcd']), edits(['format', 'text', 1, 2, { b: true }]), edits(['format', 'text', 0, 3, { b: null }]), UNDO, UNDO, REDO, UNDO, UNDO, REDO],
  'of one root only': [undoing(0, 'text'), edits(['insert', 'text', 0, 'a']), edits(['set', 'map', 'a', 1]), UNDO, UNDO],
  'of one type below a root': [edits(['set', 'map', 'in', { $map: {} }]), undoing(0, ['map', 'in']), edits(['set', ['map', 'in'], 'k', 1]), edits(['set', 'map', 'out', 1]), UNDO, UNDO],
  'what others wrote stays': [['1', remote[0]], undoing(0), edits(['insert', 'text', 3, 'OURS']), ['1', made((doc) => doc.getText('text').insert(0, 'more '), 2)[0]], UNDO, REDO],
  'what others deleted': [undoing(0), edits(['insert', 'text', 0, 'abc']), ['1', Buffer.from('000181d0acf30e010001', 'hex')], UNDO, REDO],
  'embeds': [undoing(0), edits(['embed', 'text', 0, { a: 1 }]), edits(['embed', 'text', 1, { $map: { k: 1 } }]), edits(['delete', 'text', 0, 2]), UNDO, UNDO, UNDO, REDO],
  'nothing to undo': [undoing(0), UNDO, REDO, STOP],
  'subdocuments': [undoing(0), edits(['ainsert', 'array', 0, [{ $doc: 'one', gc: true, autoLoad: false, meta: null }]]), edits(['adelete', 'array', 0, 1]), UNDO, UNDO, REDO],
})

// ---- what arrives ------------------------------------------------------------------------------------

// One person makes words bold while another deletes them: formats without words are redundant, and
// the receiver deletes them as an edit of its own.
function boldAndDeleted() {
  const first = made((doc) => doc.getText('text').insert(0, 'some words'))[0]
  const rest = [(text) => text.format(2, 5, { bold: true }), (text) => text.delete(1, 8)].map((edit, i) => {
    const doc = new Y.Doc()
    doc.clientID = 2 + i
    Y.applyUpdate(doc, first)
    const before = Y.encodeStateVector(doc)
    edit(doc.getText('text'))
    return Y.encodeStateAsUpdate(doc, before)
  })
  return [first, ...rest]
}

rows('remote updates', {
  'formats without words': boldAndDeleted().map((update) => ['1', update]),
  'formats without words, merged': [['1', Y.mergeUpdates(boldAndDeleted())]],
  'formats without words, backwards': boldAndDeleted().reverse().map((update) => ['1', update]),
  'an empty update': [['1', [0, 0]], ['P'], ['X'], ['Y'], ['F']],
})

// A root of which nobody has said that it is a text is not cleaned up.
test('remote updates: formats without words in a root of unknown kind', async () => {
  const requests = [['N', encodeNew(true, ROOTS, false)], ...boldAndDeleted().map((update) => ['1', update]), ['U'], ['E'], ['J', encodeRead('Text', 'text')], ['U'], ['E']]
  await holds('unknown kind', requests)
})

// A root that is an element has no name of its own; Yjs calls it UNDEFINED.
test('a root element', async () => {
  await holds('a root element', [fresh(), ['J', encodeRead('XmlElement', 'el')], ['J', encodeRead('XmlElement', 'other')]])
})

test('merges of few and of none', async () => {
  for (const command of ['M', 'm']) {
    const doc = new Y.Doc()
    doc.clientID = 1
    doc.getText('text').insert(0, 'x')
    const update = command === 'M' ? Y.encodeStateAsUpdate(doc) : Y.encodeStateAsUpdateV2(doc)
    const empty = command === 'M' ? [0, 0] : [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    const requests = [[command, encodeList([update])], [command, encodeList([update, update])], [command, encodeList([empty, update, empty])], [command, encodeList([empty, empty])]]
    await holds('merges', requests)
  }
})

test('positions in empty roots', async () => {
  const requests = Object.entries(ROOTS).flatMap(([name, kind]) => [-1, 0, 1].map((assoc) => ['R', encodePosition(kind, name, 0, assoc)]))
  await holds('positions', [fresh(), ...requests])
})

// ---- refusals ----------------------------------------------------------------------------------------

const REFUSED = {
  'an unknown command': ['~', 'x'],
  'a truncated update': ['1', Buffer.from('0101', 'hex')],
  'a list past its end': edits(['ainsert', 'array', 9, [1]]),
  'an edit of no root': edits(['insert', 'nobody', 0, 'x']),
  'an edit that does not exist': edits(['invent', 'text', 0, 'x']),
  'a path to a value': edits(['set', ['array', 0], 'k', 1]),
  'a path to nothing': edits(['set', ['map', 'v', 'w'], 'k', 1]),
  'a list operation on a text': edits(['ainsert', 'text', 0, [1]]),
  'edits that are no JSON': ['T', Buffer.from('[["insert"')],
  'a good edit and then a bad one': edits(['insert', 'text', 0, 'x'], ['ainsert', 'array', 9, [1]]),
  'a negative index': edits(['insert', 'text', -1, 'x']),
  'undo orders without an undo manager': UNDO,
}

// Refused, by its status; the document is as it was, and the next request is answered.
for (const [name, [command, payload]] of Object.entries(REFUSED)) {
  test(`refused: ${name}`, async () => {
    await oracle.call(...fresh())
    const setup = made((doc) => doc.transact(() => {
      doc.getText('text').insert(0, 'abc')
      doc.getArray('array').insert(0, [1])
    }))[0]
    await oracle.call('1', Buffer.from(setup))
    const before = await oracle.call('E')
    const refused = await oracle.call(command, Buffer.from(payload))
    assert.equal(refused.ok, false)
    assert.doesNotMatch(refused.body.toString(), command === '~' ? /^$/ : /unsupported|unknown command/i)
    const state = await oracle.call('E')
    assert.equal(state.body.toString('hex'), before.body.toString('hex'))
    assert.equal((await oracle.call('1', Buffer.from(made((doc) => doc.getText('text').insert(0, 'z'), 9)[0]))).ok, true)
  })
}
