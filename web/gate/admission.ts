// The way of one scan through this device: read by the core, kept, asked of the server, and decided here when nobody answers in time.
import { NoAnswer, Problem } from '../lib/api/http.ts'
import type { Verdict, VerdictTicket } from '../lib/api/types.ts'
import type { CoreStation } from '../lib/core/package.ts'
import type { WaitingScan } from '../lib/db/gate-db.ts'
import type { Kept } from '../lib/db/journal-db.ts'
import { base64url } from './base64url.ts'
import { looksLikeCode } from './code-shape.ts'
import { carryOut, type Effect, effectsOf, type Hands, type Show } from './effects.ts'
import type { Judgement, Scan, ScanState } from './scan.ts'

export type Now = { monotonic: number; wall: number }

/** The station's part that one scan needs. */
export type ScanCore = Pick<CoreStation, 'present' | 'answered' | 'unanswered' | 'take_back' | 'guess_ms'>

export type AdmissionDeps = {
  core: ScanCore
  write: Hands['write']
  /** False once the disk has refused a record, until it takes them again. */
  keeps: () => boolean
  /** Asks the server, under the scan's own id. `confirm`: this device keeps a record, and says later what became of it. */
  send: (scan: WaitingScan, confirm: boolean) => Promise<Verdict>
  /** Codes that only the server can read, and codes that it shall hear of although they are refused here. */
  server: { present: (scan: Scan, local: Judgement | null) => void } | null
  drawScanId: () => string
  now: () => Now
  /** Runs later unless called off. */
  after: (ms: number, run: () => void) => () => void
  patienceMs: () => number
  online: () => boolean
  /** The time is over and nobody answered. */
  silent: () => void
  /** This is the person who stands here now. */
  begun: (scan: Scan) => void
  changed: (scan: Scan) => void
  /** The journal has something to tell. */
  written: () => void
  notify: (notice: number) => void
  /** 401: this device may not ask any more. */
  shutOut: (problem: Problem) => void
}

type Presented = {
  read: 'genuine' | 'refused' | 'ask_server'
  reason?: string | null
  message?: string | null
  local?: 'admit' | 'refuse'
  ticket?: VerdictTicket
  max_uses?: number
  digest?: string
  first?: { at_ms: number; gate: number } | null
  effects: Effect[]
}

type Open = {
  scan: Scan
  local: Judgement
  callOff: () => void
  answer: Verdict | null
  confirmed: boolean
}

const judgementOf = (told: Presented): Judgement => ({
  reason: told.reason ?? null,
  message: told.message ?? '',
  ticket: told.ticket ?? null,
  maxUses: told.max_uses ?? null,
  digest: told.digest ?? null,
  first: told.first ? { at: new Date(told.first.at_ms).toISOString(), gate: told.first.gate } : null,
})

export class Admissions {
  readonly #deps: AdmissionDeps
  /** Scans that have no verdict yet, by their id. */
  readonly #open = new Map<string, Open>()
  #closed = false

  constructor(deps: AdmissionDeps) {
    this.#deps = deps
  }

  /** One presentation. A code that still waits for its answer keeps the id it has. */
  async present(code: string, gate: number, challenge?: Uint8Array): Promise<Scan> {
    const again = [...this.#open.values()].find(open => open.scan.code === code)?.scan
    if (again) {
      this.#deps.begun(again)
      return this.#change(again, again.state)
    }
    const { monotonic, wall } = this.#deps.now()
    const at = new Date(this.#deps.core.guess_ms(monotonic, wall)).toISOString()
    const scanId = this.#deps.drawScanId()
    const scan: Scan = { scanId, code, gate, at, state: { kind: 'asking' }, resumed: false }
    if (challenge) scan.challenge = base64url(challenge)
    this.#deps.begun(scan)
    if (!looksLikeCode(code)) return this.#change({ ...scan, code: '' }, { kind: 'not_a_code' })
    const online = this.#deps.online()
    if (!this.#deps.keeps()) {
      if (!online) return this.#change(scan, { kind: 'cannot_keep' })
      return this.#outside(scan, null)
    }
    let told: Presented
    try {
      told = JSON.parse(
        this.#deps.core.present(scanId, code, gate, challenge, online, monotonic, wall),
      ) as Presented
    } catch {
      told = { read: 'ask_server', effects: [] } // a fault of ours must never be told as a verdict
    }
    const local = judgementOf(told)
    if (told.read !== 'genuine') return this.#outside(scan, told.read === 'refused' ? local : null)
    this.#open.set(scanId, { scan, local, callOff: () => {}, answer: null, confirmed: false })
    // A refusal of the device is shown at once, while the server is asked: it may know better.
    if (online) this.#change(scan, told.local === 'refuse' ? { kind: 'judged', local } : scan.state)
    await this.#carryOut(told.effects)
    return scan
  }

  /** Takes an entry of this device back. False when the device has no such entry. */
  async takeBack(scanId: string): Promise<boolean> {
    const { monotonic, wall } = this.#deps.now()
    const effects = effectsOf(this.#deps.core.take_back(scanId, monotonic, wall))
    if (effects.length === 0) return false
    await this.#carryOut(effects)
    return true
  }

  get idle(): boolean {
    return this.#open.size === 0
  }

  close(): void {
    this.#closed = true
    for (const open of this.#open.values()) open.callOff()
    this.#open.clear()
  }

  #outside(scan: Scan, local: Judgement | null): Scan {
    if (this.#deps.server) this.#deps.server.present(scan, local)
    else this.#change(scan, local ? { kind: 'judged', local } : { kind: 'server_only', tries: 0 })
    return scan
  }

  #carryOut(effects: Effect[]): Promise<boolean> {
    const { write, notify, written } = this.#deps
    const done = carryOut(effects, {
      write: (kept: Kept[], over: string[]) => write(kept, over),
      ask: (scanId, kept) => void this.#ask(scanId, kept),
      show: (show, kept) => this.#show(show, kept),
      notify,
    })
    if (effects.some(effect => effect.do === 'keep' && effect.kept.kind === 'entry')) void done.then(written)
    return done
  }

  async #ask(scanId: string, kept: boolean): Promise<void> {
    const open = this.#open.get(scanId)
    if (!open || this.#closed) return
    const { after, patienceMs, send, silent } = this.#deps
    open.confirmed = kept
    open.callOff = after(patienceMs(), () => {
      silent()
      void this.#unanswered(scanId)
    })
    try {
      await this.#answered(scanId, await send(open.scan, kept))
    } catch (error) {
      await this.#askFailed(scanId, error)
    }
  }

  async #answered(scanId: string, verdict: Verdict): Promise<void> {
    const open = this.#open.get(scanId)
    // Too late: the device has decided, and what it did is told at the next contact.
    if (!open || this.#closed) return
    open.callOff()
    open.answer = verdict
    const { monotonic, wall } = this.#deps.now()
    const reason = verdict.verdict === 'admit' ? undefined : (verdict.reason ?? 'given_up')
    const { use, uses_remaining } = verdict
    await this.#carryOut(
      effectsOf(
        this.#deps.core.answered(scanId, reason, use ?? 1, uses_remaining ?? undefined, monotonic, wall),
      ),
    )
  }

  async #askFailed(scanId: string, error: unknown): Promise<void> {
    const open = this.#open.get(scanId)
    if (!open || this.#closed) return
    if (error instanceof Problem && error.status === 401) return this.#deps.shutOut(error)
    const passing =
      error instanceof NoAnswer || (error instanceof Problem && (error.status >= 500 || error.status === 429))
    if (passing) return this.#unanswered(scanId)
    // The server takes no such request: nobody is let in, and the device's record of it ends.
    open.callOff()
    this.#open.delete(scanId)
    const { monotonic, wall } = this.#deps.now()
    const effects = effectsOf(
      this.#deps.core.answered(scanId, 'given_up', 0, undefined, monotonic, wall),
    ).filter(effect => effect.do !== 'show')
    this.#change(open.scan, {
      kind: 'failed',
      message: error instanceof Error ? error.message : String(error),
    })
    await this.#carryOut(effects)
  }

  async #unanswered(scanId: string): Promise<void> {
    const open = this.#open.get(scanId)
    if (!open || this.#closed) return
    open.callOff()
    const { monotonic, wall } = this.#deps.now()
    await this.#carryOut(effectsOf(this.#deps.core.unanswered(scanId, monotonic, wall)))
  }

  #show(show: Show, kept: boolean): void {
    const open = this.#open.get(show.scan)
    if (!open || this.#closed) return
    this.#open.delete(show.scan)
    this.#change(open.scan, this.#stateOf(show, kept, open))
    // Green that was never shown must not count: the entry is taken back.
    if (open.scan.state.kind === 'cannot_keep') void this.takeBack(show.scan)
  }

  #stateOf(show: Show, kept: boolean, { answer, local, confirmed }: Open): ScanState {
    // With the server alone a gate still works: it keeps what this device cannot. But where the device's word counts, there
    // is no green without its record: a restart would give such a scan up, and the ticket would be good once more.
    if (show.verdict === 'admit' && !kept && (show.offline || confirmed)) return { kind: 'cannot_keep' }
    if (!show.offline && answer) return { kind: 'answered', verdict: answer }
    return {
      kind: 'decided',
      verdict: show.verdict,
      use: show.use,
      usesRemaining: show.uses_remaining,
      local: { ...local, reason: show.reason, message: show.message ?? '' },
      name: null,
    }
  }

  #change(scan: Scan, state: ScanState): Scan {
    scan.state = state
    this.#deps.changed(scan)
    return scan
  }
}
