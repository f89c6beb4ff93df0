// The fields of a v1 update: where each number, string and value stands, and what is odd about it.
//
// Strict, where Yjs cuts short what is longer than its bytes: throws on anything that no writer of
// updates could have meant. Used to change an update in a field, so that
// the change reaches deeper than a flipped bit does, and to tell which of the known differences
// between Yjs and the library an update is about.
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'

const JSON_DEPTH = 100
const hex = (bytes) => Buffer.from(bytes).toString('hex')
const say = ({ client, clock }) => `${client}:${clock}`

// A NaN in other bits than JavaScript's own; whether they survive is up to the engine. Looks at the
// bytes, so that a few other values are taken for one.
function hasOddNaN(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return bytes.some((tag, at) => {
    if (tag === 123 && at + 9 <= bytes.length) return Number.isNaN(view.getFloat64(at + 1)) && view.getBigUint64(at + 1) !== 0x7ff8000000000000n
    return tag === 124 && at + 5 <= bytes.length && Number.isNaN(view.getFloat32(at + 1))
  })
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes
    this.decoder = decoding.createDecoder(bytes)
    this.fields = [] // {at, end, kind, value}
    this.odd = new Set()
    this.sections = [] // {at, end, client, structs}
    this.collected = [] // {client, from, to} of every GC
    this.structs = [] // {client, clock, length, ref, origin, rightOrigin, parent, values} of every item
  }

  take(kind, read) {
    const at = this.decoder.pos
    const value = read(this.decoder)
    this.fields.push({ at, end: this.decoder.pos, kind, value })
    return value
  }

  number(kind) {
    const value = this.take(kind, decoding.readVarUint)
    if (encoding.encode((encoder) => encoding.writeVarUint(encoder, value)).length !== this.fields.at(-1).end - this.fields.at(-1).at) this.odd.add('a number that is longer than it needs to be')
    if (value > 0xffffffff && kind !== 'client') this.odd.add('a clock from 2^32 on')
    if (value > Number.MAX_SAFE_INTEGER) this.odd.add('a number above 2^53-1')
    return value
  }

  // A length that is checked: lib0 gives what there is.
  sized(kind, read) {
    const probe = decoding.createDecoder(this.bytes)
    probe.pos = this.decoder.pos
    const length = decoding.readVarUint(probe)
    if (length > this.bytes.length - probe.pos) throw new Error('longer than its bytes')
    return this.take(kind, read)
  }

  string(kind) {
    return this.sized(kind, decoding.readVarString)
  }

  id(clockKind = 'clock') {
    return { client: this.number('client'), clock: this.number(clockKind) }
  }

  // What is written again in the same bytes is a value that JavaScript has written.
  any() {
    const at = this.decoder.pos
    const value = this.take('any', decoding.readAny)
    if (this.decoder.pos > this.bytes.length) throw new Error('longer than its bytes')
    const again = encoding.encode((encoder) => encoding.writeAny(encoder, value))
    if (Buffer.compare(again, this.bytes.subarray(at, this.decoder.pos)) !== 0) this.odd.add('a value that Yjs writes in another way')
    if (hasOddNaN(this.bytes.subarray(at, this.decoder.pos))) this.odd.add('an unusual NaN')
    return value
  }

  // The old JSON content has a word for undefined.
  json(mayBeUndefined = false) {
    const text = this.string('json')
    if (mayBeUndefined && text === 'undefined') return
    const value = JSON.parse(text)
    if (JSON.stringify(value) !== text) this.odd.add('a value that Yjs writes in another way')
    let depth = 0
    for (const letter of text) depth += letter === '[' || letter === '{' ? 1 : 0
    if (depth > JSON_DEPTH) this.odd.add('a deep value')
  }

  many(read) {
    const n = this.number('count')
    if (n > this.bytes.length) throw new Error('more elements than bytes')
    for (let left = n; left > 0; left--) read()
    return n
  }

  content(ref) {
    switch (ref) {
      case 1: return this.number('length')
      case 2: return this.many(() => this.json(true))
      case 3: return this.sized('bytes', decoding.readVarUint8Array) && 1
      case 4: return this.string('string').length
      case 5: return this.json() ?? 1
      case 6: return this.string('key'), this.json(), 1
      case 7: return this.type()
      case 8: return this.many(() => this.any())
      case 9: return this.document()
      default: throw new Error(`no content ${ref}`)
    }
  }

  type() {
    const ref = this.number('type')
    if (ref > 6) throw new Error(`no type ${ref}`)
    if (ref === 3 || ref === 5) this.string('name')
    return 1
  }

  document() {
    this.string('guid')
    const options = this.any()
    const known = ['gc', 'autoLoad', 'meta']
    const isCanonical = options !== null && typeof options === 'object' && Object.keys(options).every((key) => known.includes(key))
    if (!isCanonical) this.odd.add('a value that Yjs writes in another way')
    return 1
  }

  struct(client, clock) {
    if (!decoding.hasContent(this.decoder)) throw new Error('longer than its bytes')
    const info = this.take('info', decoding.readUint8)
    const ref = info & 31
    if (ref === 0 || ref === 10) {
      if (info !== ref) this.odd.add('a GC or Skip with flags')
      const length = this.length(this.number('length'))
      if (ref === 0) this.collected.push({ client, from: clock, to: clock + length })
      return length
    }
    const dependencies = []
    if (info & 0x80) dependencies.push(this.id())
    if (info & 0x40) dependencies.push(this.id())
    const [origin, rightOrigin] = [0x80, 0x40].map((bit) => (info & bit ? say(dependencies[bit === 0x40 && info & 0x80 ? 1 : 0]) : 'none'))
    const at = this.decoder.pos
    if (!(info & 0xc0)) {
      const parentInfo = this.number('parentInfo')
      if (parentInfo === 1) this.string('name')
      else dependencies.push(this.id())
      if (parentInfo > 1) this.odd.add('a parent that is neither 0 nor 1')
      if (info & 0x20) this.string('key')
    }
    for (const on of dependencies) if (on.client === client && on.clock >= clock) this.odd.add('an item that depends on its own future')
    const parent = info & 0xc0 ? undefined : hex(this.bytes.subarray(at, this.decoder.pos))
    const from = this.decoder.pos
    this.dependencies.push(...dependencies.map((on) => ({ client, clock, on })))
    const length = this.length(this.content(ref))
    this.structs.push({ client, clock, length, ref, origin, rightOrigin, parent, values: this.values(ref, from) })
    return length
  }

  // What each unit of a struct stands for: a character, or bytes.
  values(ref, from) {
    if (ref === 4) return this.fields.at(-1).value.split('')
    if (ref !== 2 && ref !== 8) return [hex(this.bytes.subarray(from, this.decoder.pos))]
    return this.fields.filter(({ at, kind }) => at >= from && kind !== 'count').map(({ at, end }) => hex(this.bytes.subarray(at, end)))
  }

  length(n) {
    if (n === 0) this.odd.add('a struct of length 0')
    return n
  }

  section() {
    const at = this.decoder.pos
    const structs = this.number('count')
    const client = this.number('client')
    if (structs > this.bytes.length) throw new Error('more structs than bytes')
    let clock = this.number('clock')
    if (this.sections.some((section) => section.client === client)) this.odd.add('two sections of one client')
    if (structs === 0) this.odd.add('a section without structs')
    for (let left = structs; left > 0; left--) {
      clock += this.struct(client, clock)
      if (clock > 0xffffffff) this.odd.add('a clock from 2^32 on')
    }
    this.sections.push({ at, end: this.decoder.pos, client, structs })
  }

  deleted() {
    const client = this.number('client')
    const seen = []
    this.many(() => {
      const clock = this.number('clock')
      const length = this.number('length')
      if (clock + length > 0xffffffff) this.odd.add('a clock from 2^32 on')
      if (length === 0) this.odd.add('a deletion of length 0')
      if (seen.some((other) => clock < other)) this.odd.add('deletions out of order')
      seen.push(clock + length)
    })
    if (this.deletedClients.has(client)) this.odd.add('two sections of deletions of one client')
    this.deletedClients.add(client)
  }

  update() {
    this.dependencies = []
    this.deletedClients = new Set()
    this.take('sections', decoding.readVarUint)
    const n = this.fields[0].value
    if (n > this.bytes.length) throw new Error('more sections than bytes')
    for (let left = n; left > 0; left--) this.section()
    this.deletionsAt = this.decoder.pos
    this.many(() => this.deleted())
    if (this.decoder.pos < this.bytes.length) this.odd.add('bytes behind the end')
    if (this.isMutual()) this.odd.add('clients that wait for each other')
    return this
  }

  // Two clients of which each depends on the other at all; more than those that really wait.
  isMutual() {
    const pairs = new Set(this.dependencies.filter(({ client, on }) => client !== on.client).map(({ client, on }) => `${client}>${on.client}`))
    return [...pairs].some((pair) => pairs.has(pair.split('>').reverse().join('>')))
  }
}

// {fields, sections, odd, deletionsAt}; throws on malformed bytes.
export function readFields(bytes) {
  return new Reader(bytes).update()
}

// Is there an id that was given to two units? Compares what structs say of each: what it is, where
// it stands, what it stands for. A deleted or collected one may be any.
export function hasTwins(updates) {
  const seen = new Map()
  for (const struct of updates.flatMap((update) => quietly(() => readFields(update))?.structs ?? [])) {
    for (let i = 0; i < Math.min(struct.length, UNITS_MAX); i++) {
      const id = `${struct.client}:${struct.clock + i}`
      const unit = unitOf(struct, i)
      const others = seen.get(id) ?? []
      if (others.some((other) => !isSameUnit(unit, other))) return true
      seen.set(id, [...others, unit].slice(0, 4))
    }
  }
  return false
}

const UNITS_MAX = 1000
const READS_MAX = 100_000

function unitOf({ client, clock, ref, origin, rightOrigin, parent, values }, i) {
  const place = i === 0 ? { origin, parent } : { origin: say({ client, clock: clock + i - 1 }) }
  return { ref, ...place, rightOrigin, value: ref === 1 ? undefined : values[i] }
}

const isSame = (a, b) => a === undefined || b === undefined || a === b

function isSameUnit(a, b) {
  if (a.origin !== b.origin || a.rightOrigin !== b.rightOrigin || !isSame(a.parent, b.parent)) return false
  return a.ref === 1 || b.ref === 1 || (a.ref === b.ref && isSame(a.value, b.value))
}

// What is odd about an update v2 and is lost, or refused, when it is converted.
export function oddInV2(update) {
  const odd = new Set()
  const clients = new Set()
  let left = READS_MAX // a run of many millions is a few bytes
  class Spy extends Y.UpdateDecoderV2 {
    readClient() {
      const client = super.readClient()
      if (left-- === 0) throw new Error('too long')
      if (clients.has(client)) odd.add('two sections of one client')
      clients.add(client)
      return client
    }

    readInfo() {
      const info = super.readInfo()
      if (left-- === 0) throw new Error('too long')
      if (info !== (info & 31) && [0, 10].includes(info & 31)) odd.add('a GC or Skip with flags')
      return info
    }
  }
  quietly(() => Y.decodeUpdateV2(update, Spy))
  return odd
}

// Is there an id that is a GC in one update and an item in another?
export function hasCollected(updates) {
  const read = updates.map((update) => quietly(() => readFields(update))).filter(Boolean)
  const collected = read.flatMap((each) => each.collected)
  return read.some(({ structs }) => structs.some(({ client, clock }) => collected.some((gc) => gc.client === client && gc.from <= clock && clock < gc.to)))
}

// ---- changes ------------------------------------------------------------------------------------------

const INTERESTING = [0, 1, 2, 3, 6, 7, 9, 10, 11, 31, 32, 63, 64, 127, 128, 255, 256, 16383, 16384, 2 ** 21, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1]

const concat = (...parts) => new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part))))
const varUint = (value) => encoding.encode((encoder) => encoding.writeVarUint(encoder, value))
const varString = (text) => encoding.encode((encoder) => encoding.writeVarString(encoder, text))

function replaced(bytes, { at, end }, by) {
  return concat(bytes.subarray(0, at), by, bytes.subarray(end))
}

// A number that is a byte longer than it needs to be.
const padded = (value) => {
  const bytes = varUint(value)
  bytes[bytes.length - 1] |= 0x80
  return concat(bytes, [0])
}

function changeNumber(bytes, field, fields, random) {
  const others = fields.filter((other) => other.kind === field.kind && other.value !== field.value)
  switch (random.below(5)) {
    case 0: return replaced(bytes, field, varUint(random.pick(INTERESTING)))
    case 1: return replaced(bytes, field, varUint(Math.max(0, field.value + random.pick([-1, 1, 2, -2]))))
    case 2: return replaced(bytes, field, padded(field.value))
    default: return others.length > 0 ? replaced(bytes, field, varUint(random.pick(others).value)) : replaced(bytes, field, varUint(field.value + 1))
  }
}

const CHANGES = {
  field(bytes, { fields }, random) {
    const field = random.pick(fields)
    if (typeof field.value === 'number' && field.kind !== 'any' && field.kind !== 'info') return changeNumber(bytes, field, fields, random)
    if (field.kind === 'info') return replaced(bytes, field, [random.chance(0.5) ? field.value ^ (0x20 << random.below(3)) : (field.value & 0xe0) | random.below(12)])
    if (field.kind === 'json') return replaced(bytes, field, varString(random.pick(['null', '1.0', '{"a":1,"a":2}', '[1, 2]', 'undefined', '{"2":1,"1":2}', '"\\u0041"', '-0', '1e400', ''])))
    if (typeof field.value === 'string') return replaced(bytes, field, varString(random.pick(['', 'x', '😀', field.value.slice(1), field.value + field.value, 'text', '\u0000'])))
    return replaced(bytes, field, random.pick(fields.filter((other) => other.kind === field.kind).map((other) => bytes.subarray(other.at, other.end))))
  },
  dropSection(bytes, { fields, sections }, random) {
    if (sections.length === 0) return bytes
    const section = random.pick(sections)
    return concat(varUint(sections.length - 1), bytes.subarray(fields[0].end, section.at), bytes.subarray(section.end))
  },
  swapSections(bytes, { fields, sections, deletionsAt }, random) {
    const order = random.shuffled(sections)
    return concat(bytes.subarray(0, fields[0].end), ...order.map(({ at, end }) => bytes.subarray(at, end)), bytes.subarray(deletionsAt))
  },
  addSection(bytes, { fields, sections }, random, other) {
    const foreign = quietly(() => readFields(other))
    if (foreign === undefined || foreign.sections.length === 0) return bytes
    const { at, end } = random.pick(foreign.sections)
    return concat(varUint(sections.length + 1), other.subarray(at, end), bytes.subarray(fields[0].end))
  },
  deletions(bytes, { deletionsAt }, random, other) {
    const foreign = quietly(() => readFields(other))
    return foreign === undefined ? bytes : concat(bytes.subarray(0, deletionsAt), other.subarray(foreign.deletionsAt))
  },
}

const BYTES = {
  flip(bytes, random) {
    const wrong = Uint8Array.from(bytes)
    for (let left = random.between(1, 3); left > 0; left--) wrong[random.below(wrong.length)] ^= 1 << random.below(8)
    return wrong
  },
  set(bytes, random) {
    const wrong = Uint8Array.from(bytes)
    wrong[random.below(wrong.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)])
    return wrong
  },
  cut: (bytes, random) => bytes.slice(0, random.below(bytes.length)),
  remove(bytes, random) {
    const at = random.below(bytes.length)
    return concat(bytes.subarray(0, at), bytes.subarray(at + random.between(1, 4)))
  },
  repeat(bytes, random) {
    const at = random.below(bytes.length)
    return concat(bytes.subarray(0, at + random.between(1, 8)), bytes.subarray(at))
  },
  splice: (bytes, random, other) => concat(bytes.subarray(0, random.below(bytes.length)), other.subarray(random.below(other.length))),
}

export function quietly(read) {
  try {
    return read()
  } catch {
    return undefined
  }
}

// `bytes` with one to three changes; `other` is an update that parts may be taken from. `isV1` says
// that fields can be looked for.
export function mutate(bytes, other, random, isV1) {
  let wrong = bytes
  for (let left = random.pick([1, 1, 1, 2, 3]); left > 0 && wrong.length > 0; left--) {
    const fields = isV1 && random.chance(0.75) ? quietly(() => readFields(wrong)) : undefined
    if (fields === undefined) wrong = BYTES[random.pick(Object.keys(BYTES))](wrong, random, other)
    else wrong = CHANGES[random.weighted({ field: 12, dropSection: 1, swapSections: 1, addSection: 2, deletions: 2 })](wrong, fields, random, other)
  }
  return wrong
}
