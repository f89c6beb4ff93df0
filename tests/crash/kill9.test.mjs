// kill -9 at a random instant while people type, again and again on the same data.
//
// CRASH_ROUNDS says how often (8); CRASH_SEED repeats a run's choices, as far as chance is
// ours. What counts as acknowledged is counted on the wire: the provider's unsyncedChanges
// goes down by one with each SyncStatus, and acknowledgements come in the order of the edits.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { startServer } from '../wire/server.mjs'
import { HOCUSPOCUS, Y, Y_WEBSOCKETS, joinSynced, until } from '../wire/clients.mjs'
import { random } from './chance.mjs'

const ROUNDS = Number(process.env.CRASH_ROUNDS || 8)
const SEED = Number(process.env.CRASH_SEED || Date.now() % 1_000_000_007)
const ROOMS = ['one', 'two']

// Somebody who types: each edit adds an entry of its own to the list `log` and changes the
// text, in one update.
class Typist {
  constructor(client, name, chance) {
    this.client = client
    this.name = name
    this.chance = chance
    this.log = client.doc.getArray('log')
    this.sent = []
    this.acknowledged = 0
    this.isCounting = false
    const { provider } = client
    if (provider.unsyncedChanges === undefined) return
    provider.on('unsyncedChanges', () => {
      if (this.isCounting) this.acknowledged = Math.max(this.acknowledged, this.sent.length - provider.unsyncedChanges)
    })
    // From its end on the count starts anew and is about something else.
    provider.on('disconnect', () => (this.isCounting = false))
    provider.on('close', () => (this.isCounting = false))
  }

  // All that was typed until now is settled: counting begins.
  start() {
    this.sent = []
    this.acknowledged = 0
    this.isCounting = this.client.provider.unsyncedChanges === 0
  }

  type() {
    const { text, doc } = this.client
    const id = `${this.name}.${this.next = (this.next ?? 0) + 1}`
    this.sent.push(id)
    doc.transact(() => {
      this.log.push([id])
      if (text.length > 200 && this.chance() < 0.5) text.delete(Math.floor(this.chance() * (text.length - 20)), 1 + Math.floor(this.chance() * 20))
      else text.insert(Math.floor(this.chance() * (text.length + 1)), `${id} `)
    })
  }

  get certain() {
    return this.sent.slice(0, this.acknowledged)
  }
}

// Everybody types, each at a pace of its own, until `stop` says so.
async function typeUntil(typists, stop) {
  let stopped = false
  stop.then(() => (stopped = true))
  while (!stopped) {
    for (const typist of typists) if (typist.chance() < 0.6) typist.type()
    // The sockets speak between two edits, and now and then for a little longer.
    for (let turns = typists[0].chance() < 0.2 ? 20 : 1; turns > 0; turns--) await new Promise(setImmediate)
  }
}

// The instant of the end: some time after the beginning, or with one of the acknowledgements.
function instant(chance, typists) {
  if (chance() < 0.5) return new Promise((resolve) => setTimeout(resolve, 5 + chance() * 250))
  let left = 1 + Math.floor(chance() * 120)
  return new Promise((resolve) => {
    for (const { client } of typists) client.provider.on('unsyncedChanges', () => --left <= 0 && resolve())
    setTimeout(resolve, 1000)
  })
}

// The document as the file holds it, read by the binary while no server runs.
function stored(server, room) {
  const doc = new Y.Doc()
  const update = execFileSync(server.binary, ['export', room, '--data', server.data, '--format', 'update'], { maxBuffer: 1 << 28 })
  Y.applyUpdate(doc, update)
  return doc
}

function assertHolds(doc, typists, where) {
  const log = doc.getArray('log').toArray()
  const there = new Set(log)
  assert.equal(there.size, log.length, `${where}: an edit is there twice`)
  for (const typist of typists)
    for (const id of typist.certain) assert.ok(there.has(id), `${where}: ${id} was acknowledged and is not there`)
  return there
}

function assertFileIsSound(server) {
  const result = spawnSync('sqlite3', [path.join(server.data, 'skein.db'), 'PRAGMA integrity_check'], { encoding: 'utf8' })
  if (result.error?.code === 'ENOENT') return // the program is not installed; the server checks too
  assert.equal(result.stdout.trim(), 'ok', result.stderr)
}

test(`kill -9, ${ROUNDS} times, seed ${SEED}`, { timeout: 120_000 + ROUNDS * 15_000 }, async (t) => {
  const chance = random(SEED)
  const server = await startServer({ t })
  const typists = []
  for (const [r, room] of ROOMS.entries()) {
    const kinds = r === 0 ? [...HOCUSPOCUS, Y_WEBSOCKETS[2]] : [HOCUSPOCUS[2], HOCUSPOCUS[1], Y_WEBSOCKETS[0]]
    for (const kind of kinds) {
      const client = await joinSynced(t, server, kind, room)
      typists.push(new Typist(client, `${room}${typists.length}`, chance))
    }
  }
  const hasAcks = typists.filter(({ client }) => client.saved)
  const certain = new Map(ROOMS.map((room) => [room, new Set()]))
  let acknowledged = 0

  for (let round = 1; round <= ROUNDS; round++) {
    for (const { client } of hasAcks) await client.saved()
    for (const typist of typists) typist.start()
    const end = instant(chance, hasAcks)
    await Promise.all([typeUntil(typists, end), end.then(() => server.kill())])
    // What the sockets still held when the process died has been read once they are closed.
    for (const { client } of hasAcks) await until('the end of the connection', [[client.provider, 'disconnect'], [client.provider, 'close']], () => client.socket.status !== 'connected')

    assertFileIsSound(server)
    for (const room of ROOMS) {
      const there = assertHolds(stored(server, room), typists.filter(({ client }) => client.room === room), `round ${round}, file`)
      for (const id of certain.get(room)) assert.ok(there.has(id), `round ${round}: ${id} of an earlier round is gone`)
    }
    for (const typist of typists) {
      acknowledged += typist.certain.length
      for (const id of typist.certain) certain.get(typist.client.room).add(id)
    }

    await server.start()
    for (const { client } of hasAcks) await until('it is back', [[client.provider, 'synced'], [client.provider, 'unsyncedChanges']], () => client.provider.isAuthenticated && client.provider.unsyncedChanges === 0)
    for (const room of ROOMS) {
      const people = typists.filter(({ client }) => client.room === room).map(({ client }) => client)
      for (const person of people) await person.sameAs(people[0])
      const fresh = await joinSynced(t, server, HOCUSPOCUS[2], room)
      await fresh.sameAs(people[0])
      assertHolds(fresh.doc, [], `round ${round}, a fresh client`)
      // Nobody who was there has lost anything of its own, acknowledged or not.
      const there = new Set(fresh.doc.getArray('log').toArray())
      for (const typist of typists.filter(({ client }) => client.room === room))
        for (const id of typist.sent) assert.ok(there.has(id), `round ${round}: ${id} is lost`)
      fresh.close()
    }
  }
  assert.ok(acknowledged > 0, 'nothing was ever acknowledged: this test has shown nothing')
  t.diagnostic(`${ROUNDS} rounds, ${acknowledged} edits acknowledged before a kill, seed ${SEED}`)
})
