// Holds a script against an oracle, makes a failure smaller, and says what it is.
import fs from 'node:fs'
import path from 'node:path'
import { describeBoth, describeRequest } from './describe.mjs'
import { GROUPS, answerAgain, makePlan, perform } from './histories.mjs'
import { OracleFailure, ROOT } from './oracle.mjs'
import { Reference } from './reference.mjs'
import { isSameJson } from './tagged.mjs'

const MINIMISE_MS = Number(process.env.YDOC_MINIMISE_MS ?? 4000)
const UNKNOWN = /unsupported|unknown command/i

function parse(bytes) {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return NaN // equal to nothing
  }
}

// What starting and stopping an undo manager answers is free; undo and redo say whether they did something.
function isSame({ command, payload, answer }, body) {
  if (command === 'J') return isSameJson(parse(answer), parse(body))
  if (command === 'K' && !/^"(undo|redo)"$/.test(payload.toString())) return true
  if (command === '1' || command === '2' || command === 'T' || command === 'N') return true
  return answer.equals(body)
}

// The first request that is answered differently, or undefined: {index, words, body?}. A refusal is a
// difference; so is a death or a hang.
export async function firstDifference(script, oracle) {
  const calls = script.map(({ command, payload }) => oracle.call(command, payload))
  let found
  for (let index = 0; index < script.length; index++) {
    let reply
    try {
      reply = await calls[index]
    } catch (error) {
      if (!(error instanceof OracleFailure)) throw error
      return found ?? { index, words: error.message, isFailure: true }
    }
    if (found !== undefined) continue // the answers that are still on their way are waited for
    if (!reply.ok) found = { index, words: `refused: ${reply.body}`, isUnknown: UNKNOWN.test(reply.body.toString()) }
    else if (!isSame(script[index], reply.body)) found = { index, words: 'answered differently', body: reply.body }
  }
  return found
}

// Fewer elements for which `fails` still holds: halves, quarters, … and at last single ones are left
// out, again and again until nothing more can go or the time is over.
async function minimise(list, fails, deadline) {
  for (let size = Math.ceil(list.length / 2); size >= 1;) {
    let hasShrunk = false
    for (let at = list.length - size; at > -size; at -= size) {
      if (Date.now() > deadline) return list
      const fewer = list.filter((_, i) => i < at || i >= at + size)
      if (fewer.length < list.length && await fails(fewer)) {
        list = fewer
        hasShrunk = true
      }
    }
    if (size === 1 && !hasShrunk) return list
    size = hasShrunk ? Math.min(size, Math.ceil(list.length / 2)) || 1 : Math.floor(size / 2) || 1
  }
  return list
}

// A request in a script counts as the same failure when the same command is answered differently in
// the same way; otherwise making it smaller may end at another defect.
const isAlike = (a, b) => a !== undefined && a.command === b.command && (a.body === undefined) === (b.body === undefined)

async function difference(script, oracle) {
  const found = await firstDifference(script, oracle)
  return found && { ...found, command: script[found.index].command }
}

async function minimisePlan(plan, script, first, oracle, deadline) {
  let best = script.slice(0, first.index + 1)
  const steps = await minimise(plan.steps, async (fewer) => {
    let smaller
    try {
      smaller = perform({ ...plan, steps: fewer })
    } catch {
      return false
    }
    const found = await difference(smaller, oracle)
    if (!isAlike(found, first)) return false
    best = smaller.slice(0, found.index + 1)
    return true
  }, deadline)
  return [{ ...plan, steps }, best]
}

// The new document, the undo manager and the failing request stay; the rest is tried.
async function minimiseScript(script, first, oracle, deadline) {
  const last = script.at(-1)
  const head = script.filter(({ command, payload }, i) => i < script.length - 1 && (command === 'N' || (command === 'K' && payload[0] === 0x7b)))
  const middle = script.slice(0, -1).filter((request) => !head.includes(request))
  let best = script
  await minimise(middle, async (fewer) => {
    const smaller = answerAgain([...head, ...fewer, last])
    if (smaller === undefined) return false
    const found = await difference(smaller, oracle)
    if (found?.index !== smaller.length - 1 || !isAlike(found, first)) return false
    best = smaller
    return true
  }, deadline)
  return best
}

// ---- reports ---------------------------------------------------------------------------------------

export const encodeScript = (script) => script.map(({ command, payload, answer }) => {
  return [command, command === 'T' || command === 'K' ? payload.toString() : payload.toString('hex'), answer.toString('hex')]
})

export const decodeScript = (lines) => lines.map(([command, payload, answer]) => {
  return { command, payload: Buffer.from(payload, command === 'T' || command === 'K' ? 'utf8' : 'hex'), answer: Buffer.from(answer ?? '', 'hex') }
})

export function describe(title, script, found) {
  const request = script[found.index]
  const before = script.slice(0, found.index).map((each) => `  ${describeRequest(each)}`)
  return [
    title, ...before, `> ${describeRequest(request)}`, `  ${found.words}`,
    ...(found.body ? [describeBoth(request.command, request.answer, found.body)] : []),
  ].join('\n')
}

// A script that replay.mjs takes.
export function keep(folder, name, script) {
  const directory = path.join(ROOT, 'build', folder)
  fs.mkdirSync(directory, { recursive: true })
  const file = path.join(directory, `${name.replace(/[^\w.-]+/g, '-')}.json`)
  fs.writeFileSync(file, `[\n${encodeScript(script).map((line) => JSON.stringify(line)).join(',\n')}\n]\n`)
  return file
}

// Undefined when the oracle gives what Yjs gives; otherwise the report.
export async function checkPlan(plan, oracle, { minimiseMs = MINIMISE_MS, isKept = true } = {}) {
  const script = perform(plan)
  const first = await difference(script, oracle)
  if (first === undefined) return undefined
  const title = `${plan.group}, ${plan.family}, seed ${plan.seed}`
  if (first.isUnknown) return `${title}: the command ${first.command} was ${first.words}`
  const deadline = Date.now() + minimiseMs
  const [, smaller] = await minimisePlan(plan, script, first, oracle, Date.now() + minimiseMs / 2)
  const smallest = await minimiseScript(smaller, first, oracle, deadline)
  const found = await difference(smallest, oracle)
  if (found === undefined) return `${describe(title, script, first)}\n(when it was made smaller the failure went away)`
  if (!isKept) return describe(title, smallest, found)
  const file = keep('ydoc-failures', `${plan.group}-${plan.family}-${plan.seed}`, smallest)
  return `${describe(title, smallest, found)}\nAgain: node tests/ydoc/replay.mjs ${path.relative(ROOT, file)}`
}

// The same for requests written by hand: [[command, payload], …], answered by Yjs, which has to
// take all of them.
export async function checkRequests(title, requests, oracle) {
  const reference = new Reference()
  const script = requests.map(([command, payload = Buffer.alloc(0)]) => {
    return { command, payload: Buffer.from(payload), answer: reference.handle(command, Buffer.from(payload)) }
  })
  const found = await difference(script, oracle)
  return found && describe(title, script.slice(0, found.index + 1), found)
}

export { GROUPS, makePlan }
