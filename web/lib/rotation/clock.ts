// The time that codes are made by: the server's, by this phone's clock and what it was wrong by at the last answer.

/** What is remembered of it, in milliseconds. */
export type KnownTime = {
  /** The server's clock less the phone's. */
  offset: number
  /** The newest server time that was reckoned with: codes never go back to an earlier one. */
  newest: number
}

/** A server's word this near to what was reckoned changes nothing: no code is shown twice for it. */
const CLOSE_MS = 15_000

/** After an answer of the server: its word counts, whatever was reckoned before. */
export function told(before: KnownTime | undefined, serverMs: number, phoneMs: number): KnownTime {
  const newest = before && Math.abs(before.newest - serverMs) < CLOSE_MS ? before.newest : serverMs
  return { offset: serverMs - phoneMs, newest: Math.max(newest, serverMs) }
}

/** What time it is; a phone that is turned back stops at the newest time seen. */
export function reckoned(known: KnownTime | undefined, phoneMs: number): KnownTime {
  const offset = known?.offset ?? 0
  return { offset, newest: Math.max(known?.newest ?? 0, phoneMs + offset) }
}

/** "10 min", "45 s", "3 h": how much a clock is wrong, in the largest unit that says it. */
export function span(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000)
  if (seconds < 90) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}
