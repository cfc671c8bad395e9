// Pairing, seen from the desk: how long a code still works, and which device used it.
import type { Device } from '../lib/api/types.ts'

/** "4:05". Never below zero. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** The device that was not there before; of several, the one with the name that was asked for. */
export function newlyPaired(before: Device[], now: Device[], name: string): Device | null {
  const known = new Set(before.map(device => device.id))
  const fresh = now.filter(device => !known.has(device.id))
  return fresh.find(device => device.name === name) ?? fresh[0] ?? null
}
