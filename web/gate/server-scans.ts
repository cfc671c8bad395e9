// Scans that the device cannot judge: kept, sent, and sent again with the same ScanId until the server answers. And refusals of
// the device that the server shall hear of. Exits go this way, too, but are sent once: nobody who leaves is made to wait.
import { NoAnswer, Problem } from '../lib/api/http.ts'
import type { Verdict } from '../lib/api/types.ts'
import type { WaitingScan } from '../lib/db/gate-db.ts'
import type { Judgement, Scan, ScanState } from './scan.ts'

type LetOut = Extract<ScanState, { kind: 'let_out' }>

export type ServerScansDeps = {
  send: (scan: WaitingScan) => Promise<Verdict>
  kept: {
    put: (scan: WaitingScan) => Promise<void>
    remove: (scanId: string) => Promise<void>
    all: () => Promise<WaitingScan[]>
  }
  after: (ms: number, run: () => void) => void
  begun: (scan: Scan) => void
  changed: (scan: Scan) => void
  /** How long somebody who leaves waits for the server. */
  patienceMs: () => number
  /** 401: this device may not ask any more. */
  shutOut: (problem: Problem) => void
}

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 8_000
/** Refusals of the device that wait to be told. */
const TOLD_MAX = 200

export class ServerScans {
  readonly #deps: ServerScansDeps
  readonly #waiting = new Map<string, Scan>()
  readonly #sending = new Set<string>()
  /** How often each scan was sent: a pause that an earlier try began is void once a later try was made. */
  readonly #attempt = new Map<string, number>()
  #closed = false

  constructor(deps: ServerScansDeps) {
    this.#deps = deps
  }

  /** Scans that somebody waits for; refusals that are only being told do not count. */
  get waiting(): number {
    return [...this.#waiting.values()].filter(scan => scan.state.kind !== 'judged').length
  }

  /** One presentation. A code that still waits for its answer keeps the ScanId it has. */
  async present(fresh: Scan, local: Judgement | null): Promise<Scan> {
    const again = [...this.#waiting.values()].find(
      scan => scan.code === fresh.code && scan.direction === fresh.direction,
    )
    if (again) {
      this.#deps.begun(again)
      this.#deps.changed(again)
      void this.#send(again)
      return again
    }
    // A bored crowd with forged codes must not fill the disk: the first of them tell the story.
    if (local && this.#waiting.size >= TOLD_MAX) {
      this.#change(fresh, { kind: 'judged', local })
      return fresh
    }
    this.#waiting.set(fresh.scanId, fresh)
    this.#change(fresh, local ? { kind: 'judged', local } : { kind: 'asking' })
    if (fresh.direction === 'exit') {
      this.#deps.after(this.#deps.patienceMs(), () => void this.#letOut(fresh, 'late'))
      void this.#send(fresh)
      return fresh
    }
    const { scanId, code, gate, at, challenge } = fresh
    // Kept before it is sent. Where the browser keeps nothing, it is still sent: a gate that works beats one that remembers.
    await this.#deps.kept
      .put({ scanId, code, gate, at, ...(challenge ? { challenge } : {}) })
      .catch(() => undefined)
    void this.#send(fresh)
    return fresh
  }

  /** After a restart: what was never answered is asked again, under its old ScanId. */
  async resume(): Promise<void> {
    const kept = await this.#deps.kept.all().catch(() => [])
    for (const waiting of kept) {
      if (this.#waiting.has(waiting.scanId)) continue
      const scan: Scan = { ...waiting, state: { kind: 'server_only', tries: 0 }, resumed: true }
      this.#waiting.set(scan.scanId, scan)
      this.#deps.changed(scan)
      void this.#send(scan)
    }
  }

  /** The network is back: do not sit out the pause. */
  retryNow(): void {
    for (const scan of this.#waiting.values()) void this.#send(scan)
  }

  close(): void {
    this.#closed = true
    this.#waiting.clear()
  }

  async #send(scan: Scan, tries = 0): Promise<void> {
    if (this.#closed || this.#sending.has(scan.scanId) || !this.#waiting.has(scan.scanId)) return
    this.#sending.add(scan.scanId)
    this.#attempt.set(scan.scanId, (this.#attempt.get(scan.scanId) ?? 0) + 1)
    try {
      const verdict = await this.#deps.send(scan)
      if (scan.direction === 'exit' && !this.#waiting.has(scan.scanId)) return
      await this.#settle(scan, { kind: 'answered', verdict })
    } catch (error) {
      await this.#sendFailed(scan, tries, error)
    } finally {
      this.#sending.delete(scan.scanId)
    }
  }

  async #sendFailed(scan: Scan, tries: number, error: unknown): Promise<void> {
    if (this.#closed) return
    if (error instanceof Problem && error.status === 401) return this.#deps.shutOut(error)
    const passing =
      error instanceof NoAnswer || (error instanceof Problem && (error.status >= 500 || error.status === 429))
    if (scan.direction === 'exit')
      return this.#letOut(scan, passing || !(error instanceof Error) ? 'offline' : { said: error.message })
    if (!passing) {
      const message = error instanceof Error ? error.message : String(error)
      return this.#settle(scan, { kind: 'failed', message })
    }
    const backoff = Math.min(FIRST_RETRY_MS * 2 ** tries, LAST_RETRY_MS)
    const asked = error instanceof Problem ? (error.retryAfterSeconds ?? 0) * 1000 : 0
    const attempt = this.#attempt.get(scan.scanId)
    this.#deps.after(Math.max(backoff, asked), () => {
      if (this.#attempt.get(scan.scanId) === attempt) void this.#send(scan, tries + 1)
    })
    // The device's own refusal stays on the screen: nobody at the gate waits for the server there.
    if (scan.state.kind !== 'judged') this.#change(scan, { kind: 'server_only', tries: tries + 1 })
  }

  /** No answer about somebody who leaves: they go, and it is over. An answer that comes later changes nothing. */
  async #letOut(scan: Scan, why: LetOut['why']): Promise<void> {
    if (this.#waiting.has(scan.scanId)) await this.#settle(scan, { kind: 'let_out', why })
  }

  async #settle(scan: Scan, state: ScanState): Promise<void> {
    if (this.#closed) return
    this.#waiting.delete(scan.scanId)
    this.#attempt.delete(scan.scanId)
    this.#change(scan, state)
    await this.#deps.kept.remove(scan.scanId).catch(() => undefined)
  }

  #change(scan: Scan, state: ScanState): void {
    scan.state = state
    this.#deps.changed(scan)
  }
}
