// The command `ydoc`, with updates that yjs 13.6.33 made: one person writes "hello", sets a key,
// deletes two letters and makes the rest bold.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const YDOC = process.env.YDOC_BIN || path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../build/ydoc')

const HELLO = '01010100040101740568656c6c6f00'
const KEY = '010101052801016d016b0175057d017d40760201617e01627f7705781b5b324a7c3fc0000000'
const DELETED = '000101010102'
const BOLD = '0102010646010004626f6c640474727565c60103010404626f6c64046e756c6c00'
const ALL = [HELLO, KEY, DELETED, BOLD]
const STATE =
  '0107010004010174016881010002840102016c840103016f2801016d016b0175057d017d40760201617e01627f7705781b5b324a7c3fc0000046010004626f6c640474727565c60103010404626f6c64046e756c6c0101010102'
const MERGED =
  '01040100040101740568656c6c6f2801016d016b0175057d017d40760201617e01627f7705781b5b324a7c3fc0000046010004626f6c640474727565c60103010404626f6c64046e756c6c0101010102'
const STATE_V2 =
  '0002000202410504000402000200080b04008100840128004600c6130e74686c6f6d6b626f6c64626f6c644104440001010002020101070075057d017d40760201617e01627f7705781b5b324a7c3fc00000787e0101010101'
const ALL_V2 = [
  '000001010000010409067468656c6c6f01050101000001010000',
  '000001010000012805026d6b4100010100010101010575057d017d40760201617e01627f7705781b5b324a7c3fc0000000',
  '0000000000000100000000000101010101',
  '000200020241020106020008034600c60b08626f6c64626f6c644400000000010206787e00',
]
const MERGED_V2 =
  '00020002024102010602000807040028004600c617107468656c6c6f6d6b626f6c64626f6c64010541004400010100010101040075057d017d40760201617e01627f7705781b5b324a7c3fc00000787e0101010101'
const SV = '010108'
const SINCE_HELLO =
  '010301052801016d016b0175057d017d40760201617e01627f7705781b5b324a7c3fc0000046010004626f6c640474727565c60103010404626f6c64046e756c6c0101010102'

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ydoc-cli-'))
after(() => fs.rmSync(scratch, { recursive: true, force: true }))

let files = 0
// A file with the bytes of a hexadecimal string.
function file(hex) {
  const name = path.join(scratch, `f${files++}`)
  fs.writeFileSync(name, Buffer.from(hex, 'hex'))
  return name
}

function ydoc(args, input) {
  const done = spawnSync(YDOC, args, { input, cwd: scratch })
  assert.equal(done.error, undefined)
  assert.equal(done.signal, null)
  return { status: done.status, hex: done.stdout.toString('hex'), text: done.stdout.toString(), err: done.stderr.toString() }
}

function good(...args) {
  const done = ydoc(args)
  assert.equal(done.err, '')
  assert.equal(done.status, 0)
  return done
}

test('apply gives the state that yjs encodes', () => {
  assert.equal(good('apply', ...ALL.map(file)).hex, STATE)
})

test('apply keeps what waits for something missing', () => {
  assert.match(good('stat', file(good('apply', file(BOLD)).hex)).text, /pending +structs: yes/)
})

test('merge and diff give what yjs gives', () => {
  const merged = file(good('merge', ...ALL.map(file)).hex)
  assert.equal(fs.readFileSync(merged).toString('hex'), MERGED)
  assert.equal(good('diff', merged, file(HELLO)).hex, SINCE_HELLO)
  assert.equal(good('sv', merged).hex, SV)
  assert.equal(good('diff', merged, '--sv', file(good('sv', file(HELLO)).hex)).hex, SINCE_HELLO)
})

test('v2 is told from v1, and gives what yjs gives', () => {
  assert.equal(good('apply', ...ALL_V2.map(file)).hex, STATE_V2)
  assert.equal(good('merge', ...ALL_V2.map(file)).hex, MERGED_V2)
  assert.equal(good('sv', file(MERGED_V2)).hex, SV)
  assert.equal(good('convert', '--to', 'v2', file(MERGED)).hex, MERGED_V2)
  assert.equal(good('convert', '--to', 'v1', file(MERGED_V2)).hex, MERGED)
  assert.equal(good('convert', '--to', 'v2', file(MERGED_V2)).hex, MERGED_V2)
  assert.equal(good('diff', '--to', 'v1', file(MERGED_V2), file(ALL_V2[0])).hex, SINCE_HELLO)
})

test('inputs of both formats may be mixed', () => {
  const mixed = ALL.map((hex, i) => file(i % 2 === 0 ? hex : ALL_V2[i]))
  assert.equal(good('merge', ...mixed).hex, MERGED)
  assert.equal(good('merge', '--to', 'v2', ...mixed).hex, MERGED_V2)
  assert.equal(good('apply', ...mixed).hex, STATE)
  assert.equal(good('apply', '--to', 'v2', ...mixed).hex, STATE_V2)
})

test('an input that is said to be of the other format is read as that', () => {
  const done = ydoc(['convert', '--v1', '--to', 'v2', file(STATE_V2)])
  assert.ok(done.status === 1 || done.hex !== STATE_V2)
  assert.equal(ydoc(['dump', '--v2', file(HELLO)]).status, 1)
})

test('text and json read a document', () => {
  assert.equal(good('text', '--root', 't', file(STATE)).text, 'hlo')
  assert.equal(good('text', file(HELLO)).text, 'hello')
  assert.deepEqual(JSON.parse(good('json', ...ALL.map(file)).text), {
    t: [{ insert: 'hl', attributes: { bold: true } }, { insert: 'o' }],
    m: { k: [1, 0, { a: null, b: null }, 'x\u001b[2J', 1.5] },
  })
  assert.deepEqual(JSON.parse(good('json', '--root', 'm', '--kind', 'map', file(STATE)).text).k[0], 1)
})

test('a root that cannot be guessed or is not there is asked for by name', () => {
  for (const [args, words] of [
    [['text', file(STATE)], /which root\? Say --root NAME; there are: t, m/],
    [['text', '--root', 'x', file(STATE)], /no root is called "x"; there are: t, m/],
    [['text', file('0000')], /the document is empty/],
  ]) {
    const done = ydoc(args)
    assert.match(done.err, words)
    assert.equal(done.status, 1)
  }
})

// The lines after the first, without the byte in front: the same in both formats.
const shown = ({ text }) => text.split('\n').slice(1, -1).map((line) => line.slice(10))

test('dump shows every struct, and nothing that a terminal would obey', () => {
  const name = file(MERGED)
  assert.equal(
    good('dump', name).text,
    `${name}: v1, ${MERGED.length / 2} bytes
       4  1:0+5 string in root "t" "hello"
      14  1:5+1 any in root "m" key "k" [1, -0, {"a": null, "b": undefined}, "x\\u001b[2J", 1.5]
      47  1:6+1 format before 1:0 "bold" = "true"
      60  1:7+1 format after 1:3 before 1:4 "bold" = "null"
      76  delete 1:1+2
      80  end
`,
  )
  const v2 = shown(good('dump', file(MERGED_V2)))
  assert.deepEqual(v2, shown(good('dump', name)).map((line) => line.replace(/= "(true|null)"/, '= $1')))
})

test('dump shows a broken update up to its fault, for every truncation', () => {
  for (const [option, hex] of [['--v1', MERGED], ['--v2', MERGED_V2]]) {
    const whole = shown(good('dump', file(hex)))
    for (let n = 0; n < hex.length / 2; n++) {
      const done = ydoc(['dump', option, '-'], Buffer.from(hex, 'hex').subarray(0, n))
      assert.equal(done.status, 1, `${option} cut after ${n} bytes`)
      assert.match(done.err, /^ydoc: standard input: byte \d+: /)
      assert.deepEqual(shown(done), whole.slice(0, shown(done).length))
      assert.ok(Number(/byte (\d+)/.exec(done.err)[1]) <= n)
    }
  }
})

test('stat counts', () => {
  const { text } = good('stat', file(STATE))
  for (const line of [/v1, \d+ bytes/, /clients +1$/m, /structs +7, 8 units/, /string +3, 3 units/, /deleted +1, 2 units/, /deleted +2 units in 1 ranges, 25\.0 %/, /pending +structs: none, deletions: none/, /"m": looks like map/])
    assert.match(text, line)
})

test('an input may come from standard input, and be the output', () => {
  const name = file(HELLO)
  const done = ydoc(['merge', '-o', name, name, '-'], Buffer.from(KEY, 'hex'))
  assert.equal(done.status, 0)
  assert.equal(good('json', name).text.trim().slice(0, 12), '{"t":"hello"')
})

test('a refused input is named with the byte, and nothing is written', () => {
  const output = path.join(scratch, 'never')
  const broken = file(HELLO.slice(0, -4))
  for (const command of ['apply', 'merge']) {
    const done = ydoc([command, '-o', output, file(KEY), broken])
    assert.equal(done.status, 1)
    assert.ok(done.err.startsWith(`ydoc: ${broken}: byte `), done.err)
    assert.ok(!fs.existsSync(output))
  }
})

test('command lines that make no sense end with 2, files that cannot be had with 3', () => {
  for (const args of [[], ['nonsense'], ['apply'], ['apply', '--root', 'x', file(HELLO)], ['json', '--kind', 'map', file(HELLO)], ['convert', file(HELLO)], ['convert', '--to', 'v3', file(HELLO)], ['diff', file(HELLO)], ['merge', '-o'], ['help', 'nonsense']]) {
    const done = ydoc(args)
    assert.equal(done.status, 2, args.join(' '))
    assert.notEqual(done.err, '')
    assert.equal(done.text, '')
  }
  assert.equal(ydoc(['text', path.join(scratch, 'not-there')]).status, 3)
  assert.equal(ydoc(['merge', '-o', path.join(scratch, 'no/folder'), file(HELLO)]).status, 3)
})

test('help says something about every command', () => {
  const overview = good('help').text
  const names = [...overview.matchAll(/^ {2}ydoc (\w+)/gm)].map((m) => m[1])
  assert.ok(names.length >= 10)
  for (const name of names.filter((n) => !['oracle', 'help', 'version'].includes(n)))
    assert.match(good('help', name).text, new RegExp(`^usage: ydoc ${name} `))
  assert.match(good('version').text, /^ydoc \d+\.\d+\.\d+\n$/)
})
