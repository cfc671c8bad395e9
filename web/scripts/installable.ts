// The Vite plugin that makes pages installable: a manifest for three of them, an offline service worker for two.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Plugin } from 'vite'

type Installable = {
  page: string
  scope: string
  name: string
  shortName: string
  orientation?: string
  /** null: no service worker. 'prompt': the page asks before it changes. 'auto': the new one takes over at the next visit. */
  update: 'prompt' | 'auto' | null
}

const apps: Installable[] = [
  { page: 'wallet', scope: '/ticket/', name: 'Admit One tickets', shortName: 'Tickets', update: 'auto' },
  { page: 'gate', scope: '/gate/', name: 'Admit One gate', shortName: 'Gate', update: 'prompt' },
  // The desk shows live facts and must never run yesterday's code from a cache: installable, but no worker.
  { page: 'desk', scope: '/desk/', name: 'Admit One desk', shortName: 'Desk', update: null },
]

const icons = { any: 'icon-192.png', large: 'icon-512.png', maskable: 'icon-maskable-512.png' }
const here = (path: string) => new URL(path, import.meta.url).pathname

export function installable(): Plugin {
  return {
    name: 'admit-installable',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_html, context) {
        const app = apps.find(candidate => context.path === `/${candidate.page}/index.html`)
        if (!app) return []
        return [
          {
            tag: 'link',
            attrs: { rel: 'manifest', href: `${app.scope}manifest.webmanifest` },
            injectTo: 'head',
          },
        ]
      },
    },
    generateBundle(_options, bundle) {
      const iconUrl = Object.fromEntries(
        Object.entries(icons).map(([key, name]) => {
          const reference = this.emitFile({
            type: 'asset',
            name,
            source: readFileSync(here(`../lib/ui/icons/${name}`)),
          })
          return [key, `/${this.getFileName(reference)}`]
        }),
      )
      const template = readFileSync(here('../lib/pwa/service-worker.js'), 'utf8')
      for (const app of apps) {
        const manifest = JSON.stringify({
          id: app.scope,
          name: app.name,
          short_name: app.shortName,
          start_url: app.scope,
          scope: app.scope,
          display: 'standalone',
          background_color: '#f7f3ec',
          theme_color: '#6a2257',
          icons: [
            { src: iconUrl.any, sizes: '192x192', type: 'image/png' },
            { src: iconUrl.large, sizes: '512x512', type: 'image/png' },
            { src: iconUrl.maskable, sizes: '512x512', type: 'image/png', purpose: 'maskable' },
          ],
        })
        this.emitFile({ type: 'asset', fileName: `${app.page}/manifest.webmanifest`, source: manifest })
        if (app.update === null) continue

        // Everything the page may load, now or later: static and lazy chunks, styles, workers and wasm.
        const files = new Set<string>()
        const visited = new Set<string>()
        // Only the gate judges without a network; the wallet loads the core when somebody checks a receipt.
        const wanted = (fileName: string) =>
          app.page === 'gate' || !/admit_wasm|decode-worker|zxing_reader/.test(fileName)
        // The wallet keeps its decoder from when a ticket that can answer a gate has fetched it: the others need it never.
        const later =
          app.page === 'wallet'
            ? Object.keys(bundle)
                .filter(fileName => /decode-worker|zxing_reader/.test(fileName))
                .map(file => `/${file}`)
            : []
        const visit = (fileName: string) => {
          const chunk = bundle[fileName]
          if (visited.has(fileName) || !wanted(fileName) || chunk?.type !== 'chunk') return
          visited.add(fileName)
          // A chunk of styles alone is no file in the end; one that is not there would fail the whole installation.
          if (!Object.keys(chunk.modules).every(id => id.endsWith('.css'))) files.add(fileName)
          for (const css of chunk.viteMetadata?.importedCss ?? []) files.add(css)
          for (const asset of chunk.viteMetadata?.importedAssets ?? []) {
            if (wanted(asset)) files.add(asset)
          }
          for (const next of [...chunk.imports, ...chunk.dynamicImports]) visit(next)
        }
        for (const [fileName, chunk] of Object.entries(bundle)) {
          if (chunk.type === 'chunk' && chunk.isEntry && chunk.name === app.page) visit(fileName)
          if (app.page === 'gate' && /decode-worker|zxing_reader|admit_wasm/.test(fileName))
            files.add(fileName)
        }
        const precache = [
          app.scope,
          `${app.scope}manifest.webmanifest`,
          iconUrl.any,
          ...[...files].sort().map(file => `/${file}`),
        ]
        const html = bundle[`${app.page}/index.html`]
        const version = createHash('sha256')
          .update(JSON.stringify([precache, later]))
          .update(html?.type === 'asset' ? html.source : '')
          .update(template)
          .digest('hex')
          .slice(0, 12)
        const source = template
          .replace("'__APP__'", JSON.stringify(app.page))
          .replace("'__SCOPE__'", JSON.stringify(app.scope))
          .replace("'__VERSION__'", JSON.stringify(version))
          .replace("'__UPDATE__'", JSON.stringify(app.update))
          .replace("['__FILES__']", JSON.stringify(precache))
          .replace("['__LATER__']", JSON.stringify(later))
        this.emitFile({ type: 'asset', fileName: `${app.page}/sw.js`, source })
      }
    },
  }
}
