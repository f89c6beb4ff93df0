// What was acknowledged is there afterwards.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startServer } from './server.mjs'
import { HOCUSPOCUS, KINDS, Y_WEBSOCKETS, joinSynced } from './clients.mjs'

// A document outlives the process that served it, however the client wrote it.
test('the text is there after a restart', async (t) => {
  const server = await startServer({ t })
  for (const kind of KINDS) {
    const room = `restart ${kind.name}`
    const person = await joinSynced(t, server, kind, room)
    person.text.insert(0, `typed by ${kind.name} 🦢`)
    const witness = await joinSynced(t, server, HOCUSPOCUS[2], room)
    await witness.holds(person.text.toString())
    person.close()
    witness.close()
  }
  const { code } = await server.stop()
  assert.equal(code, 0)
  for (const kind of KINDS) assert.equal(server.exportText(`restart ${kind.name}`), `typed by ${kind.name} 🦢`)
  await server.start()
  for (const kind of KINDS) {
    const person = await joinSynced(t, server, kind, `restart ${kind.name}`)
    assert.equal(person.text.toString(), `typed by ${kind.name} 🦢`)
  }
})

// Power off right after the last acknowledgement: nothing that was acknowledged is missing,
// and who was connected goes on typing.
test('the text is there after kill -9', async (t) => {
  const server = await startServer({ t })
  const people = []
  for (const kind of HOCUSPOCUS) people.push(await joinSynced(t, server, kind, 'killed'))
  const watcher = await joinSynced(t, server, Y_WEBSOCKETS[2], 'killed')
  for (let i = 0; i < 100; i++) people[i % 3].text.insert(0, `${i % 10}`)
  for (const person of people) await person.saved()
  await server.kill()
  assert.equal(server.exportText('killed').length, 100)
  await server.start()
  const fresh = await joinSynced(t, server, HOCUSPOCUS[1], 'killed')
  assert.equal(fresh.text.length, 100)
  await watcher.sameAs(fresh)
  people[0].text.insert(0, 'after')
  await watcher.holds(people[0].text.toString())
  await fresh.holds(people[0].text.toString())
})

// Every accepted update is kept with who sent it and when.
test('the history says who wrote', async (t) => {
  const server = await startServer({ t })
  const person = await joinSynced(t, server, HOCUSPOCUS[2], 'history')
  person.text.insert(0, 'one')
  await person.saved()
  person.text.insert(3, ' two')
  await person.saved()
  const rows = server.run('export', 'history', '--format', 'log').trim().split('\n').map((line) => JSON.parse(line))
  assert.ok(rows.length >= 2, `${rows.length} rows`)
  assert.match(JSON.stringify(rows[0]), /20\d\d-\d\d-\d\d/)
  assert.equal(server.run('list').includes('history'), true)
})
