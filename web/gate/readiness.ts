// Whether this scanner could go on without the network, how fresh its knowledge is, and the one thing to warn of now.
import type { GateSetup } from '../lib/api/types.ts'
import type { CoreStatus } from './state.ts'

export type Facts = {
  status: CoreStatus | null
  setup: GateSetup | null
  keeps: boolean
  persisted: boolean | null
  shellKept: boolean
}

export type WarningKind = 'disk' | 'rules' | 'clock' | 'stale' | 'storage'
export type Readiness = {
  ready: boolean
  /** Since the last contact; null when there was none. */
  ageMs: number | null
  limitMs: number
  warning: WarningKind | null
}

const HOUR_MS = 3_600_000
const USUAL_HOURS = 12
/** A clock may be off by a little without anybody having turned it. */
const TURNED_BACK_MS = 60_000

export function readinessOf({ status, setup, keeps, persisted, shellKept }: Facts): Readiness {
  const limitMs = (setup?.event.offline_hours ?? USUAL_HOURS) * HOUR_MS
  const contact = status?.last_contact_ms ?? null
  const ageMs = contact === null ? null : Math.max(0, (status?.guess_ms ?? 0) - contact)
  const inTime = ageMs !== null && ageMs <= limitMs
  return {
    ready: status !== null && keeps && inTime && shellKept,
    ageMs,
    limitMs,
    warning: warningOf(status, keeps, persisted, ageMs !== null && ageMs > limitMs / 2),
  }
}

/** The worst first: what stops the gate, then what may mislead it, then what may be lost. */
function warningOf(
  status: CoreStatus | null,
  keeps: boolean,
  persisted: boolean | null,
  stale: boolean,
): WarningKind | null {
  if (!keeps) return 'disk'
  if (!status) return 'rules'
  if (stale) return 'stale'
  if (status.turned_back_ms > TURNED_BACK_MS) return 'clock'
  return persisted === false ? 'storage' : null
}

/** "12 s", "5 min", "3 h": as much as a steward needs. */
export function ago(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 90) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`
}
