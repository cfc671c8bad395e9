// The live feed: what each message does to the state, and the connection that brings the messages, which heals itself.
import { signal } from '@preact/signals'
import { getSession, getStats, liveUrl } from '../lib/api/desk.ts'
import type { LiveMessage, Scan, Stats } from '../lib/api/types.ts'

type FeedState = { stats: Stats | null; scans: Scan[]; refusals: Scan[] }
type FeedConnection = 'starting' | 'live' | 'waiting'

export const emptyFeed: FeedState = { stats: null, scans: [], refusals: [] }

const KEPT = 100

/** A snapshot replaces everything. Its scans come newest first. */
export function applySnapshot(message: LiveMessage): FeedState {
  return {
    stats: message.stats,
    scans: message.scans.slice(0, KEPT),
    refusals: message.scans.filter(scan => scan.verdict === 'refuse').slice(0, KEPT),
  }
}

/** Further scans come oldest first. After a resume some may come twice; those with a number are known by it. */
export function applyScans(state: FeedState, message: LiveMessage): FeedState {
  const known = new Set(state.scans.map(scan => scan.seq).filter(seq => seq !== null))
  const fresh = message.scans.filter(scan => scan.seq === null || !known.has(scan.seq)).reverse()
  return {
    stats: message.stats,
    scans: [...fresh, ...state.scans].slice(0, KEPT),
    // Kept apart, so that a rush of admissions never pushes the refusals out of sight.
    refusals: [...fresh.filter(scan => scan.verdict === 'refuse'), ...state.refusals].slice(0, KEPT),
  }
}

const REOPEN_MS = 5_000
const IDLE_MS = 10_000

/** Opens the feed of one event. The browser resumes by itself with the last id it saw; what it gives up on is opened anew. */
export function openFeed(slug: string) {
  const state = signal<FeedState>(emptyFeed)
  const connection = signal<FeedConnection>('starting')
  let source: EventSource | null = null
  let closed = false
  let heardAt = Date.now()

  const open = () => {
    source = new EventSource(liveUrl(slug))
    source.addEventListener('open', () => {
      connection.value = 'live'
    })
    source.addEventListener('snapshot', event => take(event, message => applySnapshot(message)))
    source.addEventListener('scans', event => take(event, message => applyScans(state.value, message)))
    source.addEventListener('error', () => {
      connection.value = 'waiting'
      if (source?.readyState !== EventSource.CLOSED) return
      // The server said no, not nothing: perhaps the session ended, which getSession finds out.
      void getSession().catch(() => undefined)
      setTimeout(() => !closed && open(), REOPEN_MS)
    })
  }

  const take = (event: MessageEvent<string>, apply: (message: LiveMessage) => FeedState) => {
    heardAt = Date.now()
    connection.value = 'live'
    state.value = apply(JSON.parse(event.data) as LiveMessage)
  }

  // With nobody coming no message comes either, yet the rate falls: ask for the figures alone.
  const idle = setInterval(() => {
    if (
      Date.now() - heardAt < IDLE_MS ||
      document.visibilityState !== 'visible' ||
      state.value.stats === null
    )
      return
    void getStats(slug).then(
      stats => {
        const now = state.value
        if (now.stats && stats.as_of >= now.stats.as_of) state.value = { ...now, stats }
      },
      () => undefined,
    )
  }, IDLE_MS)

  open()
  return {
    state,
    connection,
    close: () => {
      closed = true
      clearInterval(idle)
      source?.close()
    },
  }
}
