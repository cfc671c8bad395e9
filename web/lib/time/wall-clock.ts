// Between a moment and what the wall clock of a zone shows then, for forms; across the hour changes.
import { format } from './zone.ts'

/** What stands on the wall clock of the zone, as an `<input type="datetime-local">` wants it. */
export function wallClock(zone: string, at: string): string {
  const parts: Record<string, string> = {}
  const formatter = format(zone, {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  for (const part of formatter.formatToParts(new Date(at))) parts[part.type] = part.value
  return `${parts.year?.padStart(4, '0')}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`
}

/**
 * The moment at which the zone's wall clock shows `local`. An hour that the spring change leaves out gives the
 * moment after the jump; an hour that autumn has twice gives the first. Null when `local` is not a time.
 */
export function momentOf(zone: string, local: string): string | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(local)) return null
  const asUtc = Date.parse(`${local.slice(0, 16)}:00.000Z`)
  if (Number.isNaN(asUtc)) return null
  const offsetAt = (ms: number) => {
    const shown = Date.parse(`${wallClock(zone, new Date(ms).toISOString())}:00.000Z`)
    return shown - Math.floor(ms / 60_000) * 60_000
  }
  const day = 86_400_000
  const offsets = [offsetAt(asUtc - day), offsetAt(asUtc + day)]
  for (const offset of [Math.max(...offsets), Math.min(...offsets)]) {
    if (offsetAt(asUtc - offset) === offset) return new Date(asUtc - offset).toISOString()
  }
  return new Date(asUtc - Math.min(...offsets)).toISOString()
}
