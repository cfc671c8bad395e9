// The state of this gate: who it is, what it was told, and the scans; every change of it happens here.
import { computed, signal } from '@preact/signals'
import { admit, getGateSetup, pair, undoAdmission } from '../lib/api/gate.ts'
import { NoAnswer, Problem } from '../lib/api/http.ts'
import type { GateSetup, Verdict } from '../lib/api/types.ts'
import { loadRules, type Rules, serverOnly } from '../lib/core/rules.ts'
import { getFact, type Identity, journal, keepFact, wipe } from '../lib/db/gate-db.ts'
import { Admissions, type Scan } from './admission.ts'
import { RepeatFilter } from './repeat-filter.ts'
import { drawScanId } from './scan-id.ts'
import { soundAdmit, soundOn, soundRefuse, soundRepeat, soundWait } from './sound.ts'
import { t } from './texts.ts'
import { faceOf, type Tone } from './verdict-face.ts'

export type Stage = 'starting' | 'unpaired' | 'removed' | 'choose_gate' | 'scanning'
type Connection = 'connecting' | 'online' | 'offline'
export type Recent = {
  scanId: string
  at: string
  tone: Tone
  word: string
  ticket: string | null
  undoUntil: string | null
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
export const waitingCount = signal(0)
export const counters = signal({ admitted: 0, refused: 0 })
export const lastAdmit = signal<Verdict | null>(null)
export const undoBusy = signal(false)
/** Server time minus this device's time: its clock lies, and the ticket windows must not. */
const clockOffset = signal(0)

export const zone = computed(() => setup.value?.event.time_zone ?? 'UTC')
const ownGate = computed(() => setup.value?.gates.find(gate => gate.number === gateNumber.value))
export const gateName = computed(() => ownGate.value?.name ?? '')
export const gateClosed = computed(() => ownGate.value?.open === false)

const ADMIT_SHOWN_MS = 6_000
const REFUSE_SHOWN_MS = 14_000
const NOTICE_MS = 2_500
const REPEAT_QUIET_MS = 1_500
const SETUP_EVERY_MS = 15_000
const SETUP_RETRY_MS = 4_000
const RECENTS = 30
const COUNTERS_KEY = 'admit-gate-counters'

let identity: Identity | null = null
let rules: Rules = serverOnly
let admissions: Admissions | null = null
let repeats = new RepeatFilter()
/** The scan of the person who stands here now. */
let current: Scan | null = null
/** True while a code is handed over: the scan that changes then is the one just presented. */
let presenting = false
let presentedAt = 0
let clearTimer: ReturnType<typeof setTimeout> | undefined
let noticeTimer: ReturnType<typeof setTimeout> | undefined
let setupTimer: ReturnType<typeof setTimeout> | undefined
let rulesFor = ''
const counted = new Map<string, 'admitted' | 'refused'>()
/** The admissions of this run that an undo may still name. */
const verdicts = new Map<string, Verdict>()

export const serverNow = () => Date.now() + clockOffset.value

// --- starting -----------------------------------------------------------------------------------------------------

export async function startStation(): Promise<void> {
  try {
    const kept = JSON.parse(sessionStorage.getItem(COUNTERS_KEY) ?? 'null') as typeof counters.value | null
    if (kept) counters.value = kept
    identity = (await getFact('identity')) ?? null
    soundOn.value = (await getFact('sound')) ?? true
  } catch {
    identity = null
  }
  if (!identity) {
    stage.value = 'unpaired'
    return
  }
  const known = await getFact('setup').catch(() => undefined)
  gateNumber.value = (await getFact('gate').catch(() => undefined)) ?? null
  if (known) await takeSetup(known, false)
  await openStation()
}

/** What every call tells besides its answer: whether the server is there. */
async function heard<T>(answer: Promise<T>): Promise<T> {
  try {
    const value = await answer
    connection.value = 'online'
    return value
  } catch (error) {
    if (error instanceof NoAnswer) connection.value = 'offline'
    throw error
  }
}

/** From here on the device has a token: set the admissions up, and keep asking the server what has changed. */
async function openStation(): Promise<void> {
  admissions = new Admissions({
    judge: code => rules.judge(code, gateNumber.value ?? 0, serverNow()),
    send: scan =>
      heard(admit(identity?.token ?? '', { code: scan.code, gate: scan.gate, scan_id: scan.scanId })),
    journal,
    drawScanId,
    now: () => new Date(serverNow()),
    after: (ms, run) => void setTimeout(run, ms),
    changed: scanChanged,
    shutOut,
  })
  await refreshSetup()
  if (setup.value && identity) {
    settleStage()
    await admissions?.resume()
  }
}

function settleStage(): void {
  const gates = setup.value?.gates ?? []
  if (gateNumber.value !== null && gates.some(gate => gate.number === gateNumber.value)) {
    stage.value = 'scanning'
    return
  }
  const own = setup.value?.device.gate ?? (gates.length === 1 ? gates[0]?.number : undefined)
  if (own !== undefined && own !== null) chooseGate(own)
  else stage.value = 'choose_gate'
}

export function chooseGate(number: number): void {
  gateNumber.value = number
  void keepFact('gate', number).catch(() => undefined)
  stage.value = 'scanning'
}

export async function refreshSetup(): Promise<void> {
  clearTimeout(setupTimer)
  if (!identity) return
  const before = connection.value
  try {
    const asked = Date.now()
    const fresh = await getGateSetup(identity.token)
    connection.value = 'online'
    clockOffset.value = Date.parse(fresh.server_time) - (asked + Date.now()) / 2
    await takeSetup(fresh, true)
    if (stage.value === 'starting') settleStage()
    if (before === 'offline') admissions?.retryNow()
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return shutOut(error)
    connection.value = 'offline'
  }
  setupTimer = setTimeout(
    () => void refreshSetup(),
    connection.value === 'online' ? SETUP_EVERY_MS : SETUP_RETRY_MS,
  )
}

async function takeSetup(fresh: GateSetup, keep: boolean): Promise<void> {
  setup.value = fresh
  // server_time differs each time; the rules need building anew only when anything else does.
  const facts = JSON.stringify({ ...fresh, server_time: '' })
  if (facts === rulesFor) return
  rulesFor = facts
  rules = await loadRules(fresh)
  rulesOnDevice.value = rules !== serverOnly
  if (keep) await keepFact('setup', fresh).catch(() => undefined)
}

// --- pairing, and its end -----------------------------------------------------------------------------------------

export async function pairDevice(code: string): Promise<void> {
  const paired = await pair({ code, platform: platform() })
  if (identity) await forget()
  identity = { deviceId: paired.device_id, token: paired.token }
  await keepFact('identity', identity).catch(() => undefined)
  if (paired.gate !== null) {
    gateNumber.value = paired.gate
    await keepFact('gate', paired.gate).catch(() => undefined)
  }
  void navigator.storage?.persist?.().catch(() => undefined)
  pairingNotice.value = null
  stage.value = 'starting'
  await openStation()
}

const platform = () => {
  const agent = navigator as Navigator & { userAgentData?: { platform: string; brands: { brand: string }[] } }
  const system =
    agent.userAgentData?.platform ||
    /iPhone|iPad|Android|Windows|Mac OS X|Linux/.exec(agent.userAgent)?.[0] ||
    ''
  const browser = /Firefox|Edg|OPR|SamsungBrowser|CriOS|Chrome|Safari/.exec(agent.userAgent)?.[0] ?? ''
  return `${system} ${browser}`.trim().slice(0, 80) || 'unknown'
}

function shutOut(problem: Problem): void {
  const removed = problem.code === 'device_revoked'
  void forget().then(() => {
    pairingNotice.value = removed ? null : t('not_paired')
    stage.value = removed ? 'removed' : 'unpaired'
  })
}

/** Leaves nothing behind: not in memory, not on the disk. */
async function forget(): Promise<void> {
  clearTimeout(setupTimer)
  clearTimeout(clearTimer)
  admissions?.close()
  admissions = null
  identity = null
  rules = serverOnly
  rulesFor = ''
  current = null
  repeats = new RepeatFilter()
  counted.clear()
  verdicts.clear()
  setup.value = null
  gateNumber.value = null
  shown.value = null
  softNotice.value = null
  lastAdmit.value = null
  recents.value = []
  counters.value = { admitted: 0, refused: 0 }
  waitingCount.value = 0
  connection.value = 'connecting'
  sessionStorage.removeItem(COUNTERS_KEY)
  await wipe().catch(() => undefined)
}

export async function unpair(): Promise<void> {
  await forget()
  stage.value = 'unpaired'
}

// --- scanning -----------------------------------------------------------------------------------------------------

/** Every reader ends here: camera, hand scanner, paste and typing. */
export function presentCode(code: string, seenAt = performance.now()): void {
  if (!admissions || gateNumber.value === null || code === '') return
  const now = performance.now()
  const sight = repeats.see(code, now)
  if (sight.kind === 'repeat') {
    // Silence would look like a dead scanner, a second request like a second person.
    if (now - sight.firstSeenAt > REPEAT_QUIET_MS) tellRepeat()
    return
  }
  presentedAt = seenAt
  presenting = true
  void admissions.present(code, gateNumber.value)
  presenting = false
}

let repeatToldAt = Number.NEGATIVE_INFINITY

function tellRepeat(): void {
  const now = performance.now()
  notice(t('just_scanned'))
  if (now - repeatToldAt > 3_000) soundRepeat()
  repeatToldAt = now
}

function notice(text: string): void {
  softNotice.value = text
  clearTimeout(noticeTimer)
  noticeTimer = setTimeout(() => {
    softNotice.value = null
  }, NOTICE_MS)
}

function scanChanged(scan: Scan): void {
  waitingCount.value = admissions?.waiting ?? 0
  const before = recents.value.find(recent => recent.scanId === scan.scanId)
  const face = faceOf(scan, zone.value)
  remember(scan, face.tone, face.word, face.ticket)
  count(scan)

  if (presenting) current = scan
  if (current?.scanId !== scan.scanId) {
    // The steward went on to the next person; this answer comes late, and must not look like the next one's.
    if (scan.state.kind === 'answered')
      notice(t('late', { ticket: face.ticket ?? t('a_ticket'), word: face.word }))
    return
  }
  if (scan.state.kind === 'answered' && scan.state.verdict.verdict === 'admit')
    lastAdmit.value = scan.state.verdict
  show(scan, face.tone, presenting || before?.tone !== face.tone)
}

/** The time from the camera's frame to the painted verdict, kept as one measure that tests and people can read. */
function measurePaint(): void {
  requestAnimationFrame(() =>
    setTimeout(() => {
      performance.clearMeasures('admit-scan')
      performance.measure('admit-scan', { start: presentedAt })
    }),
  )
}

/** Puts a scan on the big panel. The same tone twice (device and server agree) makes one sound. */
function show(scan: Scan, tone: Tone, changed: boolean): void {
  shown.value = { ...scan }
  clearTimeout(clearTimer)
  if (changed) {
    softNotice.value = null
    if (tone === 'admit') soundAdmit()
    else if (tone === 'refuse') soundRefuse()
    else if (tone === 'wait') soundWait()
  }
  if (tone === 'admit' || tone === 'refuse') measurePaint()
  // An old ADMIT must not be taken for the answer to the next person.
  if (tone === 'admit' || tone === 'undo') clearTimer = setTimeout(clearShown, ADMIT_SHOWN_MS)
  if (tone === 'refuse') clearTimer = setTimeout(clearShown, REFUSE_SHOWN_MS)
}

function clearShown(): void {
  shown.value = null
}

function remember(scan: Scan, tone: Tone, word: string, ticket: string | null): void {
  const verdict = scan.state.kind === 'answered' ? scan.state.verdict : null
  const undoUntil = verdict?.verdict === 'admit' ? verdict.undo_until : null
  if (verdict && undoUntil) verdicts.set(scan.scanId, verdict)
  const entry: Recent = { scanId: scan.scanId, at: scan.at, tone, word, ticket, undoUntil }
  const all = [entry, ...recents.value.filter(recent => recent.scanId !== scan.scanId)]
  for (const forgotten of all.slice(RECENTS)) verdicts.delete(forgotten.scanId)
  recents.value = all.slice(0, RECENTS)
}

function count(scan: Scan): void {
  const state = scan.state
  const verdict =
    state.kind === 'answered' ? state.verdict.verdict : state.kind === 'judged' ? 'refuse' : null
  const next =
    verdict === 'admit' ? 'admitted' : verdict === 'refuse' || state.kind === 'not_a_code' ? 'refused' : null
  const before = counted.get(scan.scanId)
  if (next === before || (next === null && verdict !== 'undo')) return
  const figures = { ...counters.value }
  if (before) figures[before] -= 1
  if (next) {
    figures[next] += 1
    counted.set(scan.scanId, next)
  } else counted.delete(scan.scanId)
  counters.value = figures
  sessionStorage.setItem(COUNTERS_KEY, JSON.stringify(figures))
}

/** Takes an entry back: the last one by the big button, an earlier one (a late answer, say) from the menu. */
export async function undo(scanId: string): Promise<void> {
  if (!identity || undoBusy.value) return
  undoBusy.value = true
  try {
    const undone = await heard(undoAdmission(identity.token, scanId))
    showUndone(scanId, undone.at)
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return shutOut(error)
    if (error instanceof Problem) {
      if (lastAdmit.value?.scan_id === scanId) lastAdmit.value = null
      notice(`${t('undo_refused')}: ${error.message}`)
    } else if (error instanceof NoAnswer) {
      notice(t('no_answer'))
    }
  } finally {
    undoBusy.value = false
  }
}

function showUndone(scanId: string, at: string): void {
  const verdict = verdicts.get(scanId)
  if (lastAdmit.value?.scan_id === scanId) lastAdmit.value = null
  if (!verdict) return
  // The code was seen just now, and must count as new when it is shown again.
  repeats = new RepeatFilter()
  presenting = true
  scanChanged({
    scanId,
    code: '',
    gate: gateNumber.value ?? 0,
    at,
    state: { kind: 'answered', verdict: { ...verdict, at, verdict: 'undo' }, before: null },
    resumed: false,
  })
  presenting = false
}

export const keepSound = (on: boolean) => {
  soundOn.value = on
  void keepFact('sound', on).catch(() => undefined)
}

export const networkIsBack = () => {
  admissions?.retryNow()
  void refreshSetup()
}
