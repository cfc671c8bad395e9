// How many double entries to expect of a ticket type when gates go on without the network. An estimate to choose a policy by.
import type { OfflinePolicy } from '../lib/api/types.ts'

export type Risk = {
  /** Tickets of which a copy is shown at a gate, too. */
  copied: number
  gates: number
  /** Of the time that a gate is without the network, from 0 to 1. */
  offline: number
}

/**
 * A copy slips through when it is shown at another gate than the ticket, and at least one of the two cannot ask.
 * A device alone always remembers what it let in.
 */
export function expectedDoubles(policy: OfflinePolicy, { copied, gates, offline }: Risk): number {
  if (policy !== 'any' || gates < 2) return 0
  return copied * (1 - 1 / gates) * (1 - (1 - offline) ** 2)
}

/** For people: no figure is more precise than its guess. */
export function aboutSo(count: number): string {
  if (count === 0) return '0'
  if (count < 1) return '< 1'
  return count < 10 ? String(Math.round(count)) : String(Math.round(count / 5) * 5)
}
