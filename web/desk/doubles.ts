// Tickets that entered twice, as the desk sees them: loaded, kept fresh, and their entries laid out on a line of time.
import { useEffect, useState } from 'preact/hooks'
import { listDoubles } from '../lib/api/desk.ts'
import type { DoubleEntryCase } from '../lib/api/types.ts'

const EVERY_MS = 10_000

/** Null until the first answer. `stamp` changes when something happened: then they are asked for at once. */
export function useDoubles(slug: string, stamp: unknown): DoubleEntryCase[] | null {
  const [cases, setCases] = useState<DoubleEntryCase[] | null>(null)
  useEffect(() => {
    let gone = false
    const load = () =>
      listDoubles(slug).then(
        answer => {
          if (!gone) setCases(answer.conflicts)
        },
        () => undefined, // the page says by itself that the server does not answer
      )
    void load()
    const timer = setInterval(() => document.visibilityState === 'visible' && void load(), EVERY_MS)
    return () => {
      gone = true
      clearInterval(timer)
    }
  }, [slug, stamp])
  return cases
}

/** Where each moment lies between the first and the last, from 0 to 1, no two closer than `least`. */
export function spread(moments: number[], least: number): number[] {
  const first = Math.min(...moments)
  const span = Math.max(1, Math.max(...moments) - first)
  const gaps = moments.length - 1
  const room = Math.max(0, 1 - gaps * least)
  let before = 0
  return moments.map((moment, index) => {
    if (index > 0) before += least + (room * (moment - (moments[index - 1] ?? moment))) / span
    return Math.min(1, before)
  })
}

export function duration(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000)
  if (seconds < 90) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 90) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} days`
}
