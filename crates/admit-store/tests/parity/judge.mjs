// Judges scans with the core as browsers run it: reads {setup, answer, scans} on standard input, and writes the verdict and
// reason of each scan. `answer` is what the server told at the last contact.
import { readFileSync } from 'node:fs'

const [folder] = process.argv.slice(2)
const core = await import(`${folder}/admit_wasm.js`)
await core.default({ module_or_path: readFileSync(`${folder}/admit_wasm_bg.wasm`) })

const { setup, answer, start, scans } = JSON.parse(readFileSync(0, 'utf8'))
const station = new core.Station(JSON.stringify(setup), setup.device)
station.heard(JSON.stringify(answer), 0, start, 0, start)

const told = scans.map(({ id, code, gate, at }) => {
  const read = JSON.parse(station.present(id, code, gate, undefined, false, at - start, at))
  const shown = read.effects.find(effect => effect.do === 'show')
  return shown ? [shown.verdict, shown.reason] : ['refuse', read.reason]
})
process.stdout.write(JSON.stringify(told))
