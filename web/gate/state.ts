// What the gate's screens show. Only signals and plain facts, so that the first paint needs nothing else; `station.ts` changes them.
import { computed, signal } from '@preact/signals'
import type { DoubleEntry, GateSetup } from '../lib/api/types.ts'
import type { Scan } from './scan.ts'
import type { Tone } from './verdict-face.ts'

export type Stage = 'starting' | 'unpaired' | 'removed' | 'choose_gate' | 'scanning' | 'other_tab'
type Connection = 'connecting' | 'online' | 'offline'
export type Recent = {
  scanId: string
  at: string
  tone: Tone
  word: string
  ticket: string | null
  undoUntil: string | null
}
type Counters = { admitted: number; refused: number }

/** What the core's device says of itself. */
export type CoreStatus = {
  pending: number
  known: number
  cursor: number
  last_contact_ms: number | null
  guess_ms: number
  low_ms: number
  high_ms: number | null
  turned_back_ms: number
}

export const stage = signal<Stage>('starting')
export const setup = signal<GateSetup | null>(null)
export const gateNumber = signal<number | null>(null)
export const connection = signal<Connection>('connecting')
export const rulesOnDevice = signal(false)
export const pairingNotice = signal<string | null>(null)

/** What the big panel shows; null is Ready. A copy per change, so that the signal tells. */
export const shown = signal<Scan | null>(null)
export const softNotice = signal<string | null>(null)
export const recents = signal<Recent[]>([])
/** Scans that wait for the server alone. */
export const waitingCount = signal(0)
export const counters = signal<Counters>({ admitted: 0, refused: 0 })
/** The entry that the big button takes back. */
export const lastAdmit = signal<{ scanId: string; undoUntil: string } | null>(null)
export const undoBusy = signal(false)

/** Told by the core each second; null where it is not there. */
export const status = signal<CoreStatus | null>(null)
/** False: the disk refuses records, and nobody is let in without the server. */
export const keeps = signal(true)
/** Whether the browser promised not to clear what is kept; null: it was not asked yet. */
export const persisted = signal<boolean | null>(null)
export const shellKept = signal(false)
export const syncing = signal<{ sent: number; left: number } | null>(null)
export const syncTrouble = signal<string | null>(null)
/** Tickets that entered twice, until the steward has seen it. */
export const notices = signal<DoubleEntry[]>([])
/** All that this run has heard of, seen ones too. */
export const doubles = signal<DoubleEntry[]>([])
/** Records of the journal that do not open. */
export const unreadable = signal(0)
/** What was chosen for this scanner: people who leave, or people who enter. */
export const exitsChosen = signal(false)
export const exitCounters = signal<Counters>({ admitted: 0, refused: 0 })
export const rehearsing = signal(false)
export const rehearsalCounters = signal<Counters>({ admitted: 0, refused: 0 })
/** The wallet was asked to sign these bytes; only its answer is taken, until then. */
export const challenge = signal<{ bytes: Uint8Array<ArrayBuffer>; until: number } | null>(null)
/** What another scanner showed to link with this one, until it is taken up; and whether a link is open. */
export const linkText = signal<string | null>(null)
export const linked = signal(false)
/** The server's time, as the device reckons it, less this device's clock. */
export const clockOffset = signal(0)

/** A rehearsal is of entries only. */
export const countsExits = computed(() => exitsChosen.value && !rehearsing.value)
export const zone = computed(() => setup.value?.event.time_zone ?? 'UTC')
const ownGate = computed(() => setup.value?.gates.find(gate => gate.number === gateNumber.value))
export const gateName = computed(() => ownGate.value?.name ?? '')
export const gateClosed = computed(() => ownGate.value?.open === false)
export const gateNamed = (number: number) =>
  setup.value?.gates.find(gate => gate.number === number)?.name ?? ''

export const serverNow = () => Date.now() + clockOffset.value
