// What every request of the oracle protocol is to be answered with: the protocol on real Yjs.
import * as Y from 'yjs'
import { KIND_NAMES, decodeList, encodeList } from './oracle.mjs'
import { applyEdits, canApply, findType } from './edits.mjs'
import { TYPES, tagType } from './tagged.mjs'

export const CLIENT_ID = 4000000001
const REMOTE = 'remote' // no undo manager tracks this origin

// Yjs keeps views of what it is given and looks at constructors: it gets a copy that is no Buffer.
const copy = (bytes) => new Uint8Array(bytes)
const NOTHING = Buffer.alloc(0)

export class Reference {
  // The answer's bytes; throws where Yjs throws.
  handle(command, payload = NOTHING) {
    const answer = this.#withoutDocument(command, payload) ?? this.#withDocument(command, payload)
    if (answer === undefined) throw new Error('unknown command')
    return Buffer.from(answer)
  }

  #new(payload) {
    this.manager?.destroy()
    this.manager = undefined
    this.doc = new Y.Doc({ gc: payload[0] === 1, guid: 'ydoc' })
    this.doc.clientID = CLIENT_ID
    this.emitted = []
    this.roots = {}
    let at = 2
    for (let left = payload[1]; left > 0; left--) {
      const end = at + 2 + payload[at + 1]
      this.roots[payload.toString('utf8', at + 2, end)] = KIND_NAMES[payload[at]]
      at = end
    }
    for (const [name, kind] of Object.entries(this.roots)) this.doc.get(name, TYPES[kind])
    this.doc.on('update', (update) => this.emitted.push(update))
    return NOTHING
  }

  #withoutDocument(command, payload) {
    switch (command) {
      case 'N': return this.#new(payload)
      case 'M': return Y.mergeUpdates(decodeList(payload).map(copy))
      case 'm': return Y.mergeUpdatesV2(decodeList(payload).map(copy))
      case 'D': return Y.diffUpdate(...decodeList(payload).map(copy))
      case 'd': return Y.diffUpdateV2(...decodeList(payload).map(copy))
      case 'V': return Y.encodeStateVectorFromUpdate(copy(payload))
      case 'v': return Y.encodeStateVectorFromUpdateV2(copy(payload))
      case 'C': return Y.convertUpdateFormatV1ToV2(copy(payload))
      case 'c': return Y.convertUpdateFormatV2ToV1(copy(payload))
      default: return undefined
    }
  }

  #withDocument(command, payload) {
    const doc = this.doc
    if (doc === undefined) throw new Error('no document')
    const vector = payload.length > 0 ? copy(payload) : undefined
    switch (command) {
      case '1': return Y.applyUpdate(doc, copy(payload), REMOTE) ?? NOTHING
      case '2': return Y.applyUpdateV2(doc, copy(payload), REMOTE) ?? NOTHING
      case 'S': return Y.encodeStateVector(doc)
      case 'E': return Y.encodeStateAsUpdate(doc, vector)
      case 'F': return Y.encodeStateAsUpdateV2(doc, vector)
      case 'X': return Y.encodeSnapshot(Y.snapshot(doc))
      case 'Y': return Y.encodeSnapshotV2(Y.snapshot(doc))
      case 'J': return JSON.stringify(tagType(this.#root(payload[0], payload.toString('utf8', 1))))
      case 'U': return encodeList(this.emitted.splice(0))
      case 'P': return [doc.store.pendingStructs ? 1 : 0, doc.store.pendingDs ? 1 : 0]
      case 'R': return this.#relative(payload)
      case 'Q': return this.#absolute(payload)
      case 'T': return this.#edit(JSON.parse(payload.toString()))
      case 'K': return this.#manage(JSON.parse(payload.toString()))
      default: return undefined
    }
  }

  #root(kind, name) {
    return this.doc.get(name, TYPES[KIND_NAMES[kind]])
  }

  #relative(payload) {
    const end = 2 + payload[1]
    const type = this.#root(payload[0], payload.toString('utf8', 2, end))
    return Y.encodeRelativePosition(Y.createRelativePositionFromTypeIndex(type, payload.readInt32LE(end), payload.readInt8(end + 4)))
  }

  #absolute(payload) {
    const position = Y.createAbsolutePositionFromRelativePosition(Y.decodeRelativePosition(copy(payload)), this.doc)
    const answer = Buffer.alloc(4)
    answer.writeInt32LE(position === null ? -1 : position.index)
    return answer
  }

  #edit(edits) {
    canApply(this.doc, this.roots, edits)
    applyEdits(this.doc, this.roots, edits)
    return NOTHING
  }

  #manage(order) {
    if (typeof order === 'object') {
      this.manager?.destroy()
      const scope = order.scope.map((path) => findType(this.doc, this.roots, path))
      this.manager = new Y.UndoManager(scope, { captureTimeout: order.captureTimeout })
      return [0]
    }
    if (this.manager === undefined) throw new Error('no undo manager')
    if (order === 'undo') return [this.manager.undo() === null ? 0 : 1]
    if (order === 'redo') return [this.manager.redo() === null ? 0 : 1]
    if (order !== 'stop') throw new Error(`no order ${order}`)
    this.manager.stopCapturing()
    return [0]
  }
}
