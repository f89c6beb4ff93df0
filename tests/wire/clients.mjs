// The npm clients under one face: a document with a text `t`, awareness, and events to wait for.
//
// All of them are loaded as CommonJS. That gives them one and the same Yjs, and y-websocket 1.5,
// whose modules are not marked as such, loads with Node 18 too.
import { createRequire } from 'node:module'
import { defer } from './server.mjs'

const require = createRequire(import.meta.url)
globalThis.crypto ??= require('node:crypto').webcrypto // Node 18 has it, but not in its place
const WebSocket = require('ws')
const Y = require('yjs')
const { Awareness } = require('y-protocols/awareness')

// The tests take these from here: a second Yjs in the process would not know the first one's types.
export { WebSocket, Y }

// A provider takes its listeners away before the socket has ended; what then still fails has
// nobody to hear it, and would end the process.
class Socket extends WebSocket {
  constructor(...args) {
    super(...args)
    this.on('error', () => {})
  }
}

export const Y_WEBSOCKETS = [
  { name: 'y-websocket 1.5', library: require('y-websocket-1') },
  { name: 'y-websocket 2', library: require('y-websocket-2') },
  { name: 'y-websocket 3', library: require('y-websocket-3') },
]
export const HOCUSPOCUS = [
  { name: 'Hocuspocus provider 2', library: require('hocuspocus-provider-2'), major: 2 },
  { name: 'Hocuspocus provider 3', library: require('hocuspocus-provider-3'), major: 3 },
  { name: 'Hocuspocus provider 4', library: require('hocuspocus-provider-4'), major: 4 },
]
export const KINDS = [...Y_WEBSOCKETS, ...HOCUSPOCUS]
const isHocuspocus = (kind) => HOCUSPOCUS.includes(kind)

// Resolves when `predicate` holds: it is asked now and after each of the events. Rejects when
// that has not come about within `ms`, with what was waited for.
export function until(what, events, predicate, ms = 20_000) {
  return new Promise((resolve, reject) => {
    const finish = (settle, value) => {
      deadline.removeEventListener('abort', late)
      for (const [emitter, event] of events) emitter.off(event, check)
      settle(value)
    }
    const check = () => {
      try {
        if (predicate()) finish(resolve)
      } catch (error) {
        finish(reject, error)
      }
    }
    const deadline = AbortSignal.timeout(ms)
    const late = () => finish(reject, new Error(`waited ${ms / 1000} s for: ${what}`))
    deadline.addEventListener('abort', late)
    for (const [emitter, event] of events) emitter.on(event, check)
    check()
  })
}

// What the promise resolves to, or a rejection after `ms` that says what was waited for.
export function within(what, promise, ms = 20_000) {
  const deadline = AbortSignal.timeout(ms)
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`waited ${ms / 1000} s for: ${what}`))
    deadline.addEventListener('abort', late)
    promise.then(resolve, reject).finally(() => deadline.removeEventListener('abort', late))
  })
}

// The next event of that name, with its arguments.
export function next(emitter, event, ms = 20_000) {
  let arrived
  const arrival = new Promise((resolve) => {
    arrived = (...args) => resolve(args)
    emitter.on(event, arrived)
  })
  return within(`the event ${event}`, arrival, ms).finally(() => emitter.off(event, arrived))
}

// A socket that waits to connect again goes on trying after destroy(), for ever when a close
// comes behind it: whether to connect is asked before each attempt, and answered here.
function endSocket(socket) {
  socket.destroy()
  Object.defineProperty(socket, 'shouldConnect', { get: () => false, set() {} })
}

class Client {
  constructor(kind, room) {
    this.kind = kind
    this.room = room
    this.doc = new Y.Doc()
    this.awareness = new Awareness(this.doc)
    this.text = this.doc.getText('t')
  }

  // Once. The awareness checks itself every 3 s; a process with one left would never end.
  close() {
    if (this.isClosed) return
    this.isClosed = true
    this.leave()
    this.awareness.destroy()
    this.doc.destroy()
  }

  async holds(text) {
    await until(`"${text.slice(0, 60)}" at ${this.kind.name}`, [[this.doc, 'update']], () => this.text.toString() === text)
  }

  // Waits until it has the same state as `other` (of the moment when both agree).
  async sameAs(other) {
    await until(`${this.kind.name} and ${other.kind.name} agree`, [[this.doc, 'update'], [other.doc, 'update']], () =>
      this.text.toString() === other.text.toString() &&
      Buffer.compare(Y.encodeStateVector(this.doc), Y.encodeStateVector(other.doc)) === 0)
  }

  // Waits until it sees the awareness state of `other` fulfil the predicate.
  async sees(other, what, predicate) {
    await until(`${this.kind.name} sees ${what} of ${other.kind.name}`, [[this.awareness, 'change'], [this.awareness, 'update']], () =>
      predicate(this.awareness.getStates().get(other.doc.clientID)))
  }
}

class YWebsocketClient extends Client {
  constructor(server, kind, room, { token, api } = {}) {
    super(kind, room)
    const options = { WebSocketPolyfill: Socket, disableBc: true, awareness: this.awareness, params: token === undefined ? {} : { token } }
    if (api) {
      options.params = { ...options.params, type: 'yjs', room }
      this.provider = new kind.library.WebsocketProvider(`${server.url}/api`, 'ws', this.doc, options)
    } else {
      this.provider = new kind.library.WebsocketProvider(server.url, room, this.doc, options)
    }
  }

  async synced() {
    await until(`${this.kind.name} is synced`, [[this.provider, 'sync']], () => this.provider.synced)
  }

  leave() {
    this.provider.destroy()
  }
}

class HocuspocusClient extends Client {
  constructor(server, kind, room, { token = 'nobody', path = '/', socket, awareness, ...more } = {}) {
    super(kind, room)
    this.ownsSocket = socket === undefined
    this.socket = socket ?? new kind.library.HocuspocusProviderWebsocket({ url: server.url + path, WebSocketPolyfill: Socket, minDelay: 50, delay: 50, maxDelay: 500 })
    this.scope = null
    this.refused = null
    this.acks = []
    this.provider = new kind.library.HocuspocusProvider({
      websocketProvider: this.socket,
      name: room,
      document: this.doc,
      awareness: awareness === undefined ? this.awareness : awareness,
      token,
      broadcast: false,
      preserveConnection: true,
      onAuthenticationFailed: ({ reason }) => (this.refused = reason),
      ...more,
    })
    this.provider.on('authenticated', () => (this.scope = this.provider.authorizedScope))
    if (kind.major > 2) this.provider.attach()
  }

  async synced() {
    await until(`${this.kind.name} is synced`, [[this.provider, 'synced'], [this.provider, 'unsyncedChanges']], () => this.provider.synced ?? this.provider.isSynced)
  }

  async authenticated() {
    await until(`${this.kind.name} is authenticated`, [[this.provider, 'authenticated']], () => this.provider.isAuthenticated)
  }

  async refusedWith() {
    await until(`${this.kind.name} is refused`, [[this.provider, 'authenticationFailed']], () => this.refused !== null)
    return this.refused
  }

  // Everything that it said has been acknowledged.
  async saved() {
    await this.synced()
    await until(`all of ${this.kind.name} is acknowledged`, [[this.provider, 'unsyncedChanges']], () => this.provider.unsyncedChanges === 0)
  }

  leave() {
    this.provider.destroy()
    if (this.ownsSocket) endSocket(this.socket)
  }
}

// A client of that kind in the room; it closes with the test.
export function join(t, server, kind, room, options) {
  const client = isHocuspocus(kind) ? new HocuspocusClient(server, kind, room, options) : new YWebsocketClient(server, kind, room, options)
  defer(t, () => client.close())
  return client
}

export async function joinSynced(t, server, kind, room, options) {
  const client = join(t, server, kind, room, options)
  await client.synced()
  return client
}

// A Hocuspocus socket that several providers share; it closes with the test.
export function hocuspocusSocket(t, server, kind) {
  const socket = new kind.library.HocuspocusProviderWebsocket({ url: server.url, WebSocketPolyfill: Socket, minDelay: 50, delay: 50, maxDelay: 500 })
  defer(t, () => endSocket(socket))
  return socket
}
