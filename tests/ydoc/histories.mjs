// Random histories: what several people do with Yjs, how their updates reach the document under
// test, and what it is asked on the way.
//
// A plan is a list of steps, each with a seed of its own. Performing it runs everything on real
// Yjs, the document under test included (the Reference), and gives a script: the requests that
// were made and the answer to each. Steps can be left out of a plan and requests out of a script,
// and what is left is a history again; that is how failures are made smaller.
import * as Y from 'yjs'
import { FAMILIES, children, makeEdits } from './families.mjs'
import { encodeJson, encodeList, encodeNew, encodePosition, encodeRead } from './oracle.mjs'
import { Random, makeIds } from './random.mjs'
import { Reference } from './reference.mjs'
import { TYPES } from './tagged.mjs'

const NOTHING = Buffer.alloc(0)
const KNOWN = 'known' // the origin of what an author was told; it is not written down again

// How updates reach the document under test.
export const DELIVERIES = ['inorder', 'shuffled', 'duplicated', 'merged', 'recovered', 'lost', 'mixed']

// ---- plans -----------------------------------------------------------------------------------------

// What the groups of checks ask, and which steps beside the authors' their histories have.
export const GROUPS = {
  'apply v1': { step: 'ESUP' },
  'apply v2': { step: 'FESU', versions: [1, 2, 2] },
  'reading': { end: 'J' },
  'updates v1': { end: 'eMDV' },
  'updates v2': { end: 'fmdvCc', versions: [1, 2] },
  'snapshots': { step: 'XY' },
  'positions': { step: 'RQ' },
  'local edits alone': { step: 'UEJ', local: 1, authors: 0 },
  'local edits among others': { step: 'UEJS', local: 0.35 },
  'undo alone': { step: 'UEJ', local: 0.6, authors: 0, undo: 0.4 },
  'undo among others': { step: 'UEJS', local: 0.25, undo: 0.2 },
}

export function makePlan(group, familyName, seed, length = 30) {
  const random = new Random(seed)
  const { local = 0, undo = 0, authors: wanted } = GROUPS[group]
  const authors = makeIds(random, wanted ?? random.between(2, 5)).map((id) => {
    return { id, gc: random.chance(0.7), undo: random.chance(0.3) ? random.pick([0, 1e9]) : null }
  })
  const plan = {
    group, family: familyName, seed, gc: random.chance(0.7), isDeclared: local > 0 || random.chance(0.85), authors,
    delivery: random.pick(DELIVERIES), captureTimeout: random.pick([0, 1e9]), steps: [],
  }
  const kinds = { edit: 60, sync: familyName === 'styles' ? 40 : 25, ...(authors.some((author) => author.undo !== null) && { undo: 8 }) }
  for (let left = random.between(length / 2, length); left > 0; left--) {
    const step = random.chance(undo) ? 'manage' : random.chance(local) || authors.length === 0 ? 'local' : random.weighted(kinds)
    plan.steps.push({ step, seed: random.seed() })
    if (local > 0 && authors.length > 0 && random.chance(0.4)) plan.steps.push({ step: 'deliver', seed: random.seed() })
  }
  plan.end = random.seed()
  return plan
}

// ---- performing ----------------------------------------------------------------------------------------

class Author {
  constructor({ id, gc, undo }, roots) {
    this.doc = new Y.Doc({ gc, guid: 'author' })
    this.doc.clientID = id
    this.known = new Set()
    this.made = { v1: [], v2: [] }
    const types = Object.entries(roots).map(([name, kind]) => this.doc.get(name, TYPES[kind]))
    for (const [event, list] of [['update', this.made.v1], ['updateV2', this.made.v2]]) {
      this.doc.on(event, (update, origin) => { if (origin !== KNOWN) list.push(update) })
    }
    if (undo !== null) this.manager = new Y.UndoManager(types, { captureTimeout: undo })
  }
}

class World {
  constructor(plan) {
    this.plan = plan
    this.family = FAMILIES[plan.family]
    this.checks = GROUPS[plan.group]
    this.reference = new Reference()
    this.script = []
    this.updates = [] // {v1, v2, isDelivered, isLost, isOurs}
    this.authors = plan.authors.map((author) => new Author(author, this.family.roots))
    this.ask('N', encodeNew(plan.gc, this.family.roots, plan.isDeclared))
    if (this.family.styles && this.authors.length > 0) this.startText()
    if (this.checks.undo) {
      this.ask('K', encodeJson({ scope: Object.keys(this.family.roots), captureTimeout: plan.captureTimeout }))
    }
  }

  // A text that everybody has, so that all of them can format the same words.
  startText() {
    const [first, ...others] = this.authors
    first.doc.getText('text').insert(0, 'some words')
    this.collect(first)
    for (const author of others) {
      Y.applyUpdate(author.doc, this.updates[0].v1, KNOWN)
      author.known.add(this.updates[0])
    }
  }

  // A request, and what Yjs answers.
  ask(command, payload = NOTHING) {
    const answer = this.reference.handle(command, payload)
    this.script.push({ command, payload: Buffer.from(payload), answer })
    return answer
  }

  // Writes down what an author's document has emitted.
  collect(author) {
    author.made.v1.forEach((v1, i) => {
      const update = { v1, v2: author.made.v2[i] }
      this.updates.push(update)
      author.known.add(update)
    })
    author.made.v1.length = author.made.v2.length = 0
  }

  // What our own document has emitted becomes known to the authors like anybody's. A clean-up
  // after a remote update is among it.
  collectOurs(answer) {
    let at = 4
    for (let left = answer.readUInt32LE(0); left > 0; left--) {
      const end = at + 4 + answer.readUInt32LE(at)
      this.updates.push({ v1: new Uint8Array(answer.subarray(at + 4, end)), isDelivered: true })
      at = end
    }
  }

  perform() {
    for (const { step, seed } of this.plan.steps) this[step](new Random(seed))
    this.finish(new Random(this.plan.end))
    return this.script
  }

  // ---- steps of the authors

  edit(random) {
    if (this.authors.length === 0) return
    const author = random.pick(this.authors)
    makeEdits(author.doc, this.family, random, true)
    this.collect(author)
  }

  undo(random) {
    const author = random.pick(this.authors.filter((each) => each.manager))
    const { manager } = author
    random.pick([() => manager.undo(), () => manager.undo(), () => manager.redo(), () => manager.stopCapturing()])()
    this.collect(author)
  }

  // One author learns all or some of what there is.
  sync(random) {
    const author = random.pick(this.authors)
    const news = this.updates.filter((update) => !author.known.has(update))
    const some = random.chance(0.7) ? news : news.filter(() => random.chance(0.6))
    for (const update of random.chance(0.3) ? random.shuffled(some) : some) {
      Y.applyUpdate(author.doc, update.v1, KNOWN)
      author.known.add(update)
    }
    this.collect(author)
  }

  // ---- steps of the document under test

  local(random) {
    const edits = makeEdits(this.reference.doc, this.family, random, false)
    this.script.push({ command: 'T', payload: encodeJson(edits), answer: NOTHING })
    this.check(random)
  }

  manage(random) {
    this.ask('K', encodeJson(random.weighted({ undo: 5, redo: 3, stop: 1 })))
    this.check(random)
  }

  apply(v1, v2, random) {
    const isV2 = v2 !== undefined && random.pick(this.checks.versions ?? [1]) === 2
    this.ask(isV2 ? '2' : '1', isV2 ? v2 : v1)
    this.check(random)
  }

  deliver(random) {
    const waiting = this.updates.filter((update) => !update.isDelivered && !update.isLost)
    if (waiting.length === 0) return
    let way = this.plan.delivery
    if (way === 'mixed') way = random.pick(DELIVERIES.slice(0, 5))
    const take = (update) => {
      update.isDelivered = true
      this.apply(update.v1, update.v2, random)
    }
    if (way === 'inorder') return take(waiting[0])
    if (way === 'shuffled') return take(random.pick(waiting))
    if (way === 'merged') return this.deliverGroup(random.shuffled(waiting).slice(0, random.between(1, 4)), random)
    if (way === 'duplicated') return take(random.chance(0.6) ? waiting[0] : random.pick(this.updates))
    if (random.chance(0.2)) waiting[0].isLost = true // recovered at the end, or never
    else take(waiting[0])
  }

  deliverGroup(group, random) {
    for (const update of group) update.isDelivered = true
    const v1 = Y.mergeUpdates(group.map((update) => update.v1))
    const v2 = group.every((update) => update.v2) ? Y.mergeUpdatesV2(group.map((update) => update.v2)) : undefined
    this.apply(v1, v2, random)
  }

  finish(random) {
    const isWaiting = (update) => !update.isDelivered && !update.isLost
    while (this.updates.some(isWaiting)) this.deliver(new Random(random.seed()))
    if (this.plan.delivery !== 'lost') {
      for (const update of this.updates) update.isLost = false
      while (this.updates.some(isWaiting)) this.deliver(new Random(random.seed()))
    }
    this.askAll(this.checks.end ?? this.checks.step, random)
    this.askAll('SE', random) // whatever the group is about, the document is the same in the end
  }

  // ---- checks

  check(random) {
    if (this.checks.step) this.askAll(this.checks.step, random)
  }

  askAll(what, random) {
    for (const each of what) CHECKS[each](this, random)
  }

  rootsRead() {
    return Object.entries(this.family.roots).map(([name, kind]) => this.ask('J', encodeRead(kind, name)))
  }

  // A position in a root's list; past its end too.
  position(random) {
    const [name, kind] = random.pick(Object.entries(this.family.roots))
    const { length } = this.reference.doc.get(name, TYPES[kind])
    return encodePosition(kind, name, random.below((length ?? 0) + 2), random.pick([-1, 0, 0, 1]))
  }

  // Somebody else's position, also in a type below a root.
  foreignPosition(random) {
    const { doc } = random.pick(this.authors)
    const [name, kind] = random.pick(Object.entries(this.family.roots))
    let type = doc.get(name, TYPES[kind])
    for (let depth = random.below(3); depth > 0; depth--) type = random.pick([[0, type], ...children(type)])[1]
    const index = random.below((type.length ?? 0) + 1)
    return Y.encodeRelativePosition(Y.createRelativePositionFromTypeIndex(type, index, random.pick([-1, 0, 0, 1])))
  }

  // A state vector that a peer might have, or one made up.
  vector(random) {
    if (this.authors.length > 0 && random.chance(0.4)) return Y.encodeStateVector(random.pick(this.authors).doc)
    const known = [...Y.decodeStateVector(Y.encodeStateVector(this.reference.doc))].filter(() => random.chance(0.7))
    const entries = known.map(([client, clock]) => [client, random.chance(0.8) ? random.below(clock + 1) : clock + random.below(4)])
    if (random.chance(0.3)) entries.push([999, 5])
    return Y.encodeStateVector(new Map(entries))
  }

  // Some of what was made, merged and cut, in either format.
  someUpdates(random, version) {
    const made = this.updates.filter((update) => update.v2)
    const some = random.shuffled(made).slice(0, random.between(1, 6))
    const list = some.length > 0 ? some : [{ v1: Y.encodeStateAsUpdate(this.reference.doc), v2: Y.encodeStateAsUpdateV2(this.reference.doc) }]
    return (random.chance(0.4) ? made.filter((update) => list.includes(update)) : list).map((update) => update[`v${version}`])
  }

  updatesOf(version, letters, random) {
    const [merge, diff, vector, convert] = letters
    for (let left = 4; left > 0; left--) {
      const merged = merge && this.ask(merge, encodeList(this.someUpdates(random, version)))
      const one = merged ?? this.someUpdates(random, version)[0]
      if (diff) this.ask(diff, encodeList([one, this.vector(random)]))
      if (vector) this.ask(vector, one)
      if (convert) this.ask(convert, one)
    }
  }
}

// One letter a check: the command that it is about, where there is one.
const CHECKS = {
  E: (world) => world.ask('E'),
  F: (world) => world.ask('F'),
  S: (world) => world.ask('S'),
  P: (world) => world.ask('P'),
  X: (world) => world.ask('X'),
  Y: (world) => world.ask('Y'),
  U: (world) => world.collectOurs(world.ask('U')),
  J: (world) => world.rootsRead(),
  e: (world, random) => random.list(4, () => world.ask('E', world.vector(random))),
  f: (world, random) => random.list(4, () => world.ask('F', world.vector(random))),
  R: (world, random) => random.list(2, () => world.ask('Q', world.ask('R', world.position(random)))),
  Q: (world, random) => random.list(world.authors.length > 0 ? 2 : 0, () => world.ask('Q', world.foreignPosition(random))),
  M: (world, random) => world.updatesOf(1, 'M', random),
  D: (world, random) => world.updatesOf(1, 'MD', random),
  V: (world, random) => world.updatesOf(1, ['M', null, 'V'], random),
  C: (world, random) => world.updatesOf(1, [null, null, null, 'C'], random),
  m: (world, random) => world.updatesOf(2, 'm', random),
  d: (world, random) => world.updatesOf(2, 'md', random),
  v: (world, random) => world.updatesOf(2, ['m', null, 'v'], random),
  c: (world, random) => world.updatesOf(2, ['m', null, null, 'c'], random),
}

// The script of a plan: [{command, payload, answer}].
export function perform(plan) {
  return new World(plan).perform()
}

// What Yjs answers to the requests of a script, when some were left out. Undefined when it refuses
// one of them: then it is no history.
export function answerAgain(script) {
  const reference = new Reference()
  try {
    return script.map(({ command, payload }) => ({ command, payload, answer: reference.handle(command, payload) }))
  } catch {
    return undefined
  }
}
