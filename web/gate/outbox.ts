// Tells the server what happened here and hears what happened elsewhere: as a heartbeat, soon after an entry, and until nothing is left.
import type { SyncAnswer } from '../lib/api/types.ts'
import type { CoreStation } from '../lib/core/package.ts'
import type { Now } from './admission.ts'
import type { Effect } from './effects.ts'

export type OutboxDeps = {
  core: Pick<CoreStation, 'report' | 'heard'>
  /** What the device says of itself besides its journal. */
  facts: () => Promise<Record<string, unknown>>
  send: (body: unknown) => Promise<string>
  carryOut: (effects: Effect[]) => Promise<unknown>
  /** False while the disk refuses records: what is not kept must not be told, for a restart would tell it otherwise. */
  ready: () => Promise<boolean>
  /** Before its effects are carried out, so that a notice has its words. */
  told: (answer: SyncAnswer) => void
  done: () => void
  failed: (error: unknown) => void
  progress: (progress: SyncProgress | null) => void
  now: () => Now
  after: (ms: number, run: () => void) => () => void
}

type Report = { after: number; pending: number; returned: string[]; returned_types: number[] }

export type SyncProgress = { sent: number; left: number }

const HEARTBEAT_MS = 15_000
const SOON_MS = 400

export class Outbox {
  readonly #deps: OutboxDeps
  #running: Promise<void> | null = null
  #again = false
  #closed = false
  #callOff: () => void = () => {}

  constructor(deps: OutboxDeps) {
    this.#deps = deps
  }

  /** A new entry: several within a moment go together. */
  soon(): void {
    if (this.#running) this.#again = true
    else this.#plan(SOON_MS)
  }

  /** Now, and until nothing is left. Returns when that is so, or when the server no longer answers. */
  now(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    if (this.#running) this.#again = true
    this.#running ??= this.#rounds().finally(() => {
      this.#running = null
      this.#plan(HEARTBEAT_MS)
    })
    return this.#running
  }

  close(): void {
    this.#closed = true
    this.#callOff()
  }

  #plan(ms: number): void {
    this.#callOff()
    if (!this.#closed) this.#callOff = this.#deps.after(ms, () => void this.now())
  }

  async #rounds(): Promise<void> {
    try {
      let sent = 0
      do {
        this.#again = false
        if (!(await this.#deps.ready())) return
        const round = await this.#round()
        if (this.#closed) return
        sent += round.acknowledged
        this.#deps.progress({ sent, left: round.left })
        this.#again ||= round.more
      } while (this.#again)
      this.#deps.done()
    } catch (error) {
      if (!this.#closed) this.#deps.failed(error)
    } finally {
      this.#deps.progress(null)
    }
  }

  async #round(): Promise<{ acknowledged: number; left: number; more: boolean }> {
    const { core, facts, send, now, told, carryOut } = this.#deps
    const report = JSON.parse(core.report()) as Report
    const body = { ...report, ...(await facts()) }
    const sent = now()
    const text = await send(body)
    const heard = now()
    if (this.#closed) return { acknowledged: 0, left: report.pending, more: false }
    // Reads it all or throws: half an answer changes nothing.
    const effects = JSON.parse(
      core.heard(text, sent.monotonic, sent.wall, heard.monotonic, heard.wall),
    ) as Effect[]
    const answer = JSON.parse(text) as SyncAnswer
    told(answer)
    await carryOut(effects)
    const acknowledged = answer.acknowledged.length
    const left = Math.max(0, report.pending - acknowledged)
    // Only what makes progress goes on at once; else it would never end.
    const learned = answer.spent.more && answer.spent.next > report.after
    const recalled =
      answer.recalled.some(ticket => !report.returned.includes(ticket)) ||
      answer.recalled_types.some(kind => !report.returned_types.includes(kind))
    return { acknowledged, left, more: learned || recalled || (left > 0 && acknowledged > 0) }
  }
}
