// People in one document, with every version of every client.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startServer } from './server.mjs'
import { HOCUSPOCUS, KINDS, Y, Y_WEBSOCKETS, join, joinSynced, next } from './clients.mjs'

let server
before(async () => (server = await startServer()))
after(() => server.dispose())

// Two clients of one kind type at both ends of a text and end with the same text, which is
// also what a third one finds who joins afterwards.
for (const kind of KINDS) {
  test(`${kind.name}: two people converge, a third finds their text`, async (t) => {
    const room = `converge ${kind.name}`
    const one = await joinSynced(t, server, kind, room)
    const two = await joinSynced(t, server, kind, room)
    one.text.insert(0, 'hello ')
    await two.holds('hello ')
    two.text.insert(6, 'world')
    one.text.insert(0, '> ')
    await one.holds('> hello world')
    await two.holds('> hello world')
    const three = await joinSynced(t, server, kind, room)
    assert.equal(three.text.toString(), '> hello world')
  })
}

// Deletions, formatting, nested types and text outside the basic plane pass unchanged.
for (const kind of [Y_WEBSOCKETS[2], HOCUSPOCUS[2]]) {
  test(`${kind.name}: every kind of content arrives`, async (t) => {
    const room = `content ${kind.name}`
    const one = await joinSynced(t, server, kind, room)
    const two = await joinSynced(t, server, kind, room)
    one.doc.transact(() => {
      one.text.insert(0, 'naïve 🦢🪿 text', { bold: true })
      one.text.delete(2, 3)
      one.text.format(0, 4, { italic: true, bold: null })
      one.text.insertEmbed(1, { image: 'x.png' })
      const map = one.doc.getMap('map')
      map.set('number', 1.5)
      map.set('big', 2 ** 40)
      map.set('list', Y.Array.from([1, 'two', null, true, { deep: [1] }]))
      map.set('bytes', new Uint8Array([0, 255]))
      map.set('gone', 1)
      map.delete('gone')
      const xml = one.doc.getXmlFragment('xml')
      const p = new Y.XmlElement('p')
      p.setAttribute('class', 'x')
      p.insert(0, [new Y.XmlText('inside')])
      xml.insert(0, [p])
    })
    await two.sameAs(one)
    assert.deepEqual(two.text.toDelta(), one.text.toDelta())
    assert.deepEqual(two.doc.getMap('map').toJSON(), one.doc.getMap('map').toJSON())
    assert.equal(two.doc.getXmlFragment('xml').toString(), '<p class="x">inside</p>')
  })
}

// All six versions in one room at once: what each one types reaches all others, and the
// store has the same text.
test('all kinds in one room converge', async (t) => {
  const people = []
  for (const kind of KINDS) people.push(await joinSynced(t, server, kind, 'everyone'))
  for (const [i, person] of people.entries())
    for (let n = 0; n < 20; n++) person.text.insert((n * 7) % (person.text.length + 1), `${i}`)
  const want = 20 * people.length
  for (const person of people) await person.sameAs(people[0])
  for (const person of people) {
    assert.equal(person.text.length, want)
    assert.equal(person.text.toString(), people[0].text.toString())
  }
  // The log is in order: when this edit is durable, all before it are.
  people[3].text.insert(0, '.')
  await people[3].saved()
  assert.equal(server.exportText('everyone'), people[3].text.toString())
})

// What was typed without a connection is there after it is back, on both sides.
for (const kind of [Y_WEBSOCKETS[0], Y_WEBSOCKETS[2], HOCUSPOCUS[0], HOCUSPOCUS[1], HOCUSPOCUS[2]]) {
  test(`${kind.name}: edits made offline arrive`, async (t) => {
    const room = `offline ${kind.name}`
    const watcher = await joinSynced(t, server, Y_WEBSOCKETS[2], room)
    const person = join(t, server, kind, room)
    person.text.insert(0, 'typed before connecting')
    await watcher.holds('typed before connecting')
    await person.synced()
    const link = person.socket ?? person.provider
    await Promise.all([next(link, 'status'), link.disconnect()])
    person.text.insert(0, 'offline: ')
    watcher.text.insert(watcher.text.length, '; meanwhile')
    link.connect()
    await watcher.holds('offline: typed before connecting; meanwhile')
    await person.holds('offline: typed before connecting; meanwhile')
  })
}

// The platform's endpoint leads both kinds to the same room as the path does.
test('the endpoint /api/ws reaches the same room', async (t) => {
  const byPath = await joinSynced(t, server, Y_WEBSOCKETS[2], 'endpoint')
  const byQuery = await joinSynced(t, server, Y_WEBSOCKETS[1], 'endpoint', { api: true })
  const hocuspocus = await joinSynced(t, server, HOCUSPOCUS[2], 'endpoint', { path: '/api/ws?type=yjs' })
  byPath.text.insert(0, 'one room')
  await byQuery.holds('one room')
  await hocuspocus.holds('one room')
})

// A cursor is seen by all other kinds, changes with its owner, is gone when the owner says
// so (null) and when the owner's connection closes.
for (const kind of KINDS) {
  test(`${kind.name}: presence is seen by every other kind and goes away`, async (t) => {
    const room = `presence ${kind.name}`
    const watchers = []
    for (const other of [Y_WEBSOCKETS[0], Y_WEBSOCKETS[2], ...HOCUSPOCUS]) watchers.push(await joinSynced(t, server, other, room))
    const person = await joinSynced(t, server, kind, room)
    person.awareness.setLocalState({ cursor: 1 })
    for (const watcher of watchers) await watcher.sees(person, 'the cursor', (state) => state?.cursor === 1)
    person.awareness.setLocalStateField('cursor', 2)
    for (const watcher of watchers) await watcher.sees(person, 'the moved cursor', (state) => state?.cursor === 2)

    const late = await joinSynced(t, server, HOCUSPOCUS[2], room)
    await late.sees(person, 'what was there before', (state) => state?.cursor === 2)

    person.awareness.setLocalState(null)
    for (const watcher of watchers) await watcher.sees(person, 'nothing', (state) => state === undefined)
    person.awareness.setLocalState({ cursor: 3 })
    for (const watcher of watchers) await watcher.sees(person, 'the cursor again', (state) => state?.cursor === 3)

    // A socket that just breaks: nobody says goodbye.
    const socket = person.socket?.webSocket ?? person.provider.ws
    person.socket ? (person.socket.shouldConnect = false) : (person.provider.shouldConnect = false)
    socket.terminate()
    for (const watcher of watchers) await watcher.sees(person, 'its departure', (state) => state === undefined)
  })
}

// The server answers a plain request on the same port, and says that it is alive and ready.
test('health, readiness and metrics are answered', async () => {
  for (const path of ['/healthz', '/readyz']) assert.equal((await fetch(server.http + path)).status, 200, path)
  const metrics = await (await fetch(`${server.http}/metrics`)).text()
  assert.match(metrics, /^# TYPE \w+ (counter|gauge|histogram)$/m)
})

// The very last: SIGTERM ends the process with 0 while people are connected.
test('SIGTERM drains and exits 0', async (t) => {
  const own = await startServer({ t })
  const person = await joinSynced(t, own, HOCUSPOCUS[2], 'drain')
  person.text.insert(0, 'last words')
  await person.saved()
  const { code } = await own.stop()
  assert.equal(code, 0)
  assert.equal(own.exportText('drain'), 'last words')
})
