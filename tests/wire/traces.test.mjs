// Recorded histories of real people, typed through the server by several clients at once.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startServer } from './server.mjs'
import { HOCUSPOCUS, KINDS, Y, Y_WEBSOCKETS, joinSynced, until } from './clients.mjs'
import { Typist, missing, readTrace } from './traces.mjs'

let server
before(async () => (server = await startServer()))
after(() => server.dispose())

// Everybody has the same text and the same state; so has a late joiner, and so has the store.
async function assertAgreement(t, people, room, text) {
  for (const person of people) await person.sameAs(people[0])
  if (text !== undefined) assert.equal(people[0].text.toString(), text)
  const late = await joinSynced(t, server, HOCUSPOCUS[2], room)
  assert.equal(late.text.toString(), people[0].text.toString())
  // The log is in order: when this edit is durable, all before it are.
  late.doc.getMap('end').set('reached', true)
  await late.saved()
  assert.equal(server.exportText(room), people[0].text.toString())
  await server.restart()
  const cold = await joinSynced(t, server, Y_WEBSOCKETS[2], room)
  assert.equal(cold.text.toString(), people[0].text.toString())
}

// One trace is typed by one after the other of all kinds of clients: each types a run of
// transactions, and the next one goes on as soon as it has received them. The end is the
// recorded text.
async function relay(t, name, { run, limit = Infinity }) {
  const trace = readTrace(name)
  const room = `trace ${name}`
  const people = []
  for (const kind of KINDS) people.push(await joinSynced(t, server, kind, room))
  if (trace.startContent) people[0].text.insert(0, trace.startContent)
  const reference = new Y.Doc()
  const typist = new Typist(reference.getText('t'))
  reference.getText('t').insert(0, trace.startContent)
  const txns = trace.txns.slice(0, limit)
  for (let at = 0, turn = 0; at < txns.length; at += run, turn++) {
    const person = people[turn % people.length]
    const previous = people[(turn + people.length - 1) % people.length]
    await person.holds(previous.text.toString())
    const own = new Typist(person.text)
    own.wide = typist.wide
    // A batch of transactions is one update on the wire; batches follow each other at once.
    const batch = Math.max(1, Math.ceil(run / 8))
    for (let i = at; i < Math.min(at + run, txns.length); i += batch)
      person.doc.transact(() => {
        for (const { patches } of txns.slice(i, Math.min(i + batch, at + run))) for (const patch of patches) own.patch(patch)
      })
    typist.wide = own.wide
  }
  const last = people[(Math.ceil(txns.length / run) - 1) % people.length]
  for (const person of people) await person.holds(last.text.toString())
  await assertAgreement(t, people, room, limit === Infinity ? trace.endContent : undefined)
}

test('sveltecomponent, typed by six kinds of clients in turn', { skip: missing }, (t) => relay(t, 'sveltecomponent', { run: 400 }))
test('rustcode, typed by six kinds of clients in turn', { skip: missing }, (t) => relay(t, 'rustcode', { run: 900 }))
test('automerge-paper, typed by six kinds of clients in turn', { skip: missing }, (t) => relay(t, 'automerge-paper', { run: 8000 }))

// Several people type one trace each into the same document at once, character by character,
// without waiting for one another. Nobody knows the end in advance; all must agree on it, and
// nothing that was typed and not deleted may be missing.
test('several traces at once in one document, edit by edit', { skip: missing }, async (t) => {
  const names = ['automerge-paper', 'rustcode', 'sveltecomponent']
  const room = 'traces at once'
  const people = []
  for (const kind of [HOCUSPOCUS[2], Y_WEBSOCKETS[2], HOCUSPOCUS[0]]) people.push(await joinSynced(t, server, kind, room))
  // Each has a text of its own within the document, and all of them a shared one.
  const jobs = people.map((person, i) => {
    const trace = readTrace(names[i])
    const own = person.doc.getText(names[i])
    own.insert(0, trace.startContent)
    return { person, own, typist: new Typist(own), txns: trace.txns.slice(0, 3000), shared: 0 }
  })
  let typed = 0
  for (let at = 0; at < 3000; at += 50) {
    for (const job of jobs)
      for (const { patches } of job.txns.slice(at, at + 50)) {
        for (const patch of patches) job.typist.patch(patch)
        if (patches[0][2] !== '') {
          job.person.text.insert(Math.min(job.shared++, job.person.text.length), patches[0][2][0])
          typed++
        }
      }
    // Let the sockets speak between two bursts.
    await new Promise(setImmediate)
  }
  for (const person of people) await until('all characters', [[person.doc, 'update']], () => person.text.length === typed)
  await assertAgreement(t, people, room)
  for (const [i, job] of jobs.entries())
    for (const person of people) assert.equal(person.doc.getText(names[i]).toString(), job.own.toString())
})

// The history of people who really typed at the same time. What each transaction was as an
// update is found first, in documents that hold exactly what its parents held; then each
// person sends the updates of one agent through the server, each as soon as the person has
// received what it builds on. All must end in the text that Yjs makes of it without a server.
function updatesOf(trace) {
  const agents = Array.from({ length: trace.numAgents }, (_, i) => {
    const doc = new Y.Doc()
    doc.clientID = i + 1
    return { doc, typist: new Typist(doc.getText('t')), has: new Set() }
  })
  const updates = [] // of each transaction, and the clocks of all agents that it builds on
  const needs = []
  const catchUp = (agent, wanted) => {
    const lacking = []
    const stack = [...wanted]
    while (stack.length > 0) {
      const i = stack.pop()
      if (agent.has.has(i)) continue
      agent.has.add(i)
      lacking.push(i)
      stack.push(...trace.txns[i].parents)
    }
    for (const i of lacking.sort((a, b) => a - b)) Y.applyUpdate(agent.doc, updates[i])
  }
  for (const [i, txn] of trace.txns.entries()) {
    const agent = agents[txn.agent]
    catchUp(agent, txn.parents)
    needs.push(agents.map((_, j) => Y.getState(agent.doc.store, j + 1)))
    const parts = []
    const collect = (update) => parts.push(update)
    agent.doc.on('update', collect)
    agent.doc.transact(() => txn.patches.forEach((patch) => agent.typist.patch(patch)))
    agent.doc.off('update', collect)
    agent.has.add(i)
    updates.push(parts.length > 0 ? Y.mergeUpdates(parts) : null)
  }
  return { updates, needs }
}

test('clownschool: three people at once', { skip: missing }, async (t) => {
  const trace = readTrace('clownschool')
  const { updates, needs } = updatesOf(trace)
  const reference = new Y.Doc()
  for (const update of updates) if (update) Y.applyUpdate(reference, update)

  const room = 'trace clownschool'
  const kinds = [Y_WEBSOCKETS[0], HOCUSPOCUS[2], HOCUSPOCUS[1]]
  const people = []
  for (let i = 0; i < trace.numAgents; i++) people.push(await joinSynced(t, server, kinds[i % kinds.length], room))
  const has = (person, i) => needs[i].every((clock, j) => Y.getState(person.doc.store, j + 1) >= clock)
  const play = async (person, agent) => {
    const queue = trace.txns.map((_, i) => i).filter((i) => trace.txns[i].agent === agent && updates[i])
    while (queue.length > 0) {
      await until('what it builds on', [[person.doc, 'update']], () => has(person, queue[0]))
      person.doc.transact(() => {
        for (let n = 0; n < 40 && queue.length > 0 && has(person, queue[0]); n++) Y.applyUpdate(person.doc, updates[queue.shift()], 'typed')
      }, 'typed')
      await new Promise(setImmediate)
    }
  }
  await Promise.all(people.map(play))
  const text = reference.getText('t').toString()
  for (const person of people) await person.holds(text)
  await assertAgreement(t, people, room, text)
})
