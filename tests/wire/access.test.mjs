// Who may do what: static tokens, JSON web tokens, and neither.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { startServer } from './server.mjs'
import { HOCUSPOCUS, KINDS, Y_WEBSOCKETS, join, joinSynced, next } from './clients.mjs'

const SECRET = 'a secret of the tests, thirty-two bytes and more'
const TOKENS = {
  writer: { access: 'write', user: 'Ada' },
  reader: { access: 'read', user: 'Bob' },
  docs: { access: 'write', rooms: ['docs/*', 'welcome'] },
  old: { access: 'none', reason: 'this key was replaced' },
  '*': { access: 'none', reason: 'please sign in' },
}

const base64url = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

function jwt(claims, { secret = SECRET, header = { alg: 'HS256', typ: 'JWT' } } = {}) {
  const text = `${base64url(header)}.${base64url(claims)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}
const inAnHour = () => Math.floor(Date.now() / 1000) + 3600

let server
let directory
before(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skein-tokens-'))
  fs.writeFileSync(path.join(directory, 'tokens.json'), JSON.stringify(TOKENS))
  server = await startServer({ args: ['--tokens', path.join(directory, 'tokens.json')], env: { SKEIN_JWT_SECRET: SECRET } })
})
after(async () => {
  await server.dispose()
  fs.rmSync(directory, { recursive: true, force: true })
})

// A reader sees everything and changes nothing: its edits are answered with "not applied",
// so that they stay unsynced at the reader, and reach nobody.
for (const kind of HOCUSPOCUS) {
  test(`${kind.name}: a reader reads`, async (t) => {
    const room = `read ${kind.name}`
    const writer = await joinSynced(t, server, kind, room, { token: 'writer' })
    const reader = await joinSynced(t, server, kind, room, { token: 'reader' })
    if (kind.major > 2) assert.equal(reader.provider.authorizedScope, 'readonly')
    if (kind.major > 2) assert.equal(writer.provider.authorizedScope, 'read-write')
    writer.text.insert(0, 'from the writer')
    await reader.holds('from the writer')
    const before = reader.provider.unsyncedChanges
    reader.text.insert(0, 'not to be seen')
    assert.equal(reader.provider.unsyncedChanges, before + 1)
    writer.text.insert(15, '!')
    await reader.holds('not to be seenfrom the writer!')
    await writer.saved()
    assert.equal(writer.text.toString(), 'from the writer!')
    assert.equal(server.exportText(room), 'from the writer!')
    assert.ok(reader.provider.unsyncedChanges > 0, 'a refused edit counts as synced')
  })
}

// A reader who never wrote has nothing outstanding.
test('a reader who only reads is synced with nothing outstanding', async (t) => {
  const writer = await joinSynced(t, server, HOCUSPOCUS[2], 'only reads', { token: 'writer' })
  writer.text.insert(0, 'text')
  await writer.saved()
  const reader = await joinSynced(t, server, HOCUSPOCUS[2], 'only reads', { token: 'reader' })
  await reader.saved()
  assert.equal(reader.text.toString(), 'text')
})

// y-websocket has no word for it: a reader's edits go nowhere, and it still receives.
for (const kind of Y_WEBSOCKETS) {
  test(`${kind.name}: a reader reads`, async (t) => {
    const room = `read ${kind.name}`
    const writer = await joinSynced(t, server, kind, room, { token: 'writer' })
    const reader = await joinSynced(t, server, kind, room, { token: 'reader' })
    reader.text.insert(0, 'not to be seen')
    writer.text.insert(0, 'from the writer')
    await reader.holds(reader.doc.clientID < writer.doc.clientID ? 'not to be seenfrom the writer' : 'from the writernot to be seen')
    assert.equal(writer.text.toString(), 'from the writer')
  })
}

// A refusal carries its reason; the document opens once the token is right, on the same socket.
for (const kind of HOCUSPOCUS) {
  test(`${kind.name}: refused with the reason`, async (t) => {
    const nobody = join(t, server, kind, 'refused', { token: 'unheard of' })
    assert.equal(await nobody.refusedWith(), 'please sign in')
    const old = join(t, server, kind, 'refused', { token: 'old' })
    assert.equal(await old.refusedWith(), 'this key was replaced')
    const stranger = join(t, server, kind, 'elsewhere', { token: 'docs' })
    assert.match(await stranger.refusedWith(), /\S/)
    const docs = await joinSynced(t, server, kind, 'docs/deep/inside', { token: 'docs' })
    docs.text.insert(0, 'x')
    await docs.saved()
    await joinSynced(t, server, kind, 'welcome', { token: 'docs' })
  })
}

test('a refused provider may try again on the same socket', async (t) => {
  let token = 'unheard of'
  const person = join(t, server, HOCUSPOCUS[2], 'second try', { token: () => token })
  await person.refusedWith()
  token = 'writer'
  const authenticated = next(person.provider, 'authenticated')
  await person.provider.sendToken()
  person.provider.startSync()
  await authenticated
  person.text.insert(0, 'in')
  await person.saved()
})

// y-websocket learns it by a close code that version 3.1 takes for final, with the reason.
for (const kind of Y_WEBSOCKETS) {
  test(`${kind.name}: refused with a code of 44xx`, async (t) => {
    const person = join(t, server, kind, 'refused', { token: 'old' })
    const [event] = await next(person.provider, 'connection-close')
    person.provider.shouldConnect = false
    assert.equal(event.code, 4403)
    assert.match(String(event.reason), /this key was replaced/)
  })
}

// A JSON web token says who, what and where; anything wrong with it refuses it.
for (const kind of [Y_WEBSOCKETS[2], ...HOCUSPOCUS]) {
  test(`${kind.name}: JSON web tokens`, async (t) => {
    const write = jwt({ sub: 'u1', name: 'Ada', access: 'write', exp: inAnHour() })
    const read = jwt({ sub: 'u2', access: 'read', exp: inAnHour() })
    const some = jwt({ sub: 'u3', access: 'write', rooms: ['jwt*'], exp: inAnHour() })
    const room = `jwt ${kind.name}`
    const writer = await joinSynced(t, server, kind, room, { token: write })
    const reader = await joinSynced(t, server, kind, room, { token: read })
    const third = await joinSynced(t, server, kind, room, { token: some })
    writer.text.insert(0, 'signed')
    await reader.holds('signed')
    await third.holds('signed')
    if (kind.major > 2) assert.equal(reader.provider.authorizedScope, 'readonly')
    if (kind.major > 2) assert.equal(third.provider.authorizedScope, 'read-write')
  })
}

const refusals = {
  'another secret': () => jwt({ sub: 'u', access: 'write', exp: inAnHour() }, { secret: 'guessed' }),
  'no signature (alg none)': () => `${base64url({ alg: 'none' })}.${base64url({ sub: 'u', access: 'write' })}.`,
  'another algorithm': () => jwt({ sub: 'u', access: 'write', exp: inAnHour() }, { header: { alg: 'HS512' } }),
  expired: () => jwt({ sub: 'u', access: 'write', exp: Math.floor(Date.now() / 1000) - 3600 }),
  'not yet valid': () => jwt({ sub: 'u', access: 'write', exp: inAnHour() + 7200, nbf: inAnHour() }),
  'another room': () => jwt({ sub: 'u', access: 'write', rooms: ['mine*'], exp: inAnHour() }),
  'a payload that was changed': () => {
    const [head, , signature] = jwt({ sub: 'u', access: 'read', exp: inAnHour() }).split('.')
    return `${head}.${base64url({ sub: 'u', access: 'write', exp: inAnHour() })}.${signature}`
  },
}
for (const [what, token] of Object.entries(refusals)) {
  test(`a JSON web token is refused: ${what}`, async (t) => {
    const person = join(t, server, HOCUSPOCUS[2], 'jwt refused', { token: token() })
    assert.match(await person.refusedWith(), /\S/)
    assert.equal(person.provider.isAuthenticated, false)
  })
}

// The secret by flag; and where there is a secret, nobody comes in without a token.
test('the secret by --jwt-secret', async (t) => {
  const own = await startServer({ t, args: ['--jwt-secret', SECRET] })
  const writer = await joinSynced(t, own, HOCUSPOCUS[2], 'flag', { token: jwt({ sub: 'u', access: 'write', exp: inAnHour() }) })
  writer.text.insert(0, 'x')
  await writer.saved()
  for (const kind of HOCUSPOCUS.slice(1)) assert.match(await join(t, own, kind, 'flag', { token: '' }).refusedWith(), /\S/)
})

// Without tokens and secret everybody may write, on this machine only.
test('without any configuration everybody on this machine may write', async (t) => {
  const own = await startServer({ t })
  for (const kind of KINDS) await joinSynced(t, own, kind, 'open', { token: 'whatever' })
  assert.match(own.log, /loopback|this machine|127\.0\.0\.1/)
})
