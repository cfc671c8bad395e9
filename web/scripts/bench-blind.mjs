// Measures in Chromium what buying a ticket without a name costs its wallet: blinding and finalizing, beside an implementation
// of others (@cloudflare/blindrsa-ts). Writes { blind_ms, finalize_ms, their_blind_ms }; used by `cargo xtask bench blind`.
import { chromium } from 'playwright-core'
import { createServer } from 'vite'

const root = new URL('..', import.meta.url).pathname
const server = await createServer({
  root,
  configFile: false,
  logLevel: 'error',
  cacheDir: 'node_modules/.vite-bench',
  server: { host: '127.0.0.1', port: 0, hmr: false },
  optimizeDeps: { include: ['@cloudflare/blindrsa-ts'] },
})
// A page of nothing but the two implementations, which the server transforms for the browser.
const entry = `
  import * as ours from '/lib/anonymous/blind-rsa.ts'
  import { RSABSSA } from '@cloudflare/blindrsa-ts'
  Object.assign(window, { ours, RSABSSA })
`
server.middlewares.use('/bench-blind.html', async (_, response) => {
  const html = `<!doctype html><script type="module">${entry}</script>`
  response.setHeader('content-type', 'text/html')
  response.end(await server.transformIndexHtml('/bench-blind.html', html))
})
await server.listen()
// Middlewares that are added late come after the ones that answer 404: this one goes first.
server.middlewares.stack.unshift(server.middlewares.stack.pop())

/** Runs in the page. */
async function measure() {
  const TIMES = 20
  // The browser's clock is coarse: several at a time.
  const TURN = 10
  const THEIR_TIMES = 5
  const { ours, RSABSSA } = window
  const message = new Uint8Array(98).fill(7)
  const suite = RSABSSA.SHA384.PSS.Deterministic()
  const pair = await RSABSSA.SHA384.generateKey({
    publicExponent: Uint8Array.from([1, 0, 1]),
    modulusLength: 2048,
  })
  const { n } = await crypto.subtle.exportKey('jwk', pair.publicKey)
  const binary = atob(n.replaceAll('-', '+').replaceAll('_', '/'))
  const key = await ours.keyOf(Uint8Array.from(binary, letter => letter.charCodeAt(0)))
  const middle = values => values.sort((a, b) => a - b)[values.length >> 1]
  const timed = async work => {
    const began = performance.now()
    const result = await work()
    return [performance.now() - began, result]
  }
  const often = async work => {
    for (let times = 0; times < TURN; times += 1) await work()
  }
  const spent = { blind: [], finalize: [], theirs: [] }
  const [, first] = await timed(() => ours.blind(key, message))
  const signed = new Uint8Array(await suite.blindSign(pair.privateKey, first.message))
  for (let turn = 0; turn < TIMES; turn += 1) {
    spent.blind.push((await timed(() => often(() => ours.blind(key, message))))[0] / TURN)
    const finalize = () => ours.finalize(key, message, signed, first.inverse)
    spent.finalize.push((await timed(() => often(finalize)))[0] / TURN)
    if (turn < THEIR_TIMES) spent.theirs.push((await timed(() => suite.blind(pair.publicKey, message)))[0])
  }
  return {
    blind_ms: middle(spent.blind),
    finalize_ms: middle(spent.finalize),
    their_blind_ms: middle(spent.theirs),
  }
}

const executablePath = process.env.ADMIT_CHROMIUM ?? '/usr/bin/chromium'
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
try {
  const page = await browser.newPage()
  const address = server.httpServer.address()
  await page.goto(`http://127.0.0.1:${address.port}/bench-blind.html`)
  await page.waitForFunction(() => 'ours' in window)
  process.stdout.write(JSON.stringify(await page.evaluate(measure)))
} finally {
  await browser.close()
  await server.close()
}
