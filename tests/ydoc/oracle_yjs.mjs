// An oracle made of Yjs: `node oracle_yjs.mjs [WRONG]`. It shows that the tests pass against Yjs
// itself, and with one of the WRONG ways below, that they fail when something is wrong.
import { Reference } from './reference.mjs'

const flip = (answer, at) => {
  const wrong = Buffer.from(answer)
  if (wrong.length > 0) wrong[at(wrong.length)] ^= 1
  return wrong
}
let applied = 0

// Each is asked with the command and a function that gives the right answer.
const WRONG = {
  'flips a byte of the state': (command, right) => (command === 'E' ? flip(right(), (n) => n - 1) : right()),
  'flips a byte of the v2 state': (command, right) => (command === 'F' ? flip(right(), (n) => n >> 1) : right()),
  'flips a byte of a merge': (command, right) => (command === 'M' || command === 'm' ? flip(right(), () => 0) : right()),
  'flips a byte of a snapshot': (command, right) => (command === 'X' || command === 'Y' ? flip(right(), (n) => n - 1) : right()),
  'forgets an update': (command, right) => ((command === '1' || command === '2') && ++applied % 7 === 0 ? Buffer.alloc(0) : right()),
  'emits nothing': (command, right) => (command === 'U' ? (right(), Buffer.alloc(4)) : right()),
  'misplaces a position': (command, right) => (command === 'Q' ? flip(right(), () => 0) : right()),
  'ignores local edits': (command, right) => (command === 'T' ? Buffer.alloc(0) : right()),
  'never undoes': (command, right) => (command === 'K' ? Buffer.alloc(1) : right()),
  'reads an empty root': (command, right) => (command === 'J' ? (right(), Buffer.from('[]')) : right()),
  'refuses what it does not know': (command, right) => {
    if (!'N1SEU'.includes(command)) throw new Error('unsupported')
    return right()
  },
  'dies': (command, right) => (command === '1' && ++applied === 5 ? process.exit(3) : right()),
  'hangs': (command, right) => {
    while (command === '1' && applied++ >= 5);
    return right()
  },
}

export const WAYS = Object.keys(WRONG)

function serve(wrong) {
  const reference = new Reference()
  let input = Buffer.alloc(0)
  const answer = (command, payload) => {
    let status = 0
    let body
    try {
      const right = () => reference.handle(command, payload)
      body = wrong === undefined ? right() : wrong(command, right)
    } catch (error) {
      status = 1
      body = Buffer.from(String(error.message))
    }
    const head = Buffer.alloc(5)
    head.writeUInt32LE(body.length + 1, 0)
    head[4] = status
    process.stdout.write(Buffer.concat([head, body]))
  }
  console.warn = console.error = console.log = () => {} // Yjs talks; standard output is ours
  process.stdin.on('data', (data) => {
    input = Buffer.concat([input, data])
    while (input.length >= 5 && input.length >= 4 + input.readUInt32LE(0)) {
      const end = 4 + input.readUInt32LE(0)
      answer(String.fromCharCode(input[4]), input.subarray(5, end))
      input = input.subarray(end)
    }
  })
  process.stdin.on('end', () => process.exit(0))
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const way = process.argv.slice(2).join(' ')
  if (way !== '' && !Object.hasOwn(WRONG, way)) throw new Error(`no way to be wrong is called ${way}`)
  serve(WRONG[way])
}
