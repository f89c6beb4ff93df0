// Random histories against the library: every group of commands, every family of types. A fixed
// seed, so that what is said today is said tomorrow, and a fresh one, so that every run looks
// somewhere else.
//
//   YDOC_SEED        repeats a fresh seed that a failing run has printed
//   YDOC_HISTORIES   how many histories of either seed for each group and family (4)
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { GROUPS, checkPlan, makePlan } from './compare.mjs'
import { FAMILIES } from './families.mjs'
import { Oracle } from './oracle.mjs'
import { Random } from './random.mjs'

const FIXED_SEED = 20240607
const FRESH_SEED = Number(process.env.YDOC_SEED ?? randomBytes(6).readUIntBE(0, 6))
const HISTORIES = Number(process.env.YDOC_HISTORIES ?? 4)

console.log(`YDOC_SEED=${FRESH_SEED}`)

const oracle = new Oracle()
after(() => oracle.close())

// The seeds of one group and family; the first are fixed.
function seedsOf(group, family) {
  const seeds = []
  for (const seed of [FIXED_SEED, FRESH_SEED]) {
    const random = new Random(seed)
    for (const letter of `${group}/${family}`) random.a ^= Math.imul(random.next(), letter.codePointAt(0))
    for (let left = HISTORIES; left > 0; left--) seeds.push(random.seed())
  }
  return seeds
}

// Asked after every step of a history, the library gives Yjs's answers. The first history that it
// does not is made smaller and printed; the test says what it is about.
for (const group of Object.keys(GROUPS)) {
  for (const family of Object.keys(FAMILIES)) {
    test(`${group}: ${family}`, async () => {
      for (const seed of seedsOf(group, family)) {
        const report = await checkPlan(makePlan(group, family, seed), oracle)
        if (report !== undefined) throw new Error(`${report}\nYDOC_SEED=${FRESH_SEED}`)
      }
    })
  }
}
