// The rules of the core, compiled to WebAssembly: judges a code on the device. Without the package every code is asked of the server.
import type { GateSetup, VerdictTicket } from '../api/types.ts'

export type LocalVerdict = {
  verdict: 'admit' | 'refuse' | 'ask_server'
  reason: string | null
  message: string
  ticket: VerdictTicket | null
  max_uses: number | null
  digest: string | null
}

export interface Rules {
  judge(code: string, gate: number, nowMs: number): LocalVerdict
}

type Package = {
  default: (from: { module_or_path: string }) => Promise<unknown>
  Rules: new (
    setupJson: string,
  ) => { judge: (code: string, gate: number, nowMs: number) => string; free: () => void }
}

// A glob, because the package is built by xtask and may not be there: then the list is empty.
const packages = import.meta.glob<Package>('./pkg/admit_wasm.js')
const binaries = import.meta.glob<string>('./pkg/admit_wasm_bg.wasm', {
  query: '?url',
  import: 'default',
  eager: true,
})
let loading: Promise<Package | null> | null = null

function load(): Promise<Package | null> {
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

const askServer: LocalVerdict = {
  verdict: 'ask_server',
  reason: null,
  message: '',
  ticket: null,
  max_uses: null,
  digest: null,
}

export const serverOnly: Rules = { judge: () => askServer }

export async function loadRules(setup: GateSetup): Promise<Rules> {
  const loaded = await load()
  if (!loaded) return serverOnly
  try {
    const rules = new loaded.Rules(JSON.stringify(setup))
    return {
      judge: (code, gate, nowMs) => {
        try {
          return JSON.parse(rules.judge(code, gate, nowMs)) as LocalVerdict
        } catch {
          return askServer // a fault of ours must never be told as a verdict
        }
      },
    }
  } catch {
    return serverOnly
  }
}
