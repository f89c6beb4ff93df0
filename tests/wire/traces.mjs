// Recorded editing histories: from SKEIN_TRACES, or ../../../shared/traces. They are not part
// of the repository; where they are missing the tests that need them are skipped, with words.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import zlib from 'node:zlib'

const DIRECTORY = process.env.SKEIN_TRACES || path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../shared/traces')

export const missing = fs.existsSync(DIRECTORY) ? false : `no editing histories in ${DIRECTORY}: set SKEIN_TRACES`

export function readTrace(name) {
  return JSON.parse(zlib.gunzipSync(fs.readFileSync(path.join(DIRECTORY, `${name}.json.gz`))))
}

// The positions of a trace count code points, Yjs counts UTF-16 units. They are the same until
// the first character outside the basic plane; this counts from there on.
export class Typist {
  constructor(text) {
    this.text = text
    this.wide = false
  }

  unit(position) {
    if (!this.wide) return position
    let unit = 0
    for (const char of this.text.toString()) {
      if (position-- === 0) break
      unit += char.length
    }
    return unit
  }

  patch([position, deleted, inserted]) {
    if (deleted > 0) {
      const from = this.unit(position)
      this.text.delete(from, this.unit(position + deleted) - from)
    }
    if (inserted !== '') {
      this.text.insert(this.unit(position), inserted)
      if (/[\ud800-\udfff]/.test(inserted)) this.wide = true
    }
  }
}
