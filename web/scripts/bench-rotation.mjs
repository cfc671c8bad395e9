// Measures the gate's copy of the core: what judging a code of each mode takes, and how large its QR symbol is.
// Reads { setup, codes, now } from standard input and writes { mode: { us, modules } }; used by `cargo xtask bench rotation`.
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { encode } from 'uqr'
import init, { Rules } from '../lib/core/pkg/admit_wasm.js'

const CELL_MS = 1500
const TURN = 50

const { setup, codes, now } = JSON.parse(readFileSync(0, 'utf8'))
await init({ module_or_path: readFileSync(new URL('../lib/core/pkg/admit_wasm_bg.wasm', import.meta.url)) })
const rules = new Rules(JSON.stringify(setup))

const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const message = Buffer.alloc(46, 7)
const signature = sign(null, message, privateKey)
// A gate answers for a challenge that it drew itself; what it checks is a device key's signature, as in `device`.
const judged = Object.entries(codes).filter(([mode]) => mode !== 'challenge')
const checks = judged.map(([mode, code]) => [mode, () => rules.judge(code, 1, now)])
checks.push(['bare', () => verify(null, message, publicKey, signature)])

const spent = Object.fromEntries(checks.map(([mode]) => [mode, 0]))
let turns = 0
// Each gets its turn, so that all see the same machine; the first turns warm the engine up.
for (const until = performance.now() + CELL_MS * checks.length; performance.now() < until; turns += 1) {
  if (turns === 4) for (const [mode] of checks) spent[mode] = 0
  for (const [mode, check] of checks) {
    const began = performance.now()
    for (let times = 0; times < TURN; times += 1) check()
    spent[mode] += performance.now() - began
  }
}
const measured = [...Object.keys(codes), 'bare'].map(mode => {
  const us = mode in spent ? (spent[mode] * 1000) / ((turns - 4) * TURN) : null
  const modules = mode === 'bare' ? 0 : encode(codes[mode], { ecc: 'M', border: 0 }).size
  return [mode, { us, modules }]
})
process.stdout.write(JSON.stringify(Object.fromEntries(measured)))
