// Writes a .br sibling beside every text and wasm file of dist/, so that the server never compresses.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants } from 'node:zlib'

const dist = new URL('../dist', import.meta.url).pathname
const wanted = /\.(html|js|css|svg|wasm|json|webmanifest|txt)$/
let plain = 0
let packed = 0
for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !wanted.test(entry.name)) continue
  const path = join(entry.parentPath ?? entry.path, entry.name)
  const bytes = await readFile(path)
  if (bytes.length < 256) continue
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length }
  const br = await promisify(brotliCompress)(bytes, { params })
  await writeFile(`${path}.br`, br)
  plain += bytes.length
  packed += br.length
}
console.log(`precompressed ${plain} bytes to ${packed} (brotli)`)
