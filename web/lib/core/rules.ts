// The rules of the core, compiled to WebAssembly: judges a code on the device. Without the package every code is asked of the server.
import type { GateSetup, VerdictTicket } from '../api/types.ts'
import { loadCore } from './package.ts'

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
  const loaded = await loadCore()
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
