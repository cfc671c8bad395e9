// Measures the gate's copy of the core in Chromium: what judging a code of each mode takes, and how large its QR symbol is.
// Reads { setup, codes, now } from standard input and writes { mode: { us, modules } }; used by `cargo xtask bench rotation`.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'
import { encode } from 'uqr'

const { setup, codes, now } = JSON.parse(readFileSync(0, 'utf8'))
const kinds = { js: 'text/javascript', wasm: 'application/wasm' }
const server = createServer((request, response) => {
  const name = /^\/(admit_wasm(?:_bg)?\.(js|wasm))$/.exec(request.url ?? '')
  response.setHeader('content-type', name ? kinds[name[2]] : 'text/html')
  response.end(
    name ? readFileSync(new URL(`../lib/core/pkg/${name[1]}`, import.meta.url)) : '<!doctype html>',
  )
})
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))

/** Runs in the page. */
async function measure({ setup, codes, now }) {
  const CELL_MS = 1500
  const TURN = 50
  const core = await import('/admit_wasm.js')
  await core.default({ module_or_path: '/admit_wasm_bg.wasm' })
  const rules = new core.Rules(JSON.stringify(setup))
  const message = new Uint8Array(46).fill(7)
  const { publicKey, privateKey } = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])
  const signature = await crypto.subtle.sign('Ed25519', privateKey, message)
  // A gate answers for a challenge that it drew itself; what it checks is a device key's signature, as in `device`.
  const judged = Object.entries(codes).filter(([mode]) => mode !== 'challenge')
  const checks = judged.map(([mode, code]) => [mode, () => rules.judge(code, 1, now)])
  checks.push(['bare', () => crypto.subtle.verify('Ed25519', publicKey, signature, message)])
  const spent = Object.fromEntries(checks.map(([mode]) => [mode, 0]))
  let turns = 0
  // Each gets its turn, so that all see the same machine; the first turns warm the engine up.
  for (const until = performance.now() + CELL_MS * checks.length; performance.now() < until; turns += 1) {
    if (turns === 4) for (const [mode] of checks) spent[mode] = 0
    for (const [mode, check] of checks) {
      const began = performance.now()
      for (let times = 0; times < TURN; times += 1) await check()
      spent[mode] += performance.now() - began
    }
  }
  const us = Object.entries(spent).map(([mode, ms]) => [mode, (ms * 1000) / ((turns - 4) * TURN)])
  return Object.fromEntries(us)
}

const executablePath = process.env.ADMIT_CHROMIUM ?? '/usr/bin/chromium'
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
try {
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${server.address().port}/`)
  const spent = await page.evaluate(measure, { setup, codes, now })
  const measured = [...Object.keys(codes), 'bare'].map(mode => {
    const modules = mode === 'bare' ? 0 : encode(codes[mode], { ecc: 'M', border: 0 }).size
    return [mode, { us: spent[mode] ?? null, modules }]
  })
  process.stdout.write(JSON.stringify(Object.fromEntries(measured)))
} finally {
  await browser.close()
  server.close()
}
