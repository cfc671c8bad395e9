// Measures what a first visit to each page downloads (html, its css, its js and their static imports; gzip -9) against the budgets.
import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'

const dist = new URL('../dist', import.meta.url).pathname
const budgets = { register: 15, wallet: 30, gate: 25, desk: 30, docs: 15, help: 8, sandbox: 30 }
let failed = false
for (const [app, budget] of Object.entries(budgets)) {
  const html = await readFile(`${dist}/${app}/index.html`, 'utf8')
  const seen = new Map([[`/${app}/index.html`, html]])
  const queue = [...html.matchAll(/(?:src|href)="(\/(?:assets|help)\/[^"]+\.(?:js|css))"/g)].map(
    match => match[1],
  )
  while (queue.length > 0) {
    const url = queue.pop()
    if (seen.has(url)) continue
    const text = await readFile(dist + url, 'utf8')
    seen.set(url, text)
    if (!url.endsWith('.js')) continue
    for (const match of text.matchAll(/(?:import|from)\s*["'](\.\/[^"']+\.js)["']/g)) {
      queue.push(new URL(match[1], `http://x${url}`).pathname)
    }
  }
  let total = 0
  for (const text of seen.values()) total += gzipSync(text, { level: 9 }).length
  const over = total > budget * 1000
  failed ||= over
  console.log(
    `${app.padEnd(9)} ${(total / 1000).toFixed(1).padStart(5)} kB gz of ${budget} in ${seen.size} files${over ? '  OVER' : ''}`,
  )
}
if (failed) process.exitCode = 1
