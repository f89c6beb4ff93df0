// Chapter 6: UTF-8. The sequences follow Markus Kuhn's stress test.
import { cont, fragments, OP, text, isUtf8, fail } from '../wire.mjs'
import { echoes, fails } from '../script.mjs'

const open = { fin: false }
const greek = 'Hello-µ@ßöäüàá-UTF-8!!'
const kosme = Buffer.from('cebae1bdb9cf83cebcceb5', 'hex')
const surrogate = Buffer.from('eda080', 'hex')
const tooLarge = Buffer.from('f4908080', 'hex')
const after = Buffer.from('656469746564', 'hex')
const all = (...parts) => Buffer.concat(parts.map((p) => Buffer.from(p)))
const hex = (s) => Buffer.from(s.replace(/ /g, ''), 'hex')

/* Sends `parts` one by one; the connection must be failed after the part number
 * `at`, before the next one is sent. */
const failsFast = (parts, at) => async (t) => {
  const c = await t.open()
  for (let i = 0; i <= at; i++) await c.send(parts[i])
  await c.expectFailure(1007)
}

/* A frame cut after `n` bytes of payload. */
const cutFrame = (payload, n) => {
  const f = text(payload)
  return [f.subarray(0, f.length - payload.length + n), f.subarray(f.length - payload.length + n)]
}

const handmade = [
  ['6.1.1', 'empty text', echoes(text(''), [['text', '']])],
  ['6.1.2', 'three empty fragments', echoes([text('', open), cont('', open), cont('')], [['text', '']])],
  ['6.1.3', 'empty fragments around one', echoes([text('', open), cont('middle', open), cont('')], [['text', 'middle']])],
  ['6.2.1', 'valid text', echoes(text(greek), [['text', greek]])],
  ['6.2.2', 'cut between characters', echoes([text('Hello-µ@ßöä', open), cont('üàá-UTF-8!!')], [['text', greek]])],
  ['6.2.3', 'one byte a fragment', echoes(fragments(OP.text, greek, 1), [['text', greek]])],
  ['6.2.4', 'Greek, one byte a fragment', echoes(fragments(OP.text, kosme, 1), [['text', kosme]])],
  ['6.3.1', 'a surrogate in the middle', fails(text(all(kosme, surrogate, after)), 1007)],
  ['6.3.2', 'the same, one byte a fragment', fails(fragments(OP.text, all(kosme, surrogate, after), 1), 1007)],
  ['6.4.1', 'fails at the second of three fragments',
    failsFast([text(kosme, open), cont(tooLarge, open), cont(after)], 1)],
  ['6.4.2', 'fails at the byte that makes it hopeless',
    failsFast([text(all(kosme, hex('f4')), open), cont(hex('90'), open), cont(hex('8080'), open), cont(after)], 1)],
  ['6.4.3', 'fails in the middle of a frame, after the bad character', failsFast(cutFrame(all(kosme, tooLarge, after), 15), 0)],
  ['6.4.4', 'fails in the middle of a frame, at its second byte', failsFast(cutFrame(all(kosme, tooLarge, after), 13), 0)],
  ['6.4.5', 'does not fail a byte too early', async (t) => {
    const c = await t.open()
    const [first, second] = cutFrame(all(kosme, hex('f4 8f bf bf'), after), 12)
    await c.send(first)
    await c.send(second)
    await c.expect('text', all(kosme, hex('f4 8f bf bf'), after))
    await c.finish()
  }],
  ['6.4.6', 'fails in the middle of a large frame', failsFast(cutFrame(all(Buffer.alloc(200000, 'a'), hex('ff'), Buffer.alloc(1000, 'a')), 200001), 0)],
]

/* [chapter, [sequences]]: whether each is valid is decided by a strict decoder,
 * and every chapter says how many of its sequences must be. */
const sequences = [
  ['6.5', 6, ['ce', 'ceba', 'cebae1', 'cebae1bdb9cf83cebcceb5', '48656c6c6f', 'c3a9', 'e282ac', 'f09f9880', 'cebae1bd']],
  ['6.6', 7, ['cebae1bdb9cf', 'cebae1bdb9cf83', 'cebae1bdb9cf83ce', 'cebae1bdb9cf83cebc', 'cebae1bdb9cf83cebcce', 'cebae1bdb9cf83cebcceb5', 'cebae1bdb9', 'ceba', 'c3bfc3', '7e', '7f']],
  ['6.7', 4, ['00', 'c280', 'e0a080', 'f0908080']],
  ['6.8', 0, ['f888808080', 'fc8480808080']],
  ['6.9', 4, ['7f', 'dfbf', 'efbfbf', 'f48fbfbf']],
  ['6.10', 0, ['f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf']],
  ['6.11', 5, ['ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf', 'f0908080', 'f4908080']],
  ['6.12', 0, ['80', 'bf', '80bf', '80bf80', '80bf80bf', '80bf80bf80', '80bf80bf80bf', '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf']],
  ['6.13', 0, ['c020c120c220c320c420c520c620c720c820c920ca20cb20cc20cd20ce20cf20', 'e020e120e220e320e420e520e620e720e820e920ea20eb20ec20ed20ee20ef20', 'f020f120f220f320f420f520f620f720', 'f820f920fa20fb20', 'fc20fd20']],
  ['6.14', 0, ['c0', 'e080', 'f08080', 'f8808080', 'fc80808080', 'df', 'efbf', 'f7bfbf', 'fbbfbfbf', 'fdbfbfbfbf']],
  ['6.15', 0, ['c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf']],
  ['6.16', 0, ['fe', 'ff', 'fefeffff']],
  ['6.17', 0, ['c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af']],
  ['6.18', 0, ['c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf']],
  ['6.19', 0, ['c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080']],
  ['6.20', 0, ['eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf']],
  ['6.21', 0, ['eda080edb080', 'eda080edbfbf', 'edadbfedb080', 'edadbfedbfbf', 'edae80edb080', 'edae80edbfbf', 'edafbfedb080', 'edafbfedbfbf']],
  ['6.22', 34, [...Array.from({ length: 17 }, (_, p) => [0xfffe, 0xffff].map((low) => Buffer.from(String.fromCodePoint(p * 0x10000 + low)).toString('hex'))).flat()]],
  ['6.23', 7, ['efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd', 'efbbbf', 'e2808b']],
]

/* Alone, and inside a longer text that goes through the vector paths. */
const verdict = (bytes) => async (t) => {
  const long = all('x'.repeat(70), '€'.repeat(30), bytes, ' ', 'é'.repeat(60))
  for (const b of [bytes, long]) {
    if (isUtf8(b)) await echoes(text(b), [['text', b]])(t)
    else await fails(text(b), 1007)(t)
    if (isUtf8(b)) await echoes(fragments(OP.text, b, 3), [['text', b]])(t)
    else await fails(fragments(OP.text, b, 3), 1007)(t)
  }
}

const table = sequences.flatMap(([chapter, valid, list]) => {
  const found = list.filter((s) => isUtf8(hex(s))).length
  if (found !== valid) fail(`chapter ${chapter} of the table has ${found} valid sequences, not ${valid}`)
  return list.map((s, i) => [`${chapter}.${i + 1}`, `${s} is ${isUtf8(hex(s)) ? 'valid' : 'refused'}`, verdict(hex(s))])
})

export default [...handmade, ...table].map(([id, name, run]) => ({ id, name, run }))
