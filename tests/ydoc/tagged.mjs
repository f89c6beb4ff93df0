// The tagged JSON of the oracle protocol: shared types and what JSON has no word for.
//
// Two directions: `tagValue` and `tagType` say what a document holds, `makeValue` builds a value
// or a shared type that is not in a document yet. `{"$plain": [...]}` is our own: a list that
// stays a plain value, where a bare list would become a Y.Array; only our authors use it.
import * as Y from 'yjs'

export const TYPES = {
  Array: Y.Array, Map: Y.Map, Text: Y.Text, XmlElement: Y.XmlElement, XmlFragment: Y.XmlFragment, XmlText: Y.XmlText,
}

const isEmpty = (object) => Object.keys(object).length === 0
const mapObject = (object, f) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, f(value)]))

function tagNumber(n) {
  if (Object.is(n, -0)) return { $n: '-0' }
  return Number.isFinite(n) ? n : { $n: String(n) }
}

// What stands for a value of a document. Own, enumerable members only: that is what Yjs encodes.
export function tagValue(value) {
  if (value === undefined) return { $u: 1 }
  if (typeof value === 'number') return tagNumber(value)
  if (typeof value === 'bigint') return { $big: String(value) }
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Y.AbstractType) return tagType(value)
  if (value instanceof Uint8Array) return { $bin: Buffer.from(value).toString('base64') }
  if (value instanceof Y.Doc) return { $doc: value.guid, gc: value.gc, autoLoad: value.autoLoad, meta: tagValue(value.meta) }
  return Array.isArray(value) ? value.map(tagValue) : mapObject(value, tagValue)
}

function tagText(word, text) {
  const delta = text.toDelta().map(({ insert, attributes }) => {
    return { insert: tagValue(insert), ...(attributes && { attributes: tagValue(attributes) }) }
  })
  const attrs = text.getAttributes()
  return { [word]: delta, ...(!isEmpty(attrs) && { attrs: tagValue(attrs) }) }
}

function tagEntries(map) {
  const entries = {}
  map.forEach((value, key) => { entries[key] = tagValue(value) })
  return entries
}

// XmlText is a Text and XmlHook a Map: the narrower type is asked for first.
export function tagType(type) {
  if (type instanceof Y.XmlText) return tagText('$xtext', type)
  if (type instanceof Y.Text) return tagText('$text', type)
  if (type instanceof Y.Array) return type.toArray().map(tagValue)
  if (type instanceof Y.XmlHook) return { $hook: type.hookName, m: tagEntries(type) }
  if (type instanceof Y.Map) return { $map: tagEntries(type) }
  if (type instanceof Y.XmlElement) return { $el: type.nodeName, a: tagValue(type.getAttributes()), c: type.toArray().map(tagValue) }
  if (type instanceof Y.XmlFragment) return { $frag: type.toArray().map(tagValue) }
  throw new Error(`no tag for ${type?.constructor?.name}`)
}

// A value without shared types in it.
export function makePlain(json) {
  if (json === null || typeof json !== 'object') return json
  if (Array.isArray(json)) return json.map(makePlain)
  if ('$u' in json) return undefined
  if ('$n' in json) return Number(json.$n)
  if ('$big' in json) return BigInt(json.$big)
  if ('$bin' in json) return new Uint8Array(Buffer.from(json.$bin, 'base64'))
  return mapObject(json, makePlain)
}

function makeText(text, delta, attrs = {}) {
  text.applyDelta(delta.map((op) => ({ ...op, ...(typeof op.insert === 'object' && { insert: makeValue(op.insert) }) })))
  for (const [key, value] of Object.entries(attrs)) text.setAttribute(key, makeValue(value))
  return text
}

function makeEntries(map, entries) {
  for (const [key, value] of Object.entries(entries)) map.set(key, makeValue(value))
  return map
}

function makeChildren(parent, children) {
  parent.insert(0, children.map(makeValue))
  return parent
}

function makeElement({ $el, a = {}, c = [] }) {
  const element = new Y.XmlElement($el)
  for (const [key, value] of Object.entries(a)) element.setAttribute(key, makeValue(value))
  return makeChildren(element, c)
}

// A value that may be a new shared type or a subdocument.
export function makeValue(json) {
  if (json === null || typeof json !== 'object') return json
  if (Array.isArray(json)) return makeChildren(new Y.Array(), json)
  if ('$plain' in json) return makePlain(json.$plain)
  if ('$text' in json) return makeText(new Y.Text(), json.$text, json.attrs)
  if ('$xtext' in json) return makeText(new Y.XmlText(), json.$xtext, json.attrs)
  if ('$map' in json) return makeEntries(new Y.Map(), json.$map)
  if ('$hook' in json) return makeEntries(new Y.XmlHook(json.$hook), json.m ?? {})
  if ('$el' in json) return makeElement(json)
  if ('$frag' in json) return makeChildren(new Y.XmlFragment(), json.$frag)
  if ('$doc' in json) {
    const { $doc: guid, meta = null, ...options } = json
    return new Y.Doc({ guid, ...options, meta: makePlain(meta) })
  }
  return makePlain(json)
}

// Equal as values: the order of members is free.
export function isSameJson(a, b) {
  if (a === b) return true
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSameJson(a[key], b[key]))
}
