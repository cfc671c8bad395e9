// The way of one scan through this device: judged here, kept, sent, and sent again with the same ScanId until it is answered.
import { NoAnswer, Problem } from '../lib/api/http.ts'
import type { Verdict } from '../lib/api/types.ts'
import type { LocalVerdict } from '../lib/core/rules.ts'
import type { WaitingScan } from '../lib/db/gate-db.ts'
import { looksLikeCode } from './code-shape.ts'

export type ScanState =
  /** Asked; the answer may come within the time of a blink. */
  | { kind: 'asking' }
  /** No answer so far; it is being tried again. */
  | { kind: 'no_answer'; tries: number }
  /** The device itself refuses (forged, wrong event, …); the server is told, and may still correct it. */
  | { kind: 'judged'; local: LocalVerdict }
  /** Refused here and told to nobody: this cannot be a code. */
  | { kind: 'not_a_code' }
  | { kind: 'answered'; verdict: Verdict; before: LocalVerdict | null }
  /** The server does not take this request at all. */
  | { kind: 'failed'; message: string }

export type Scan = WaitingScan & { state: ScanState; resumed: boolean }

export type AdmissionDeps = {
  judge: (code: string) => LocalVerdict
  send: (scan: WaitingScan) => Promise<Verdict>
  journal: {
    put: (scan: WaitingScan) => Promise<void>
    remove: (scanId: string) => Promise<void>
    all: () => Promise<WaitingScan[]>
  }
  drawScanId: () => string
  now: () => Date
  after: (ms: number, run: () => void) => void
  changed: (scan: Scan) => void
  /** 401: this device may not ask any more. */
  shutOut: (problem: Problem) => void
}

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 8_000

export class Admissions {
  readonly #deps: AdmissionDeps
  readonly #waiting = new Map<string, Scan>()
  readonly #sending = new Set<string>()
  /** How often each scan was sent: a pause that an earlier try began is void once a later try was made. */
  readonly #attempt = new Map<string, number>()
  #closed = false

  constructor(deps: AdmissionDeps) {
    this.#deps = deps
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** One presentation. A code that still waits for its answer keeps the ScanId it has. */
  async present(code: string, gate: number): Promise<Scan> {
    const again = [...this.#waiting.values()].find(scan => scan.code === code)
    if (again) {
      this.#deps.changed(again)
      void this.#send(again)
      return again
    }
    const scan: Scan = {
      scanId: this.#deps.drawScanId(),
      code,
      gate,
      at: this.#deps.now().toISOString(),
      state: { kind: 'asking' },
      resumed: false,
    }
    if (!looksLikeCode(code)) return this.#change({ ...scan, code: '' }, { kind: 'not_a_code' })
    const local = this.#deps.judge(code)
    this.#waiting.set(scan.scanId, scan)
    this.#change(scan, local.verdict === 'refuse' ? { kind: 'judged', local } : { kind: 'asking' })
    // Kept before it is sent. Where the browser keeps nothing, it is still sent: a gate that works beats one that remembers.
    await this.#deps.journal.put({ scanId: scan.scanId, code, gate, at: scan.at }).catch(() => undefined)
    void this.#send(scan)
    return scan
  }

  /** After a restart: what was never answered is asked again, under its old ScanId. */
  async resume(): Promise<void> {
    const kept = await this.#deps.journal.all().catch(() => [])
    for (const waiting of kept) {
      if (this.#waiting.has(waiting.scanId)) continue
      const scan: Scan = { ...waiting, state: { kind: 'no_answer', tries: 0 }, resumed: true }
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
      const before = scan.state.kind === 'judged' ? scan.state.local : null
      await this.#settle(scan, { kind: 'answered', verdict, before })
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
    if (scan.state.kind !== 'judged') this.#change(scan, { kind: 'no_answer', tries: tries + 1 })
  }

  async #settle(scan: Scan, state: ScanState): Promise<void> {
    if (this.#closed) return
    this.#waiting.delete(scan.scanId)
    this.#attempt.delete(scan.scanId)
    this.#change(scan, state)
    await this.#deps.journal.remove(scan.scanId).catch(() => undefined)
  }

  #change(scan: Scan, state: ScanState): Scan {
    scan.state = state
    this.#deps.changed(scan)
    return scan
  }
}
