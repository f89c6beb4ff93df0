// Chance that can be repeated, and the words and values that histories are made of.

// A generator of its own for every step of a history (seed, step): a step that is left out when a
// failure is made smaller changes nothing about the others.
export class Random {
  // `seed`: 0 … 2^53 - 1
  constructor(seed) {
    this.a = seed >>> 0
    this.b = Math.floor(seed / 2 ** 32) >>> 0
    this.c = 0x9e3779b9
    this.counter = 1
    for (let i = 0; i < 12; i++) this.next()
  }

  // Chris Doty-Humphrey's sfc32: 0 … 2^32 - 1
  next() {
    const sum = (this.a + this.b + this.counter) >>> 0
    this.counter = (this.counter + 1) >>> 0
    this.a = (this.b ^ (this.b >>> 9)) >>> 0
    this.b = (this.c + (this.c << 3)) >>> 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) >>> 0
    return sum
  }

  seed() {
    return (this.next() & 0x1fffff) * 2 ** 32 + this.next()
  }

  // 0 … n - 1
  below(n) {
    return Math.floor(this.next() / 2 ** 32 * n)
  }

  // low … high, both included
  between(low, high) {
    return Math.floor(low) + this.below(Math.floor(high) - Math.floor(low) + 1)
  }

  chance(p) {
    return this.next() / 2 ** 32 < p
  }

  pick(list) {
    return list[this.below(list.length)]
  }

  // {name: weight} → a name
  weighted(weights) {
    let at = this.below(Object.values(weights).reduce((sum, weight) => sum + weight, 0))
    for (const [name, weight] of Object.entries(weights)) {
      if (at < weight) return name
      at -= weight
    }
    throw new Error('unreachable')
  }

  list(n, make) {
    return Array.from({ length: n }, make)
  }

  shuffled(list) {
    const order = [...list]
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j], order[i]]
    }
    return order
  }
}

// ---- text ------------------------------------------------------------------------------------------

const PIECES = [
  'é', 'e\u0301', 'ö', 'ß', '\u0000', '\ufeff', '\u200d', '\u2028', '\uffff', '\ufffd', '中文字', 'שלום', '\u007f', '\u0080', '\u07ff', '\u0800',
  '😀', '👨‍👩‍👧', '🇩🇪', '𝒳', '\u{10ffff}', '\u{10000}', '"', '\\', '\n', '\t', '\u0001', '\u001f',
]

export function makeWord(random, isUnicode, longest = 9) {
  let word = ''
  for (let left = random.between(1, longest); left > 0; left--) {
    word += isUnicode && random.chance(0.4) ? random.pick(PIECES) : String.fromCharCode(97 + random.below(26))
  }
  return word
}

// ---- values -----------------------------------------------------------------------------------------

const NUMBERS = [
  0, 1, -1, 63, 64, -64, 127, 128, 8191, 8192, 2147483647, -2147483647, 2147483648, -2147483648, 4294967295, 4294967296,
  Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 1e21, 1e300, 5e-324, 0.5, -0.1, 1 / 3, 16777216, 16777217, 3.4028234663852886e38,
]
const ODD_NUMBERS = ['-0', 'NaN', 'Infinity', '-Infinity']
const BIGINTS = ['0', '1', '-1', '9007199254740993', '9223372036854775807', '-9223372036854775808']
const KEYS = ['a', 'b', 'key', 'é', '', '7', '10', '__x', 'length']

// Members in the order in which JavaScript keeps them, so that JSON text has the same order.
function makeObject(random, isUnicode, depth) {
  const object = {}
  for (let left = random.below(4); left > 0; left--) {
    object[random.chance(0.7) ? random.pick(KEYS) : makeWord(random, isUnicode, 4)] = makePlainJson(random, isUnicode, depth - 1, true)
  }
  return object
}

// Any value without a shared type in it, in tagged JSON. Yjs takes undefined and bigint not
// everywhere: `isFree` says that it does here.
export function makePlainJson(random, isUnicode, depth = 2, isFree = false) {
  const kinds = { word: 4, number: 4, odd: 1, constant: 2, bytes: 1, ...(depth > 0 && { object: 2 }), ...(isFree && { undefined: 1, bigint: 1 }) }
  if (isFree && depth > 0) kinds.list = 1
  switch (random.weighted(kinds)) {
    case 'word': return random.chance(0.1) ? '' : makeWord(random, isUnicode)
    case 'number': return random.chance(0.4) ? random.pick(NUMBERS) : random.between(-70000, 70000) / random.pick([1, 1, 4, 7])
    case 'odd': return { $n: random.pick(ODD_NUMBERS) }
    case 'constant': return random.pick([null, true, false])
    case 'bytes': return { $bin: Buffer.from(random.list(random.below(6), () => random.below(256))).toString('base64') }
    case 'object': return makeObject(random, isUnicode, depth)
    case 'list': return random.list(random.below(4), () => makePlainJson(random, isUnicode, depth - 1, true))
    case 'undefined': return { $u: 1 }
    default: return { $big: random.pick(BIGINTS) }
  }
}

// What format v1 writes as JSON and v2 as any has to mean the same in both: no bytes, no -0.
const ATTRIBUTES = { bold: [true, null, false], italic: [true, null, '#888'], link: [{ href: 'x' }, { href: 'y', a: 1 }, null], 'é': [1, 2.5, null, 'z'] }

export function makeAttributes(random, isNarrow = false) {
  const attributes = {}
  if (isNarrow) return { [random.pick(['bold', 'italic'])]: random.pick([true, true, true, null]) }
  for (let left = random.between(1, 2); left > 0; left--) {
    const key = random.pick(Object.keys(ATTRIBUTES))
    attributes[key] = random.pick(ATTRIBUTES[key])
  }
  return attributes
}

export const makeEmbed = (random) => random.pick([{ image: 'https://x/y.png' }, { a: 1, b: [1, null, { c: 'd' }] }, {}, { 1: 2, z: 'é😀' }])

// ---- ids --------------------------------------------------------------------------------------------

const SMALL_IDS = [1, 2, 3, 5, 77, 127, 128, 300]
const WORD_IDS = [3000000000, 4294967295, 2147483648, 16384, 2097152, 4000000000, 4000000002]
const BIG_IDS = [4294967296, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 2 ** 45 + 3, 2 ** 35]

export function makeIds(random, n) {
  const pool = random.weighted({ small: 3, word: 3, big: 2, mixed: 4 })
  const ids = { small: SMALL_IDS, word: WORD_IDS, big: BIG_IDS, mixed: [...SMALL_IDS, ...WORD_IDS, ...BIG_IDS] }[pool]
  return random.shuffled(ids).slice(0, n)
}
