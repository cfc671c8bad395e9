// The device's journal on its disk: records in the order in which they were kept, each sealed, durable when a write returns.
import { gateSealKey, type KeptRecord, openGateDb } from './gate-db.ts'
import { seal, unseal } from './seal.ts'

/** What the core asks to be kept; only these fields are read here, the rest is the core's. */
export type Kept = { kind: string; scan?: string; entry?: { local_id: string; sequence: number } }

export interface Journal {
  /** Durable, all or nothing, when it returns. What could not be written is written with the next that can. */
  write(kept: Kept[], over: string[]): Promise<void>
  /** Everything kept, as JSON texts in their order. */
  load(): Promise<string[]>
  /** Puts one record in the place of all `changes`. */
  compact(whole: Kept): Promise<void>
  /** How many `changes` records there are. */
  readonly changes: number
  /** Whether everything that was to be kept is kept. */
  readonly sound: boolean
}

const PLACE = 'journal'
/** Of these only the newest says anything. */
const SUPERSEDED = new Set(['clock', 'denied'])

export class DiskJournal implements Journal {
  /** Where the intents of scans lie, and the newest of what is superseded. */
  readonly #intents = new Map<string, number>()
  readonly #newest = new Map<string, number>()
  readonly #changes = new Set<number>()
  /** Kept in memory only so far, for the disk refused. */
  #waiting: Kept[] = []
  #over: string[] = []
  #tail: Promise<unknown> = Promise.resolve()
  #loaded = false
  /** Records that do not open: changed, or of another key. */
  unreadable = 0

  get changes(): number {
    return this.#changes.size
  }

  get sound(): boolean {
    return this.#loaded && this.#waiting.length === 0
  }

  async load(): Promise<string[]> {
    const database = await openGateDb()
    const key = await gateSealKey()
    const reading = database.transaction('kept')
    const [records, ids] = await Promise.all([reading.store.getAll(), reading.store.getAllKeys()])
    const texts = await Promise.all(
      records.map(record => unseal(key, PLACE, record.sealed).catch(() => null)),
    )
    this.unreadable = texts.filter(text => text === null).length
    records.forEach((record, index) => {
      this.#place(record, ids[index] ?? 0)
    })
    this.#loaded = true
    return texts.filter(text => text !== null)
  }

  write(kept: Kept[], over: string[]): Promise<void> {
    return this.#next(async () => {
      this.#waiting.push(...kept)
      this.#over.push(...over)
      // What lies there unread has its numbers: nothing may be written beside it.
      if (!this.#loaded) throw new Error('the journal was not read')
      await this.#commit(this.#waiting, this.#over)
      this.#waiting = []
      this.#over = []
    })
  }

  compact(whole: Kept): Promise<void> {
    return this.#next(async () => {
      const sealed = await this.#seal(whole)
      const old = [...this.#changes]
      const database = await openGateDb()
      const writing = database.transaction('kept', 'readwrite', { durability: 'strict' })
      for (const id of old) void writing.store.delete(id)
      const id = await writing.store.add(sealed)
      await writing.done
      this.#changes.clear()
      this.#changes.add(id)
    })
  }

  /** When everything begun so far is written, or was refused. */
  async settled(): Promise<void> {
    await this.#tail
  }

  /** One after the other: sealing takes time, and must not change the order. */
  #next<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(run)
    this.#tail = done.catch(() => undefined)
    return done
  }

  async #commit(kept: Kept[], over: string[]): Promise<void> {
    const ended = new Set(over)
    // An intent that ends in the same write need not be written at all.
    const records = await Promise.all(
      kept.filter(one => !(one.kind === 'intent' && ended.has(one.scan ?? ''))).map(one => this.#seal(one)),
    )
    const gone = over.map(scan => this.#intents.get(scan)).filter(id => id !== undefined)
    for (const record of records) {
      const older = SUPERSEDED.has(record.kind) ? this.#newest.get(record.kind) : undefined
      if (older !== undefined) gone.push(older)
    }
    if (records.length === 0 && gone.length === 0) return
    const database = await openGateDb()
    const writing = database.transaction('kept', 'readwrite', { durability: 'strict' })
    const ids = await Promise.all([
      ...records.map(record => writing.store.add(record)),
      ...gone.map(id => writing.store.delete(id)),
      writing.done,
    ])
    records.forEach((record, index) => {
      this.#place(record, Number(ids[index]))
    })
    for (const scan of over) this.#intents.delete(scan)
  }

  async #seal(kept: Kept): Promise<KeptRecord> {
    const sealed = await seal(await gateSealKey(), PLACE, JSON.stringify(kept))
    return { kind: kept.kind, ...(kept.kind === 'intent' && kept.scan ? { scan: kept.scan } : {}), sealed }
  }

  #place(record: KeptRecord, id: number): void {
    if (record.scan) this.#intents.set(record.scan, id)
    if (SUPERSEDED.has(record.kind)) this.#newest.set(record.kind, id)
    if (record.kind === 'changes') this.#changes.add(id)
  }
}

/** For a rehearsal: forgotten with the page. */
export class MemoryJournal implements Journal {
  readonly changes = 0
  readonly sound = true
  write = async () => undefined
  load = async () => []
  compact = async () => undefined
}
