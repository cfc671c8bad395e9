// The core's device over its journal: opened from what was kept, its rules brought up to date, its journal kept short.
import type { GateSetup } from '../lib/api/types.ts'
import { type CorePackage, type CoreStation, loadCore } from '../lib/core/package.ts'
import { DiskJournal, type Kept } from '../lib/db/journal-db.ts'
import type { Now, ScanCore } from './admission.ts'
import { carryOut, type Effect, effectsOf } from './effects.ts'
import { type CoreStatus, keeps, rulesOnDevice, status, unreadable } from './state.ts'

const CHANGES_MAX = 64
/** A clock that jumps by more than this was set, or the device slept, and its monotonic clock may have stood still. */
const JUMP_MS = 5_000

export const now = (): Now => ({ monotonic: performance.now(), wall: Date.now() })

export class Device {
  readonly journal = new DiskJournal()
  core: CoreStation | null = null
  #pack: CorePackage | null = null
  #number = 0
  /** The rules the core has, as text. */
  #rules = ''
  #opening: Promise<void> | null = null
  #seen: Now = now()
  #compacting = false
  #slept = false

  /** What scans ask: without the core, everything is the server's to say. */
  readonly scans: ScanCore = {
    present: (...args) => this.core?.present(...args) ?? '{"read":"ask_server","effects":[]}',
    answered: (...args) => this.core?.answered(...args) ?? '[]',
    unanswered: (...args) => this.core?.unanswered(...args) ?? '[]',
    take_back: (...args) => this.core?.take_back(...args) ?? '[]',
    guess_ms: (monotonic, wall) => this.core?.guess_ms(monotonic, wall) ?? wall,
  }

  /** The rules as they are now; the first time, everything that was kept is taken back in. */
  async take(setup: GateSetup, number: number): Promise<void> {
    // server_time differs each time; the rules need reading anew only when anything else does.
    const rules = JSON.stringify({ ...setup, server_time: '' })
    if (rules === this.#rules) return
    this.#number = number
    this.#opening ??= this.#open(rules).finally(() => {
      this.#opening = null
    })
    await this.#opening
    if (!this.core || this.#rules === rules) return
    try {
      this.core.set_rules(rules)
      this.#rules = rules
    } catch {
      // A newer server's rules that this version cannot read: nobody is let in by older ones.
      this.#drop()
    }
  }

  async #open(rules: string): Promise<void> {
    if (this.core) return
    this.#pack = await loadCore()
    if (!this.#pack) return
    const kept = await this.journal.load().catch(() => [])
    keeps.value = this.journal.sound
    try {
      this.core = this.#restored(this.#pack, rules, kept)
    } catch {
      return
    }
    this.#rules = rules
    rulesOnDevice.value = true
    const { monotonic, wall } = now()
    await this.carryOut(effectsOf(this.core.start(monotonic, wall)))
  }

  #restored(pack: CorePackage, rules: string, kept: string[]): CoreStation {
    const core = new pack.Station(rules, this.#number)
    let broken = this.journal.unreadable
    for (const text of kept) {
      try {
        core.restore(text)
      } catch {
        broken += 1
      }
    }
    unreadable.value = broken
    return core
  }

  #drop(): void {
    this.core = null
    this.#rules = ''
    rulesOnDevice.value = false
    status.value = null
  }

  /** A second one that knows the same and keeps nothing, for a rehearsal. */
  async copy(): Promise<CoreStation | null> {
    if (!this.#pack || !this.core) return null
    const kept = await this.journal.load().catch(() => [])
    const open = (text: string) => (JSON.parse(text) as Kept).kind === 'intent'
    const core = new this.#pack.Station(this.#rules, this.#number)
    for (const text of kept) if (!open(text)) core.restore(text)
    return core
  }

  get pack(): CorePackage | null {
    return this.#pack
  }

  readonly write = async (kept: Kept[], over: string[]): Promise<void> => {
    try {
      await this.journal.write(kept, over)
    } finally {
      keeps.value = this.journal.sound
    }
    if (this.journal.changes > CHANGES_MAX) void this.#compact()
  }

  /** Effects without a scan: nothing of them is shown. */
  carryOut(effects: Effect[], notify: (notice: number) => void = () => {}): Promise<boolean> {
    return carryOut(effects, { write: this.write, ask: () => {}, show: () => {}, notify })
  }

  /** Tries once more what the disk refused. */
  async trySound(): Promise<boolean> {
    if (!this.journal.sound) await this.write([], []).catch(() => undefined)
    return this.journal.sound
  }

  async #compact(): Promise<void> {
    if (this.#compacting || !this.core) return
    this.#compacting = true
    await this.journal.compact(JSON.parse(this.core.compact()) as Kept).catch(() => undefined)
    this.#compacting = false
  }

  /** Once a second. `idle`: no scan is open, so the core may be opened anew. */
  tick(idle: boolean): void {
    if (!this.core) return
    const at = now()
    const jumped = at.wall - this.#seen.wall - (at.monotonic - this.#seen.monotonic)
    this.#seen = at
    status.value = JSON.parse(this.core.status(at.monotonic, at.wall)) as CoreStatus
    this.#slept ||= jumped > JUMP_MS
    if (!this.#slept || !idle) return
    this.#slept = false
    void this.#reopen()
  }

  /** After a sleep the interval that holds the server's time is worth nothing: as after a restart. */
  async #reopen(): Promise<void> {
    const pack = this.#pack
    if (!pack || !this.journal.sound) return
    const before = this.core
    await this.journal.settled()
    const kept = await this.journal.load().catch(() => null)
    if (kept && this.core === before) this.core = this.#restored(pack, this.#rules, kept)
  }

  close(): Promise<void> {
    this.#drop()
    return this.journal.settled()
  }
}
