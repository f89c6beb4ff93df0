// A disk that is full, and writes that fail: nobody is told that an edit is safe when it is
// not, everybody can go on, and all of it becomes durable when the disk is back.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Server, defer, startServer } from '../wire/server.mjs'
import { HOCUSPOCUS, Y_WEBSOCKETS, joinSynced, until } from '../wire/clients.mjs'

// A file system of its own of that size, or null where this user may not mount one.
function smallDisk(t, megabytes) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'skein-disk-'))
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir])
  if (mount.status !== 0) {
    fs.rmdirSync(dir)
    return null
  }
  defer(t, () => {
    spawnSync('umount', [dir])
    fs.rmdirSync(dir)
  })
  return dir
}

// Hears what the server says about its store.
function listen(client) {
  const said = []
  client.provider.on('stateless', ({ payload }) => {
    try {
      const { skein, reason } = JSON.parse(payload)
      if (skein) said.push({ skein, reason })
    } catch {
      // Not the server's.
    }
  })
  return said
}

const told = (client, said, what) => until(`"${what}" is told`, [[client.provider, 'stateless']], () => said.at(-1)?.skein === what, 60_000)

// Types 1,024 characters at a time until the server says that it cannot keep them, never far
// ahead of the acknowledgements; returns how often.
async function fillUp(server, writer, said) {
  const { provider } = writer
  const died = server.ended.then(({ code, signal }) => assert.fail(`the server died of it (${code ?? signal})`))
  let sent = 0
  while (said.length === 0) {
    assert.ok(sent < 65_536, 'the disk never fails')
    writer.text.insert(0, `${String(sent++).padStart(8, '0')}${'.'.repeat(1016)}`)
    const answered = until('an answer', [[provider, 'stateless'], [provider, 'unsyncedChanges']], () => said.length > 0 || provider.unsyncedChanges < 16)
    await Promise.race([answered, died])
    await new Promise(setImmediate)
  }
  died.catch(() => {})
  return sent
}

// The story of every failing disk: `fail` makes writes fail, `mend` makes them work again.
async function assertSurvives(t, server, fail, mend) {
  const writer = await joinSynced(t, server, HOCUSPOCUS[2], 'disk')
  const older = await joinSynced(t, server, HOCUSPOCUS[0], 'disk')
  const watcher = await joinSynced(t, server, Y_WEBSOCKETS[2], 'disk')
  const said = listen(writer)
  const olderSaid = listen(older)
  writer.text.insert(0, 'before; ')
  await writer.saved()
  assert.equal((await fetch(`${server.http}/readyz`)).status, 200)

  await fail()
  // Edits as large as it takes until a write fails. The store's own log file and its cache
  // may have room left: what is acknowledged until then is durable.
  await fillUp(server, writer, said)
  assert.equal(said.at(-1).skein, 'degraded')
  assert.match(said.at(-1).reason, /\w/)
  await told(older, olderSaid, 'degraded')

  // Not acknowledged, and still connected: edits and cursors go on among those who are there.
  const outstanding = writer.provider.unsyncedChanges
  assert.ok(outstanding > 0)
  writer.text.insert(0, 'while it was full; ')
  writer.awareness.setLocalState({ cursor: 7 })
  await watcher.holds(writer.text.toString())
  await watcher.sees(writer, 'its cursor', (state) => state?.cursor === 7)
  watcher.text.insert(0, 'from the other side; ')
  await writer.holds(watcher.text.toString())
  assert.ok(writer.provider.unsyncedChanges > outstanding)
  assert.ok(server.isRunning)
  assert.notEqual((await fetch(`${server.http}/readyz`)).status, 200)

  // Somebody who comes now is let in and gets what there is.
  const late = await joinSynced(t, server, HOCUSPOCUS[1], 'disk')
  await late.holds(writer.text.toString())

  await mend()
  await told(writer, said, 'recovered')
  await writer.saved()
  await late.saved()
  assert.equal((await fetch(`${server.http}/readyz`)).status, 200)
  writer.text.insert(0, 'and after; ')
  await writer.saved()
  const text = writer.text.toString()
  await watcher.holds(text)

  await server.kill()
  assert.equal(server.exportText('disk'), text)
  await server.start()
  const fresh = await joinSynced(t, server, HOCUSPOCUS[2], 'disk')
  assert.equal(fresh.text.toString(), text)
}

test('a full disk', async (t) => {
  const disk = smallDisk(t, 16)
  if (disk === null) return t.skip('this user may not mount a file system')
  const data = path.join(disk, 'data')
  const ballast = path.join(disk, 'ballast')
  fs.mkdirSync(data)
  const server = await startServer({ t, data })
  // Leaves so little that the next edits fill it.
  const fill = () => {
    const free = fs.statfsSync(disk)
    fs.writeFileSync(ballast, Buffer.alloc(Math.max(0, free.bavail * free.bsize - (256 << 10))))
  }
  await assertSurvives(t, server, fill, () => fs.rmSync(ballast))
})

// A limit on the size of files (EFBIG, SIGXFSZ), as `ulimit -f` or a quota sets it.
test('files that may not grow', async (t) => {
  const server = await startServer({ t })
  const limit = (bytes) => {
    const result = spawnSync('prlimit', ['--pid', String(server.pid), `--fsize=${bytes}:unlimited`], { encoding: 'utf8' })
    assert.equal(result.status, 0, result.stderr)
  }
  const largest = () => Math.max(...fs.readdirSync(server.data).map((name) => fs.statSync(path.join(server.data, name)).size))
  await assertSurvives(t, server, () => limit(largest() + (64 << 10)), () => limit('unlimited'))
})

// What is on the disk when it fails and the machine goes down at that moment: the file opens,
// and everything acknowledged is there.
test('kill -9 while the disk is full', async (t) => {
  const disk = smallDisk(t, 16)
  if (disk === null) return t.skip('this user may not mount a file system')
  const data = path.join(disk, 'data')
  fs.mkdirSync(data)
  const server = await startServer({ t, data })
  const writer = await joinSynced(t, server, HOCUSPOCUS[2], 'disk')
  const said = listen(writer)
  const sent = await fillUp(server, writer, said)
  assert.equal(said.at(-1)?.skein, 'degraded')
  const acknowledged = sent - writer.provider.unsyncedChanges
  await server.kill()

  // A larger disk, the same files.
  spawnSync('mount', ['-o', 'remount,size=64m', disk])
  const text = server.exportText('disk')
  assert.ok(text.length >= acknowledged * 1024, `${text.length / 1024} of ${acknowledged} acknowledged edits are there`)
  assert.equal(text.length % 1024, 0, 'half of an edit')
  await server.start()
  await writer.saved()
  assert.equal(writer.text.length, sent * 1024)
})

// A directory that cannot be written at all, and a file that is no database: the server says
// so at once, names the file, and leaves it as it is.
test('a damaged file is named, not overwritten', async (t) => {
  const server = await startServer({ t })
  const writer = await joinSynced(t, server, HOCUSPOCUS[2], 'damaged')
  writer.text.insert(0, 'text')
  await writer.saved()
  writer.close()
  await server.stop()
  const file = path.join(server.data, 'skein.db')
  for (const name of fs.readdirSync(server.data)) if (/-(wal|shm)$/.test(name)) fs.rmSync(path.join(server.data, name))
  const garbage = Buffer.alloc(fs.statSync(file).size, 'not a database ')
  fs.writeFileSync(file, garbage)
  await assert.rejects(server.start(), /skein\.db/)
  assert.deepEqual(fs.readFileSync(file), garbage)
})

test('a second server on the same directory is refused', async (t) => {
  const server = await startServer({ t })
  const second = new Server({ data: server.data })
  await assert.rejects(second.start(), /another|in use|lock/i)
  const person = await joinSynced(t, server, HOCUSPOCUS[2], 'still mine')
  person.text.insert(0, 'x')
  await person.saved()
})
