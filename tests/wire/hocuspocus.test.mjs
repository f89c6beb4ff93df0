// What the Hocuspocus protocol has beyond updates and awareness.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startServer } from './server.mjs'
import { HOCUSPOCUS, Y_WEBSOCKETS, hocuspocusSocket, join, joinSynced, next, until } from './clients.mjs'

let server
before(async () => (server = await startServer({ args: ['--stateless', 'broadcast'] })))
after(() => server.dispose())

// A provider is told that it may write, and each of its edits is acknowledged exactly once:
// the count goes up with each and comes back to 0, never below.
for (const kind of HOCUSPOCUS) {
  test(`${kind.name}: authenticated, and every edit acknowledged once`, async (t) => {
    const counts = []
    const person = join(t, server, kind, `acks ${kind.name}`, { onUnsyncedChanges: (x) => counts.push(typeof x === 'number' ? x : x.number) })
    await person.authenticated()
    assert.ok(person.provider.isAuthenticated)
    if (kind.major > 2) assert.equal(person.provider.authorizedScope, 'read-write')
    await person.saved()
    for (let i = 0; i < 50; i++) person.text.insert(0, 'x')
    assert.equal(person.provider.unsyncedChanges, 50)
    await person.saved()
    assert.ok(counts.every((n) => n >= 0), 'an acknowledgement too many')
    // What is acknowledged is in the store, while the server runs.
    assert.equal(server.exportText(`acks ${kind.name}`), 'x'.repeat(50))
  })
}

// Where nobody needs a token, a provider 2 without one sends no Auth frame; it is let in all
// the same, as a server of its own time would.
test('Hocuspocus provider 2 without a token is let in', async (t) => {
  const person = join(t, server, HOCUSPOCUS[0], 'no token', { token: null })
  await person.synced()
  person.text.insert(0, 'here')
  const other = await joinSynced(t, server, HOCUSPOCUS[2], 'no token')
  await other.holds('here')
  await person.saved()
})

// Documents on one socket are independent: each has its own text, people and end.
for (const kind of HOCUSPOCUS.slice(1)) {
  test(`${kind.name}: several documents on one socket, one closed and opened again`, async (t) => {
    const socket = hocuspocusSocket(t, server, kind)
    const rooms = ['a', 'b', 'c'].map((name) => `multi ${kind.name} ${name}`)
    const people = []
    for (const room of rooms) people.push(await joinSynced(t, server, kind, room, { socket }))
    for (const [i, person] of people.entries()) person.text.insert(0, `document ${i}`)
    for (const person of people) await person.saved()

    const watcher = await joinSynced(t, server, Y_WEBSOCKETS[2], rooms[1])
    assert.equal(watcher.text.toString(), 'document 1')
    people[1].awareness.setLocalState({ here: true })
    await watcher.sees(people[1], 'its presence', (state) => state?.here)

    // Closing one: its presence goes, the others stay connected on the same socket.
    people[1].provider.destroy()
    await watcher.sees(people[1], 'its departure', (state) => state === undefined)
    people[0].text.insert(0, 'still ')
    await people[0].saved()

    // Opening it again on the same socket.
    watcher.text.insert(0, 'changed ')
    const again = await joinSynced(t, server, kind, rooms[1], { socket })
    await again.holds('changed document 1')
    again.text.insert(0, 'again ')
    await watcher.holds('again changed document 1')
    await again.saved()
    assert.equal(people[2].text.toString(), 'document 2')
  })
}

// A document that is closed and opened in the same breath is opened.
test('CLOSE with an Auth right behind it opens the document again', async (t) => {
  const kind = HOCUSPOCUS[2]
  const socket = hocuspocusSocket(t, server, kind)
  const first = await joinSynced(t, server, kind, 'reopen', { socket })
  first.text.insert(0, 'kept')
  await first.saved()
  first.provider.destroy()
  const second = await joinSynced(t, server, kind, 'reopen', { socket })
  await second.authenticated()
  await second.holds('kept')
})

// With session awareness two providers hold the same document on one socket, and see each
// other as two people.
test('Hocuspocus provider 4: two providers of one document on one socket', async (t) => {
  const kind = HOCUSPOCUS[2]
  const socket = hocuspocusSocket(t, server, kind)
  const options = { socket, sessionAwareness: true }
  const one = await joinSynced(t, server, kind, 'session', options)
  const two = await joinSynced(t, server, kind, 'session', options)
  const plain = await joinSynced(t, server, HOCUSPOCUS[1], 'session')
  one.text.insert(0, 'from one')
  await two.holds('from one')
  await plain.holds('from one')
  two.text.insert(0, 'two, ')
  await one.holds('two, from one')
  await one.saved()
  await two.saved()
  one.awareness.setLocalState({ name: 'one' })
  two.awareness.setLocalState({ name: 'two' })
  await two.sees(one, 'its name', (state) => state?.name === 'one')
  await one.sees(two, 'its name', (state) => state?.name === 'two')
  two.provider.destroy()
  await one.sees(two, 'its departure', (state) => state === undefined)
  await plain.sees(one, 'its name', (state) => state?.name === 'one')
  one.text.insert(0, 'alone: ')
  await plain.holds('alone: two, from one')
})

// A stateless message reaches everybody in the document, its sender included (as Hocuspocus'
// broadcastStateless does), and nobody elsewhere.
test('stateless messages are broadcast where the server is told to', async (t) => {
  const people = []
  for (const kind of HOCUSPOCUS) people.push(await joinSynced(t, server, kind, 'stateless'))
  const elsewhere = await joinSynced(t, server, HOCUSPOCUS[2], 'another')
  let strayed = 0
  elsewhere.provider.on('stateless', () => strayed++)
  for (const person of people) {
    person.heard = []
    person.provider.on('stateless', ({ payload }) => person.heard.push(payload))
  }
  const said = people.map((sender) => `from ${sender.kind.name} 🦢`)
  for (const [i, sender] of people.entries()) sender.provider.sendStateless(said[i])
  for (const person of people) {
    await until('all stateless messages', [[person.provider, 'stateless']], () => person.heard.length === said.length)
    assert.deepEqual([...person.heard].sort(), [...said].sort())
  }
  elsewhere.text.insert(0, 'x')
  await elsewhere.saved()
  assert.equal(strayed, 0)
})

// Without that they reach nobody, and the sender's connection is as good as before.
test('stateless messages are dropped by default', async (t) => {
  const quiet = await startServer({ t })
  const one = await joinSynced(t, quiet, HOCUSPOCUS[2], 'stateless')
  const two = await joinSynced(t, quiet, HOCUSPOCUS[2], 'stateless')
  let heard = 0
  two.provider.on('stateless', () => heard++)
  one.provider.sendStateless('dropped')
  one.text.insert(0, 'after it')
  await two.holds('after it')
  await one.saved()
  assert.equal(heard, 0)
})

// A token that is sent again on a live document changes nothing for who may still write.
test('a token sent again keeps the document open', async (t) => {
  for (const kind of HOCUSPOCUS.slice(1)) {
    const person = await joinSynced(t, server, kind, 'token again')
    await person.saved()
    await person.provider.sendToken()
    person.text.insert(0, 'x')
    await person.saved()
  }
})

// A forced synchronisation is acknowledged too; the count does not drift.
test('forceSync comes back to 0', async (t) => {
  for (const kind of HOCUSPOCUS) {
    const person = await joinSynced(t, server, kind, `force ${kind.name}`)
    await person.saved()
    person.text.insert(0, 'x')
    await person.saved()
    person.provider.forceSync()
    await person.saved()
    assert.equal(person.provider.unsyncedChanges, 0)
  }
})

// When the server comes back, each document of a socket is there again by itself.
test('providers come back after a restart', async (t) => {
  const own = await startServer({ t })
  const people = []
  for (const kind of HOCUSPOCUS) people.push(await joinSynced(t, own, kind, 'come back'))
  people[0].text.insert(0, 'before')
  await people[0].saved()
  await Promise.all([...people.map((p) => next(p.socket, 'disconnect')), own.restart()])
  await Promise.all(people.map((p) => until('it is back', [[p.provider, 'synced'], [p.provider, 'unsyncedChanges']], () => p.provider.isAuthenticated && p.provider.unsyncedChanges === 0)))
  people[1].text.insert(6, ', after')
  for (const person of people) await person.holds('before, after')
})
