// One build, seven pages: register, wallet, gate, desk, docs, help and sandbox; each is an entry of its own under dist/.
import { readFileSync } from 'node:fs'
import { defineConfig } from 'vite'
import { installable } from './scripts/installable.ts'

const pages = ['register', 'wallet', 'gate', 'desk', 'docs', 'help', 'sandbox']

const cargo = readFileSync(new URL('../Cargo.toml', import.meta.url), 'utf8')
const version = /^version = "([^"]+)"/m.exec(cargo)?.[1] ?? 'development'

export default defineConfig({
  appType: 'mpa',
  define: { __ADMIT_VERSION__: JSON.stringify(version) },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    // Without it every modern rule is written twice, the second time for browsers that cannot run the scripts anyway.
    cssTarget: ['chrome111', 'safari16.4', 'firefox113'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: Object.fromEntries(pages.map(page => [page, `${page}/index.html`])),
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        codeSplitting: {
          groups: [
            // What nearly every page needs goes into one file: many tiny ones cost more than they save.
            {
              name: 'base',
              test: /preact\/(dist|hooks|jsx-runtime)|lib\/(ui\/(field|form-errors|skip-link|wordmark|mount)|api\/http|i18n\/translate|time\/zone)\.ts/,
            },
            // Whoever loads something later needs the helper, and mostly also the core: one small file less.
            { name: 'loader', test: /vite\/preload-helper|lib\/core\/package\.ts|lib\/ui\/lazy\.tsx/ },
          ],
        },
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  worker: { format: 'es' },
  plugins: [installable()],
})
