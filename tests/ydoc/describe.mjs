// Bytes in words, for the report of a failure. Whatever cannot be read stays hexadecimal.
import * as Y from 'yjs'
import { decodeList } from './oracle.mjs'
import { tagValue } from './tagged.mjs'

const id = ({ client, clock }) => `${client}:${clock}`

function describeContent(content) {
  const name = content.constructor.name.replace('Content', '')
  if (content.str !== undefined) return `${name} ${JSON.stringify(content.str)}`
  if (content.key !== undefined) return `${name} ${JSON.stringify(content.key)}=${JSON.stringify(content.value)}`
  if (content.type !== undefined) return `${name} ${content.type.constructor.name.replace('_', '')} ${content.type.nodeName ?? content.type.hookName ?? ''}`
  if (content.len !== undefined) return `${name} ${content.len}`
  if (content.doc !== undefined) return `${name} ${JSON.stringify(tagValue(content.doc))}`
  if (content.embed !== undefined) return `${name} ${JSON.stringify(tagValue(content.embed))}`
  return `${name} ${JSON.stringify(content.getContent().map(tagValue))}`
}

function describeStruct(struct) {
  const head = `${id(struct.id)}+${struct.length}`
  if (struct.content === undefined) return `${head} ${struct.constructor.name}`
  const parent = struct.parent === null ? '' : ` in ${typeof struct.parent === 'string' ? JSON.stringify(struct.parent) : id(struct.parent)}`
  const key = struct.parentSub === null ? '' : `[${JSON.stringify(struct.parentSub)}]`
  const left = struct.origin ? ` after ${id(struct.origin)}` : ''
  const right = struct.rightOrigin ? ` before ${id(struct.rightOrigin)}` : ''
  return `${head}${parent}${key}${left}${right} ${describeContent(struct.content)}`
}

function describeDeleted({ clients }) {
  return [...clients].map(([client, ranges]) => `deleted ${client}: ${ranges.map((range) => `${range.clock}+${range.len}`).join(' ')}`)
}

function describeUpdate(bytes, version) {
  const { structs, ds } = (version === 1 ? Y.decodeUpdate : Y.decodeUpdateV2)(bytes)
  return [...structs.map(describeStruct), ...describeDeleted(ds)]
}

const describeVector = (bytes) => [...Y.decodeStateVector(bytes)].map(([client, clock]) => `${client} at ${clock}`)

function describeSnapshot(bytes, version) {
  const { ds, sv } = (version === 1 ? Y.decodeSnapshot : Y.decodeSnapshotV2)(bytes)
  return [...describeDeleted(ds), ...[...sv].map(([client, clock]) => `${client} at ${clock}`)]
}

const UPDATES = { 1: 1, E: 1, M: 1, D: 1, c: 1, 2: 2, F: 2, m: 2, d: 2, C: 2 }

function describeAnswerLines(command, bytes) {
  if ('EMDcFmdC'.includes(command)) return describeUpdate(bytes, UPDATES[command])
  if ('SVv'.includes(command)) return describeVector(bytes)
  if (command === 'X' || command === 'Y') return describeSnapshot(bytes, command === 'X' ? 1 : 2)
  if (command === 'U') return decodeList(Buffer.from(bytes)).flatMap((update, i) => [`update ${i}`, ...describeUpdate(new Uint8Array(update), 1)])
  if (command === 'J') return JSON.stringify(JSON.parse(Buffer.from(bytes).toString()), null, 1).split('\n')
  if (command === 'Q') return [String(Buffer.from(bytes).readInt32LE(0))]
  if (command === 'R') return [JSON.stringify(Y.decodeRelativePosition(bytes))]
  return []
}

const quietly = (read, otherwise) => {
  try {
    return read()
  } catch {
    return otherwise
  }
}

// A few lines each: what only one side has is marked, the rest is cut short.
export function describeBoth(command, expected, actual) {
  const [left, right] = [expected, actual].map((bytes) => quietly(() => describeAnswerLines(command, new Uint8Array(bytes)), ['(cannot be read)']))
  const only = (lines, others) => lines.map((line) => (others.includes(line) ? `    ${line}` : `  ! ${line}`)).filter((line, i, all) => all.length <= 40 || line.startsWith('  !')).slice(0, 60)
  return [
    `  Yjs:  ${hex(expected)}`, ...only(left, right),
    `  ydoc: ${hex(actual)}`, ...only(right, left),
  ].join('\n')
}

export function hex(bytes) {
  const text = Buffer.from(bytes).toString('hex')
  return text.length > 2000 ? `${text.slice(0, 2000)}… (${bytes.length} bytes)` : text
}

export function describeRequest({ command, payload }) {
  const bytes = new Uint8Array(payload)
  if (command === 'T' || command === 'K') return `${command} ${Buffer.from(payload).toString()}`
  if (command === '1' || command === '2') return [`${command} ${hex(payload)}`, ...quietly(() => describeUpdate(bytes, UPDATES[command]), []).map((line) => `      ${line}`)].join('\n')
  if (command === 'J') return `J kind ${payload[0]} ${JSON.stringify(Buffer.from(payload).toString('utf8', 1))}`
  return payload.length > 0 ? `${command} ${hex(payload)}` : command
}
