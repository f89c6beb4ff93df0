// Holds the library against Yjs on updates that nobody has written: valid ones, changed in bits,
// bytes and fields, alone and merged with others.
//
//   node fuzz.mjs              runs for FUZZ_SECONDS (3600); FUZZ_SEED repeats a run
//   node fuzz.mjs FILE…        replays findings
//
// Asked of the library: it never dies or hangs, a refusal leaves the document as it was, and the
// document can be encoded and goes on taking updates. Asked of both: where both accept, the same
// answers; and the same opinion about what is acceptable. What they may differ in is listed in
// KNOWN, with a reason each. Anything else is a finding: a file in build/fuzz/findings.
//
// Yjs runs in a process of its own too, since some updates never let it go.
import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeScript, encodeScript } from './compare.mjs'
import { describeBoth, describeRequest, hex } from './describe.mjs'
import { FAMILIES } from './families.mjs'
import { hasCollected, hasTwins, mutate, oddInV2, quietly, readFields } from './fields.mjs'
import { makePlan, perform } from './histories.mjs'
import { Oracle, OracleFailure, ROOT, decodeList, encodeList, encodeNew, encodeRead } from './oracle.mjs'
import { Random } from './random.mjs'
import { isSameJson } from './tagged.mjs'

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 3600)
const SEED = Number(process.env.FUZZ_SEED ?? randomBytes(6).readUIntBE(0, 6))
const FINDINGS = path.join(ROOT, 'build/fuzz/findings')
const FILES_OF_A_KIND = 3 // of findings that look alike
const AT_ONCE = 24
const YJS = [process.execPath, '--max-old-space-size=1024', fileURLToPath(new URL('oracle_yjs.mjs', import.meta.url))]

// ---- what may differ -----------------------------------------------------------------------------------

// `odd`: what fields.mjs has noticed about one of the updates ('malformed': it cannot be read).
// `differs`: which kinds of difference it explains: `answer` (both accept), `refused` (only Yjs
// accepts), `accepted` (only the library does). `commands`, `words`: where, and with which words the
// library refuses (`theirs`: with which Yjs answers or refuses); any without. docs/ydoc.md has the same table.
const LAZY = 'MDVCmdvc'
const OF_V2 = '2mdvc'
const KNOWN = [
  { differs: ['refused'], commands: OF_V2, words: /column ends too early|runs past the end|unexpected end|more \w+ than bytes/, reason: 'Yjs reads nothing where a column has ended, and what there is where bytes are missing' },
  { differs: ['refused'], commands: OF_V2, words: /number above|clock or length above|depends on itself/, reason: 'as in v1: numbers that are too large, items that depend on themselves' },
  { differs: ['refused'], commands: 'mdvc', reason: 'the library checks all of an update, Yjs what it walks through' },
  { odd: 'malformed', differs: ['refused'], commands: LAZY, reason: 'the library checks all of an update, Yjs what it walks through' },
  { odd: 'malformed', differs: ['refused'], words: /runs past the end|unexpected end/, reason: 'Yjs takes what there is of a string or bytes that end early' },
  { odd: 'a struct of length 0', differs: ['answer', 'accepted', 'refused'], reason: 'Yjs keeps a document that it can no longer encode; the library drops the struct' },
  { odd: 'a clock from 2^32 on', differs: ['answer', 'refused', 'accepted'], reason: 'clocks stay below 2^32; Yjs goes on inexactly' },
  { odd: 'a number above 2^53-1', differs: ['answer', 'refused'], reason: 'Yjs goes on with an inexact number' },
  { odd: 'an item that depends on its own future', differs: ['answer', 'refused'], reason: 'Yjs throws half way, or later' },
  { odd: 'a value that Yjs writes in another way', differs: ['answer'], reason: 'values whose writer was not JavaScript are kept as they came' },
  { odd: 'a value that Yjs writes in another way', differs: ['refused'], words: /number above/, reason: 'Yjs goes on with an inexact number' },
  { odd: 'clients that wait for each other', differs: ['answer'], reason: 'Yjs loses a struct, the library lets both wait' },
  { odd: 'two sections of one client', differs: ['answer', 'accepted'], reason: 'in Yjs the second replaces the first; the library reads both' },
  { odd: 'a deletion of length 0', differs: ['answer', 'accepted'], reason: 'Yjs throws when it has to wait and writes it again otherwise; the library drops it' },
  { odd: 'deletions out of order', differs: ['answer', 'accepted'], reason: 'Yjs writes what has to wait as differences that may not be negative, and then something else waits' },
  { odd: 'a number that is longer than it needs to be', differs: ['refused'], words: /number above/, reason: 'numbers of more than eight bytes are not read' },
  { odd: 'an id that was given twice', differs: ['answer'], reason: 'of two structs with one id Yjs takes one or the other by the order of its sorting' },
  { odd: 'an id that was given twice', differs: ['accepted'], commands: 'EF', theirs: /^Unexpected case$/, reason: 'Yjs keeps a document that it can no longer encode' },
  { odd: 'a GC and an item at one id', differs: ['answer'], commands: 'MmEF', reason: 'merged without a document, the GC wins; in Yjs the order of its sorting decides' },
  { odd: 'an unusual NaN', differs: ['answer'], reason: 'its bits are kept; in JavaScript that is up to the engine' },
  { odd: 'two sections of deletions of one client', differs: ['answer', 'accepted'], reason: 'as with deletions out of order: the second section follows the first' },
  { differs: ['answer'], commands: 'J', theirs: /\\ud[89a-f][0-9a-f]{2}/, reason: 'text where a list is read: Yjs gives halves of characters' },
  { differs: ['accepted'], theirs: /^Cannot read properties of|is not a function$|^Cannot destructure/, reason: 'Yjs stumbles half way over ids that were given twice or origins that do not fit; the library goes on' },
  { differs: ['accepted'], theirs: /^Do not know how to serialize a BigInt$/, reason: 'an embed or format came in v2 with a bigint; the library writes its digits' },
  { odd: 'a deep value', differs: ['answer', 'refused'], reason: 'nesting is bounded' },
  { odd: 'a GC or Skip with flags', differs: ['answer', 'refused', 'accepted'], reason: 'Yjs reads them in two ways; nothing writes them' },
]

// What is odd about the updates of some requests; none of them is looked at for what is wrong with another.
// Updates v2 are looked at as either side converts them: Yjs joins sections, the library drops empty ones.
async function oddities({ theirs, ours }, requests) {
  const readings = await Promise.all([theirs, ours].map((oracle) => readV1(oracle, requests)))
  const odd = new Set(readings.flat().flatMap((update) => [...(quietly(() => readFields(update))?.odd ?? ['malformed'])]))
  for (const each of updatesOf(requests, 2).flatMap((update) => [...oddInV2(update)])) odd.add(each)
  if (readings.some(hasTwins)) odd.add('an id that was given twice')
  if (readings.some(hasCollected)) odd.add('a GC and an item at one id')
  return odd
}

function explain({ kind, command, words, theirWords }, odd) {
  const fits = (list, value) => list === undefined || list.includes(value)
  return KNOWN.find((known) => {
    return fits(known.odd && [...odd], known.odd) && known.differs.includes(kind) && fits(known.commands, command) &&
      (known.words ?? /^/).test(words) && (known.theirs ?? /^/).test(theirWords)
  })
}

// ---- cases ---------------------------------------------------------------------------------------------

const ROOTS = FAMILIES.mixed.roots
const READS = Object.entries(ROOTS).map(([name, kind]) => ['J', encodeRead(kind, name)])

// Updates of short histories, v1 and v2, afresh from time to time.
class Pool {
  constructor(random) {
    this.random = random
    this.fill()
  }

  fill() {
    this.left = 2000
    this.histories = this.random.list(24, () => {
      const family = this.random.pick(Object.keys(FAMILIES))
      const script = perform(makePlan(this.random.pick(['apply v1', 'apply v2']), family, this.random.seed(), this.random.pick([6, 10, 20])))
      const of = (commands) => script.filter(({ command, payload }) => commands.includes(command) && payload !== undefined)
      return {
        v1: [...of('1').map(({ payload }) => payload), ...of('E').slice(-1).map(({ answer }) => answer)].map((each) => new Uint8Array(each)),
        v2: [...of('2').map(({ payload }) => payload), ...of('F').slice(-1).map(({ answer }) => answer)].map((each) => new Uint8Array(each)),
      }
    })
  }

  // The updates of one history, of a version that it has.
  take(version) {
    if (--this.left < 0) this.fill()
    for (;;) {
      const updates = this.random.pick(this.histories)[version]
      if (updates.length > 0) return updates
    }
  }
}

// A case: requests, and which of them has the changed update, so that it may be refused. The state before and after it is asked for, so that a trace of a refusal is seen.
function makeApplyCase(pool, random, version) {
  const updates = pool.take(version)
  const apply = version === 'v1' ? '1' : '2'
  const base = random.shuffled(updates).slice(0, random.below(4))
  const wrong = mutate(random.pick(updates), random.pick(pool.take(version)), random, version === 'v1')
  const more = random.list(random.below(3), () => random.pick(updates))
  const requests = [
    ['N', encodeNew(random.chance(0.7), ROOTS, random.chance(0.7))], ...base.map((update) => [apply, update]),
    ['U'], ['E'], [apply, wrong], ['E'], ['U'], ['S'], ['P'], ...more.flatMap((update) => [[apply, update], ['E']]), ...READS, ['E'],
  ]
  return { requests, wrong: requests[base.length + 3] }
}

function makeBytesCase(pool, random, version) {
  const updates = pool.take(version)
  const wrong = random.chance(0.15) ? random.pick(updates) : mutate(random.pick(updates), random.pick(pool.take(version)), random, version === 'v1')
  const some = random.shuffled([wrong, ...random.shuffled(updates).slice(0, random.below(4))])
  const [merge, diff, vector, convert] = version === 'v1' ? 'MDVC' : 'mdvc'
  const sv = Buffer.from(random.pick(['00', '010103', '01b9f4c0960b05', '0201050305']), 'hex')
  const request = random.pick([[merge, encodeList(some)], [merge, encodeList(some)], [diff, encodeList([wrong, sv])], [vector, wrong], [convert, wrong]])
  return { requests: [request], wrong: request, isChanged: !updates.includes(wrong) }
}

const makeCase = (pool, random, versions) => {
  const version = random.pick(versions)
  return random.chance(0.6) ? makeApplyCase(pool, random, version) : makeBytesCase(pool, random, version)
}

// ---- verdicts --------------------------------------------------------------------------------------------

// What stands between two answers: undefined, or words.
function difference(command, theirs, ours) {
  if (command === 'J') return isSameJson(quietly(() => JSON.parse(theirs.body)), quietly(() => JSON.parse(ours.body))) ? undefined : 'answer'
  return theirs.body.equals(ours.body) ? undefined : 'answer'
}

// The updates that requests are about.
function updatesOf(requests, version) {
  const [alone, first] = [(payload) => [payload], (payload) => decodeList(payload).slice(0, 1)]
  const of = version === 1 ? { 1: alone, V: alone, C: alone, M: decodeList, D: first } : { 2: alone, v: alone, c: alone, m: decodeList, d: first }
  return requests.flatMap(([command, payload]) => of[command]?.(Buffer.from(payload)) ?? []).map((update) => new Uint8Array(update))
}

// The same, all of them in v1, those in v2 as one side converts them.
async function readV1(oracle, requests) {
  const converted = await Promise.allSettled(updatesOf(requests, 2).map((update) => oracle.call('c', Buffer.from(update))))
  const done = converted.filter(({ status, value }) => status === 'fulfilled' && value.ok).map(({ value }) => new Uint8Array(value.body))
  return [...updatesOf(requests, 1), ...done]
}

// The library alone: a refusal leaves no trace, and it still answers.
function checkAlone({ requests, wrong }, ours) {
  const at = requests.indexOf(wrong)
  const wrongState = (index) => requests[index][0] === 'E' && !ours[index].ok
  const bad = requests.findIndex((_, index) => wrongState(index))
  if (bad !== -1) return { kind: 'unusable', index: bad }
  if (ours[at].ok || requests[at - 1]?.[0] !== 'E' || requests[at + 1]?.[0] !== 'E') return undefined
  return ours[at - 1].body.equals(ours[at + 1].body) ? undefined : { kind: 'trace', index: at + 1 }
}

// The first difference from Yjs, as far as both went the same way.
function checkTogether({ requests }, theirs, ours) {
  for (let index = 0; index < requests.length; index++) {
    const [a, b] = [theirs[index], ours[index]]
    if (a.ok !== b.ok) return { kind: a.ok ? 'refused' : 'accepted', index }
    if (!a.ok) return undefined // what Yjs holds now is half an update
    const kind = difference(requests[index][0], a, b)
    if (kind !== undefined) return { kind, index }
  }
  return undefined
}

const ask = (oracle, { requests }) => Promise.all(requests.map(([command, payload = []]) => oracle.call(command, Buffer.from(payload))))

class Fuzzer {
  constructor(versions) {
    this.ours = new Oracle(undefined, { timeoutMs: 20_000 })
    this.theirs = new Oracle(YJS, { timeoutMs: 5_000 })
    this.versions = versions
    this.counts = { cases: 0, 'both accept': 0, 'both refuse': 0, 'Yjs hangs or dies': 0 }
    this.kinds = new Map()
  }

  count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  async judge(one) {
    const [theirs, ours] = await Promise.allSettled([ask(this.theirs, one), ask(this.ours, one)])
    return { one, theirs, ours }
  }

  // Several cases are on their way at once. When a process ends, all of them are asked again one by one.
  async run(cases) {
    const verdicts = await Promise.all(cases.map((one) => this.judge(one)))
    const isBroken = verdicts.some(({ theirs, ours }) => theirs.status === 'rejected' || ours.status === 'rejected')
    for (const verdict of verdicts) await this.conclude(isBroken ? await this.judge(verdict.one) : verdict)
  }

  // What there is to say about a case: {what} to count, or {alike, …} of a finding.
  async weigh({ one, theirs, ours }) {
    if (ours.status === 'rejected') {
      if (!(ours.reason instanceof OracleFailure)) throw ours.reason
      const kind = ours.reason.isHang ? 'hang' : 'crash'
      return { alike: `${kind} ${ours.reason.request.command}`, kind, words: ours.reason.message }
    }
    const alone = checkAlone(one, ours.value)
    if (alone) return { ...alone, alike: `${alone.kind} ${one.requests[alone.index][0]}` }
    if (theirs.status === 'rejected') return { what: 'Yjs hangs or dies' }
    const found = checkTogether(one, theirs.value, ours.value)
    if (found === undefined) return { what: ours.value[one.requests.indexOf(one.wrong)].ok ? 'both accept' : 'both refuse' }
    const [command] = one.requests[found.index]
    const [words, theirWords] = [ours, theirs].map(({ value }) => (value[found.index].ok ? '' : value[found.index].body.toString()))
    if (found.kind === 'refused' && /unsupported|unknown command/.test(words)) return { what: `not known to the command under test: ${command}` }
    const isValid = one.isChanged === false && found.kind === 'refused'
    const known = !isValid && explain({ ...found, command, words, theirWords: theirs.value[found.index].body.toString() }, await oddities(this, one.requests))
    if (known) return { what: `known: ${known.reason} (${found.kind})` }
    return { ...found, alike: `${found.kind} ${command}, Yjs: ${theirWords.slice(0, 80) || 'ok'}, ydoc: ${words.replace(/\d+/g, 'N').slice(0, 80) || 'ok'}` }
  }

  async conclude(verdict) {
    this.count('cases')
    const { what, alike, words } = await this.weigh(verdict)
    if (alike === undefined) return this.count(what)
    const n = (this.kinds.get(alike) ?? 0) + 1
    this.kinds.set(alike, n)
    if (n <= FILES_OF_A_KIND) this.keep(await this.smaller(verdict.one, alike), alike, words)
  }

  // Without the requests that do not matter.
  async smaller(one, alike) {
    for (let at = one.requests.length - 1; at >= 0; at--) {
      if (one.requests[at] === one.wrong || one.requests[at][0] === 'N') continue
      const fewer = { ...one, requests: one.requests.filter((_, i) => i !== at) }
      if ((await this.weigh(await this.judge(fewer))).alike === alike) one = fewer
    }
    return one
  }

  keep({ requests, wrong }, alike, words) {
    const lines = JSON.stringify(encodeScript(requests.map(([command, payload = []]) => ({ command, payload: Buffer.from(payload), answer: Buffer.alloc(0) }))).map(([command, payload]) => [command, payload]))
    const name = `ydoc-${alike.split(/[ ,]/)[0]}-${createHash('sha256').update(lines).digest('hex').slice(0, 12)}.json`
    fs.mkdirSync(FINDINGS, { recursive: true })
    fs.writeFileSync(path.join(FINDINGS, name), `${lines}\n`)
    console.log(`FINDING ${alike}\n  again: node tests/ydoc/fuzz.mjs build/fuzz/findings/${name}`)
    console.log(`  ${wrong[0]} ${hex(wrong[1] ?? []).slice(0, 600)}${words ? `\n  ${words.slice(0, 2000)}` : ''}`)
  }

  report() {
    for (const [what, n] of Object.entries(this.counts)) console.log(`${String(n).padStart(9)}  ${what}`)
    for (const [alike, n] of this.kinds) console.log(`${String(n).padStart(9)}  ${alike}`)
  }

  async close() {
    await this.ours.close()
    await this.theirs.close().catch(() => {})
  }
}

// Which formats the command under test knows.
async function supported(oracle) {
  const empty = Buffer.from('00000000000001000000000000', 'hex')
  const { ok } = await oracle.call('m', encodeList([empty, empty]))
  if (!ok) console.log('the command under test does not know format v2: only v1 is tried')
  return ok ? ['v1', 'v1', 'v2'] : ['v1']
}

async function fuzz() {
  const random = new Random(SEED)
  const pool = new Pool(random)
  const probe = new Oracle()
  const fuzzer = new Fuzzer(await supported(probe))
  await probe.close()
  console.log(`FUZZ_SEED=${SEED}, ${SECONDS} seconds`)
  const end = Date.now() + SECONDS * 1000
  while (Date.now() < end) await fuzzer.run(random.list(AT_ONCE, () => makeCase(pool, random, fuzzer.versions)))
  fuzzer.report()
  await fuzzer.close()
  process.exitCode = fuzzer.kinds.size > 0 ? 1 : 0
}

// ---- replaying ---------------------------------------------------------------------------------------------

const say = (reply) => (reply.ok ? 'accepted' : `refused: ${reply.body}`)

async function replay(file) {
  const script = decodeScript(JSON.parse(fs.readFileSync(file, 'utf8')))
  const ours = new Oracle()
  const theirs = new Oracle(YJS, { timeoutMs: 5_000 })
  console.log(file)
  for (const request of script) {
    const [a, b] = await Promise.allSettled([theirs.call(request.command, request.payload), ours.call(request.command, request.payload)])
    console.log(describeRequest(request))
    if (a.status === 'rejected' || b.status === 'rejected') {
      for (const each of [a, b]) if (each.status === 'rejected') console.log(`  ${each.reason.message}`)
      process.exitCode = 1
      break
    }
    const isSame = a.value.ok === b.value.ok && (!a.value.ok || difference(request.command, a.value, b.value) === undefined)
    if (isSame) console.log(a.value.ok ? `  = ${hex(a.value.body)}` : `  both refuse: Yjs ${a.value.body}; ydoc ${b.value.body}`)
    else if (a.value.ok && b.value.ok) console.log(describeBoth(request.command, a.value.body, b.value.body))
    else console.log(`  Yjs:  ${say(a.value)}\n  ydoc: ${say(b.value)}`)
    if (!isSame) process.exitCode = 1
  }
  const odd = await oddities({ theirs, ours }, script.map(({ command, payload }) => [command, payload]))
  if (odd.size > 0) console.log(`odd: ${[...odd].join(', ')}`)
  await Promise.allSettled([ours.close(), theirs.close()])
}

const files = process.argv.slice(2)
if (files.length === 0) await fuzz()
for (const file of files) await replay(file)
