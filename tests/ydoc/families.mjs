// Random edits: which operation on which type of a document, by what the family of the history
// is about. The result is a list of operations of the command T (see edits.mjs).
import * as Y from 'yjs'
import { makeAttributes, makeEmbed, makePlainJson, makeWord } from './random.mjs'
import { applyEdits } from './edits.mjs'
import { TYPES } from './tagged.mjs'

const ALL_ROOTS = { text: 'Text', array: 'Array', map: 'Map', xml: 'XmlFragment', xtext: 'XmlText' }

// roots: what is declared. unicode, rich (formats and embeds), nest (how likely a new value is a
// shared type, and how likely an edit goes down into one), docs (subdocuments), hooks, styles.
export const FAMILIES = {
  plain: { roots: { text: 'Text' } },
  unicode: { roots: { text: 'Text', 'é😀': 'Text' }, unicode: true },
  rich: { roots: { text: 'Text', xtext: 'XmlText' }, unicode: true, rich: true },
  // Formats over formats, by people who do not wait for each other: what the receiver cleans up.
  styles: { roots: { text: 'Text' }, rich: true, styles: true },
  array: { roots: { array: 'Array' }, unicode: true },
  map: { roots: { map: 'Map', '': 'Map' }, unicode: true },
  xml: { roots: { xml: 'XmlFragment', el: 'XmlElement' }, rich: true, nest: 0.6 },
  hooks: { roots: { xml: 'XmlFragment' }, hooks: true, nest: 0.6, unicode: true },
  nested: { roots: { array: 'Array', map: 'Map', text: 'Text' }, nest: 0.5, rich: true },
  subdocs: { roots: { array: 'Array', map: 'Map' }, docs: true },
  mixed: { roots: ALL_ROOTS, unicode: true, rich: true, nest: 0.35, docs: true, hooks: true },
}

// `isOurs`: the edit is an author's, who may do more than the protocol has words for.
class Editor {
  constructor(doc, family, random, isOurs) {
    Object.assign(this, { doc, family, random, isOurs })
    this.isUnicode = family.unicode === true
  }

  word(longest) {
    return makeWord(this.random, this.isUnicode, longest)
  }

  attributes() {
    return makeAttributes(this.random, this.family.styles === true)
  }

  delta() {
    return this.random.list(this.random.between(0, 3), () => {
      const op = { insert: this.family.rich && this.random.chance(0.2) ? makeEmbed(this.random) : this.word(6) }
      if (this.family.rich && this.random.chance(0.5)) op.attributes = this.attributes()
      return op
    })
  }

  // A new shared type, filled.
  type(depth, isXml) {
    const { random } = this
    const kinds = isXml ? { el: 4, xtext: 4, ...(this.family.hooks && { hook: 2 }) } : { text: 2, map: 3, array: 3 }
    if (!isXml && this.family.rich) Object.assign(kinds, { el: 1, xtext: 1, frag: 1 })
    const kind = random.weighted(kinds)
    const some = depth > 0 ? random.below(3) : 0
    if (kind === 'text' || kind === 'xtext') return { [`$${kind}`]: this.delta(), ...(random.chance(0.2) && { attrs: { lang: this.word(3) } }) }
    if (kind === 'array') return random.list(some, () => this.value(depth - 1, false))
    if (kind === 'frag') return { $frag: random.list(some, () => this.type(depth - 1, true)) }
    if (kind === 'el') return { $el: random.pick(['p', 'h1', 'LI', 'é']), a: this.entries(random.below(2), 0), c: random.list(some, () => this.type(depth - 1, true)) }
    if (kind === 'hook') return { $hook: random.pick(['hook', 'é']), m: this.entries(some, depth - 1) }
    return { $map: this.entries(some, depth - 1) }
  }

  entries(n, depth) {
    return Object.fromEntries(this.random.list(n, () => [this.key(), this.value(depth, true)]))
  }

  document() {
    const { random } = this
    return {
      $doc: `guid-${random.below(50)}`, gc: random.chance(0.6), autoLoad: random.chance(0.4),
      meta: random.chance(0.5) ? null : makePlainJson(random, this.isUnicode, 1, true),
    }
  }

  value(depth, isFree) {
    const { random, family } = this
    if (family.docs && random.chance(0.3)) return this.document()
    if (random.chance(family.nest ?? 0)) return this.type(depth, false)
    const plain = makePlainJson(random, this.isUnicode, 2, isFree)
    if (!Array.isArray(plain)) return plain
    return this.isOurs ? { $plain: plain } : { list: plain } // a bare list would be a Y.Array
  }

  key() {
    return this.random.chance(0.85) ? this.random.pick(['a', 'b', 'c', '1', '0', 'é']) : this.word(3)
  }

  // [path, type]: a root, or a type below it.
  target() {
    const name = this.random.pick(Object.keys(this.family.roots))
    let path = [name]
    let type = this.doc.get(name, TYPES[this.family.roots[name]])
    while (this.random.chance(this.family.nest === undefined ? 0 : 0.7)) {
      const below = children(type)
      if (below.length === 0) break
      const [step, next] = this.random.pick(below)
      path = [...path, step]
      type = next
    }
    return [path.length === 1 ? name : path, type]
  }

  edit() {
    const [path, type] = this.target()
    if (type instanceof Y.Text) return this.editText(path, type)
    if (type instanceof Y.Array) return this.editArray(path, type)
    if (type instanceof Y.Map) return this.editMap(path, type)
    return this.editXml(path, type)
  }

  // A start, and how much from there: seldom more than a few.
  range(length) {
    const start = this.random.below(length)
    return [start, Math.min(length - start, this.random.chance(this.family.styles ? 0.4 : 0.1) ? length : this.random.between(1, 5))]
  }

  editText(path, text) {
    const { random, family } = this
    const { length } = text
    const kinds = { insert: 5, ...(length > 0 && { delete: 3 }) }
    if (family.rich) Object.assign(kinds, { styled: 2, embed: 1, set: 1 }, length > 0 && { format: 5 })
    if (family.rich && this.isOurs) kinds.delta = 1
    if (family.styles && length > 0) Object.assign(kinds, { format: 30, delete: 6, styled: 5 })
    if (family.nest) kinds.nest = 1
    const at = random.chance(0.3) ? length : random.below(length + 1)
    const styles = random.chance(0.5) ? [this.attributes()] : []
    switch (random.weighted(kinds)) {
      case 'insert': return ['insert', path, at, this.word()]
      case 'delete': return ['delete', path, ...this.range(length)]
      case 'styled': return ['insert', path, at, this.word(), random.chance(0.2) ? {} : this.attributes()]
      case 'embed': return ['embed', path, at, makeEmbed(random), ...styles]
      case 'format': return ['format', path, ...this.range(length), this.attributes()]
      case 'set': return random.chance(0.7) ? ['set', path, this.key(), this.value(0, true)] : ['unset', path, this.key()]
      case 'delta': return ['delta', path, [...(at > 0 ? [{ retain: at, ...(random.chance(0.5) && { attributes: this.attributes() }) }] : []), ...this.delta()]]
      default: return ['embed', path, at, this.type(1, false), ...styles]
    }
  }

  editArray(path, array) {
    const { random } = this
    const kind = random.weighted({ insert: 5, ...(array.length > 0 && { delete: 3 }), ...(this.isOurs && { push: 1 }) })
    if (kind === 'delete') return ['adelete', path, ...this.range(array.length)]
    const values = random.list(random.between(1, 4), () => this.value(2, false))
    return kind === 'push' ? ['push', path, values] : ['ainsert', path, random.below(array.length + 1), values]
  }

  editMap(path, map) {
    const kind = this.random.weighted({ set: 7, ...(map.size > 0 && { unset: 3 }), ...(map.size > 0 && this.isOurs && { clear: 1 }) })
    if (kind === 'set') return ['set', path, this.key(), this.value(2, true)]
    return kind === 'clear' ? ['clear', path] : ['unset', path, this.random.pick([...map.keys()])]
  }

  editXml(path, xml) {
    const { random } = this
    const kinds = { insert: 5, ...(xml.length > 0 && { delete: 2 }) }
    if (xml instanceof Y.XmlElement) Object.assign(kinds, { set: 3, unset: 1 })
    switch (random.weighted(kinds)) {
      case 'insert': return ['ainsert', path, random.below(xml.length + 1), random.list(random.between(1, 2), () => this.type(1, true))]
      case 'delete': return ['adelete', path, ...this.range(xml.length)]
      case 'set': return ['set', path, this.key(), this.value(1, true)]
      default: return ['unset', path, this.key()]
    }
  }
}

function textChildren(text) {
  const found = []
  let at = 0
  for (const { insert } of text.toDelta()) {
    if (insert instanceof Y.AbstractType) found.push([at, insert])
    at += typeof insert === 'string' ? insert.length : 1
  }
  return found
}

function mapChildren(map) {
  return [...map.entries()].filter(([, value]) => value instanceof Y.AbstractType)
}

// [step, type] of the shared types directly below one.
export function children(type) {
  if (type instanceof Y.Text) return textChildren(type)
  if (type instanceof Y.Map) return mapChildren(type)
  return type.toArray().map((value, index) => [index, value]).filter(([, value]) => value instanceof Y.AbstractType)
}

// One transaction of one to four operations, made and done one after the other on `doc`; returns
// them. What they are depends on the document, so making and doing cannot be told apart.
export function makeEdits(doc, family, random, isOurs) {
  const editor = new Editor(doc, family, random, isOurs)
  const edits = []
  doc.transact(() => {
    for (let left = random.chance(0.3) ? random.between(2, 4) : 1; left > 0; left--) {
      const edit = editor.edit()
      applyEdits(doc, family.roots, [edit])
      edits.push(edit)
    }
  })
  return edits
}
