// What the steward sees of a scan: the big panel, its sound, the last scans and the counters.
import type { Signal } from '@preact/signals'
import type { Scan } from './scan.ts'
import { soundAdmit, soundRefuse, soundWait } from './sound.ts'
import { lastAdmit, recents, serverNow, shown, softNotice, zone } from './state.ts'
import { t } from './texts.ts'
import { faceOf, type Tone } from './verdict-face.ts'

const ADMIT_SHOWN_MS = 6_000
const REFUSE_SHOWN_MS = 14_000
const NOTICE_MS = 2_500
const RECENTS = 30
/** How long an entry that the device decided can be taken back; the server says it of its own. */
const UNDO_MS = 60_000

let clearTimer: ReturnType<typeof setTimeout> | undefined
let noticeTimer: ReturnType<typeof setTimeout> | undefined

export function notice(text: string): void {
  softNotice.value = text
  clearTimeout(noticeTimer)
  noticeTimer = setTimeout(() => {
    softNotice.value = null
  }, NOTICE_MS)
}

export function clearBoard(): void {
  clearTimeout(clearTimer)
  shown.value = null
}

/** The time from the camera's frame to the painted verdict, kept as one measure that tests and people can read. */
function measurePaint(since: number): void {
  requestAnimationFrame(() =>
    setTimeout(() => {
      performance.clearMeasures('admit-scan')
      performance.measure('admit-scan', { start: since })
    }),
  )
}

/** Until when the entry may be taken back; null for what is no entry. */
export function undoUntil({ state, at }: Scan): string | null {
  if (state.kind === 'answered' && state.verdict.verdict === 'admit') return state.verdict.undo_until
  if (state.kind === 'decided' && state.verdict === 'admit')
    return new Date(Date.parse(at) + UNDO_MS).toISOString()
  return null
}

const verdictOf = ({ state }: Scan): 'admitted' | 'refused' | null => {
  switch (state.kind) {
    case 'answered':
      return state.verdict.verdict === 'admit' ? 'admitted' : 'refused'
    case 'decided':
      return state.verdict === 'admit' ? 'admitted' : 'refused'
    case 'judged':
    case 'not_a_code':
      return 'refused'
    default:
      return null
  }
}

export type Figures = { admitted: number; refused: number }

export class Board {
  readonly #counters: Signal<Figures>
  readonly #keep: (figures: Figures) => void
  readonly #counted = new Map<string, 'admitted' | 'refused'>()
  /** The scan of the person who stands here now, and when its code was seen. */
  #current: { scanId: string; seenAt: number } | null = null
  #tone: Tone = 'ready'
  #seenAt = 0

  readonly #exits: Signal<Figures>
  readonly #keepExits: (figures: Figures) => void

  constructor(
    counters: Signal<Figures>,
    keep: (figures: Figures) => void = () => {},
    exits = counters,
    keepExits = keep,
  ) {
    this.#counters = counters
    this.#keep = keep
    this.#exits = exits
    this.#keepExits = keepExits
  }

  seen(at: number): void {
    this.#seenAt = at
  }

  begun(scan: Scan): void {
    this.#current = { scanId: scan.scanId, seenAt: this.#seenAt }
    this.#tone = 'ready'
  }

  changed(scan: Scan): void {
    const face = faceOf(scan, zone.value)
    this.#remember(scan, face.tone, face.word, face.ticket)
    this.#count(scan)
    if (this.#current?.scanId !== scan.scanId) {
      // The steward went on to the next person; this answer comes late, and must not look like the next one's.
      if (scan.state.kind === 'answered')
        notice(t('late', { ticket: face.ticket ?? t('a_ticket'), word: face.word }))
      return
    }
    const until = undoUntil(scan)
    if (until && Date.parse(until) > serverNow()) lastAdmit.value = { scanId: scan.scanId, undoUntil: until }
    this.#show(scan, face.tone)
  }

  /** An entry was taken back. */
  undone(scanId: string): void {
    if (lastAdmit.value?.scanId === scanId) lastAdmit.value = null
    const recent = recents.value.find(one => one.scanId === scanId)
    const at = new Date(serverNow()).toISOString()
    const scan: Scan = { scanId, code: '', gate: 0, at, state: { kind: 'taken_back' }, resumed: false }
    this.begun(scan)
    this.changed(scan)
    if (recent?.ticket)
      recents.value = recents.value.map(one =>
        one.scanId === scanId ? { ...one, ticket: recent.ticket } : one,
      )
  }

  /** Puts a scan on the big panel. The same tone twice (device and server agree) makes one sound. */
  #show(scan: Scan, tone: Tone): void {
    shown.value = { ...scan }
    clearTimeout(clearTimer)
    if (tone !== this.#tone) {
      softNotice.value = null
      if (tone === 'admit' || tone === 'out') soundAdmit()
      else if (tone === 'refuse') soundRefuse()
      else if (tone === 'wait') soundWait()
    }
    this.#tone = tone
    if (tone === 'admit' || tone === 'out' || tone === 'refuse') measurePaint(this.#current?.seenAt ?? 0)
    // An old ADMIT must not be taken for the answer to the next person.
    const passed = tone === 'admit' || tone === 'out' || tone === 'undo' || scan.state.kind === 'let_out'
    if (passed) clearTimer = setTimeout(clearBoard, ADMIT_SHOWN_MS)
    if (tone === 'refuse') clearTimer = setTimeout(clearBoard, REFUSE_SHOWN_MS)
  }

  #remember(scan: Scan, tone: Tone, word: string, ticket: string | null): void {
    const { scanId, at } = scan
    const entry = { scanId, at, tone, word, ticket, undoUntil: undoUntil(scan) }
    recents.value = [entry, ...recents.value.filter(recent => recent.scanId !== scanId)].slice(0, RECENTS)
  }

  #count(scan: Scan): void {
    const next = verdictOf(scan)
    const before = this.#counted.get(scan.scanId)
    const over = scan.state.kind === 'taken_back' || scan.state.kind === 'cannot_keep'
    if (next === before || (next === null && !over)) return
    const isExit = scan.direction === 'exit'
    const counters = isExit ? this.#exits : this.#counters
    const figures = { ...counters.value }
    if (before) figures[before] -= 1
    if (next) {
      figures[next] += 1
      this.#counted.set(scan.scanId, next)
    } else this.#counted.delete(scan.scanId)
    counters.value = figures
    if (isExit) this.#keepExits(figures)
    else this.#keep(figures)
  }
}
