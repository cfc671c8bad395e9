// Runs one TypeScript file in Node through Vite's module runner, since Node 20 cannot strip types.
import { pathToFileURL } from 'node:url'
import { runnerImport } from 'vite'

const [file, ...rest] = process.argv.slice(2)
if (!file) throw new Error('usage: run-ts.mjs file.ts [arguments]')
process.argv.splice(2, process.argv.length, ...rest)
const root = new URL('..', import.meta.url).pathname
const { module } = await runnerImport(pathToFileURL(`${root}/${file}`).pathname, {
  root,
  configFile: false,
  logLevel: 'warn',
})
await module.main?.()
