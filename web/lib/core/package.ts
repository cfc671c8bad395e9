// The core, compiled to WebAssembly: loaded once and only when it is first needed. The package is built by xtask and may not be there.

export type CoreEdge = {
  verify: (code: string, nowMs: number) => string
  consume: (code: string, nowMs: number) => string
  export: () => string
  learn: (list: string, vkey: string) => number
  vkey: () => string
  free: () => void
}

export type CorePackage = {
  default: (from: { module_or_path: string }) => Promise<unknown>
  Rules: new (
    setupJson: string,
  ) => { judge: (code: string, gate: number, nowMs: number) => string; free: () => void }
  Edge: new (setupJson: string, gate: number, seed: Uint8Array) => CoreEdge
  public_key: (seed: Uint8Array) => Uint8Array
  check_proof: (validationJson: string, vkey: string) => string
  check_receipt: (text: string, vkey: string) => string
  check_consistency: (older: string, newer: string, pathJson: string, vkey: string) => void
}

// A glob, because the package may not be there: then the list is empty.
const packages = import.meta.glob<CorePackage>('./pkg/admit_wasm.js')
const binaries = import.meta.glob<string>('./pkg/admit_wasm_bg.wasm', {
  query: '?url',
  import: 'default',
  eager: true,
})
let loading: Promise<CorePackage | null> | null = null

/** Null when there is no package, or it cannot be loaded now. */
export function loadCore(): Promise<CorePackage | null> {
  loading ??= (async () => {
    const [importer] = Object.values(packages)
    const [binary] = Object.values(binaries)
    if (!importer || !binary) return null
    try {
      const loaded = await importer()
      await loaded.default({ module_or_path: binary })
      return loaded
    } catch {
      loading = null
      return null
    }
  })()
  return loading
}
