// The core, compiled to WebAssembly: loaded once and only when it is first needed. The package is built by xtask and may not be there.

export type CoreEdge = {
  verify: (code: string, nowMs: number) => string
  consume: (code: string, nowMs: number) => string
  export: () => string
  learn: (list: string, vkey: string) => number
  vkey: () => string
  free: () => void
}

/** The device's state machine: see `crates/admit-wasm/src/station.rs`. Times are `performance.now()` and `Date.now()`. */
export type CoreStation = {
  set_rules: (setupJson: string) => void
  restore: (kept: string) => void
  start: (monotonicMs: number, wallMs: number) => string
  present: (
    scan: string,
    code: string,
    gate: number,
    challenge: Uint8Array | undefined,
    online: boolean,
    monotonicMs: number,
    wallMs: number,
  ) => string
  answered: (
    scan: string,
    reason: string | undefined,
    use: number,
    usesRemaining: number | undefined,
    monotonicMs: number,
    wallMs: number,
  ) => string
  unanswered: (scan: string, monotonicMs: number, wallMs: number) => string
  take_back: (scan: string, monotonicMs: number, wallMs: number) => string
  report: () => string
  heard: (
    answer: string,
    sentMonotonicMs: number,
    sentWallMs: number,
    heardMonotonicMs: number,
    heardWallMs: number,
  ) => string
  shown: (notice: number) => string
  compact: () => string
  status: (monotonicMs: number, wallMs: number) => string
  guess_ms: (monotonicMs: number, wallMs: number) => number
  journal: () => string
  spent_lists?: (seed: Uint8Array, maxEntries: number) => string
  learn_spent?: (note: string, vkey: string) => string
  free: () => void
}

export type CorePackage = {
  default: (from: { module_or_path: string }) => Promise<unknown>
  Rules: new (
    setupJson: string,
  ) => { judge: (code: string, gate: number, nowMs: number) => string; free: () => void }
  Edge: new (setupJson: string, gate: number, seed: Uint8Array) => CoreEdge
  Station: new (setupJson: string, device: number) => CoreStation
  /** The key that locks a holder's name, made of the ticket's own code; none when it is no such code. */
  name_key?: (code: string) => Uint8Array | undefined
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
