// The operations of the command T, done by Yjs, and a few more that only our authors use.
import * as Y from 'yjs'
import { TYPES, makePlain, makeValue } from './tagged.mjs'

// What stands at a position of a text: positions count UTF-16 units, an embed is one.
function embedAt(text, position) {
  let at = 0
  for (const { insert } of text.toDelta()) {
    if (at === position) return insert
    at += typeof insert === 'string' ? insert.length : 1
  }
  return undefined
}

function child(type, step) {
  if (typeof step === 'number') return type instanceof Y.Text ? embedAt(type, step) : type.get(step)
  return type instanceof Y.Map ? type.get(step) : type.getAttribute(step)
}

// The type that `path` names: a root, or [root, step, …]. `roots`: {name: kind}.
export function findType(doc, roots, path) {
  const [root, ...steps] = Array.isArray(path) ? path : [path]
  if (!Object.hasOwn(roots, root)) throw new Error(`no root ${root} is declared`)
  let type = doc.get(root, TYPES[roots[root]])
  for (const step of steps) type = child(type, step)
  if (!(type instanceof Y.AbstractType)) throw new Error(`${JSON.stringify(path)} is not a type`)
  return type
}

const OPERATIONS = {
  insert: (text, index, words, attributes) => text.insert(index, words, attributes && makePlain(attributes)),
  delete: (text, index, length) => text.delete(index, length),
  format: (text, index, length, attributes) => text.format(index, length, makePlain(attributes)),
  embed: (text, index, value, attributes) => text.insertEmbed(index, makeValue(value), attributes && makePlain(attributes)),
  ainsert: (list, index, values) => list.insert(index, values.map(makeValue)),
  adelete: (list, index, length) => list.delete(index, length),
  set: (type, key, value) => (type instanceof Y.Map ? type.set(key, makeValue(value)) : type.setAttribute(key, makeValue(value))),
  unset: (type, key) => (type instanceof Y.Map ? type.delete(key) : type.removeAttribute(key)),
  // Not of the protocol:
  push: (list, values) => list.push(values.map(makeValue)),
  clear: (map) => map.clear(),
  delta: (text, delta) => text.applyDelta(delta.map((op) => ({ ...op, ...(typeof op.insert === 'object' && { insert: makeValue(op.insert) }) }))),
}

const isText = (type) => type instanceof Y.Text
const isMap = (type) => type instanceof Y.Map
const isList = (type) => !isText(type) && !isMap(type)
const SUITS = {
  insert: isText, delete: isText, format: isText, embed: isText, delta: isText, ainsert: isList, adelete: isList, push: isList,
  set: (type) => isMap(type) || isText(type) || type instanceof Y.XmlElement,
  unset: (type) => isMap(type) || isText(type) || type instanceof Y.XmlElement,
  clear: isMap,
}

// Yjs does something with everything; what makes no sense is refused here.
function check([name, path], type, [first]) {
  if (!SUITS[name](type)) throw new Error(`${name} does not suit ${JSON.stringify(path)}`)
  if (typeof first === 'number' && !(Number.isInteger(first) && first >= 0)) throw new Error(`${first} is no index`)
}

// All of `edits` in one transaction. What Yjs throws half way stays half done; see canApply.
export function applyEdits(doc, roots, edits) {
  doc.transact(() => {
    for (const edit of edits) {
      const [name, path, ...rest] = edit
      if (!Object.hasOwn(OPERATIONS, name)) throw new Error(`no operation is called ${name}`)
      const type = findType(doc, roots, path)
      check(edit, type, rest)
      OPERATIONS[name](type, ...rest)
    }
  })
}

// Throws where applyEdits would, and leaves `doc` as it is.
export function canApply(doc, roots, edits) {
  const trial = new Y.Doc()
  Y.applyUpdate(trial, Y.encodeStateAsUpdate(doc))
  applyEdits(trial, roots, edits)
}
