// node replay.mjs FILE…: runs scripts that a failing test or the fuzzer has left against the
// command under test and says what is different. Expectations are made anew by Yjs.
import fs from 'node:fs'
import { decodeScript, describe, firstDifference } from './compare.mjs'
import { answerAgain } from './histories.mjs'
import { Oracle } from './oracle.mjs'

const oracle = new Oracle()
for (const file of process.argv.slice(2)) {
  const kept = decodeScript(JSON.parse(fs.readFileSync(file, 'utf8')))
  const script = answerAgain(kept) ?? kept
  const found = await firstDifference(script, oracle)
  if (found !== undefined) process.exitCode = 1
  console.log(found === undefined ? `${file}: no difference` : describe(file, script, found))
}
await oracle.close()
