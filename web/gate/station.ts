// The station: who this device is, what it was told, and what happens to a code; every change of the screens' state begins here.
import { admit, getGateSetup, pair, syncOffline, undoAdmission } from '../lib/api/gate.ts'
import { NoAnswer, Problem } from '../lib/api/http.ts'
import type { GateSetup, ScanInput, SyncAnswer } from '../lib/api/types.ts'
import { loadCore } from '../lib/core/package.ts'
import {
  gateSealKey,
  getFact,
  getSealedFact,
  type Identity,
  keepFact,
  keepSealedFact,
  type WaitingScan,
  waitingScans,
  wipe,
} from '../lib/db/gate-db.ts'
import { Admissions } from './admission.ts'
import { base64url } from './base64url.ts'
import { battery, watchBattery } from './battery.ts'
import { Board, clearBoard, type Figures, notice } from './board.ts'
import { looksLikeCode } from './code-shape.ts'
import { Device, now } from './device.ts'
import { isExchangeCode } from './exchange-code.ts'
import { Outbox } from './outbox.ts'
import { platform } from './platform.ts'
import { RepeatFilter } from './repeat-filter.ts'
import type { Scan } from './scan.ts'
import { drawScanId } from './scan-id.ts'
import { ServerScans } from './server-scans.ts'
import { soundAlarm, soundOn, soundRepeat } from './sound.ts'
import {
  challenge,
  clockOffset,
  connection,
  counters,
  countsExits,
  doubles,
  exitCounters,
  exitsChosen,
  gateNumber,
  keeps,
  lastAdmit,
  linked,
  notices,
  pairingNotice,
  persisted,
  recents,
  rehearsalCounters,
  rehearsing,
  serverNow,
  setup,
  shellKept,
  softNotice,
  stage,
  status,
  syncing,
  syncTrouble,
  undoBusy,
  waitingCount,
} from './state.ts'
import { TabLock } from './tab-lock.ts'
import { t } from './texts.ts'

const REPEAT_QUIET_MS = 1_500
const SETUP_EVERY_MS = 15_000
const SETUP_RETRY_MS = 3_000
const PATIENCE_MS = 1_500
const COUNTERS_KEY = 'admit-gate-counters'
const EXITS_KEY = 'admit-gate-exit-counters'

let identity: Identity | null = null
let device = new Device()
let admissions: Admissions | null = null
let serverScans: ServerScans | null = null
let outbox: Outbox | null = null
let repeats = new RepeatFilter()
/** Scans of this run that the device decided: the server may not have heard of them yet. */
const decidedHere = new Set<string>()
let setupTimer: ReturnType<typeof setTimeout> | undefined
let tickTimer: ReturnType<typeof setInterval> | undefined
let rehearsal: { admissions: Admissions; board: Board; end: () => void } | null = null

const keepCounters = (figures: Figures) => sessionStorage.setItem(COUNTERS_KEY, JSON.stringify(figures))
const keepExits = (figures: Figures) => sessionStorage.setItem(EXITS_KEY, JSON.stringify(figures))
const newBoard = () => new Board(counters, keepCounters, exitCounters, keepExits)
let board = newBoard()

const lock = new TabLock(async () => {
  await closeStation()
  stage.value = 'other_tab'
  // In line again: when the other tab closes, this one goes on.
  setTimeout(() => void startStation())
})

// --- starting -----------------------------------------------------------------------------------------------------

export async function startStation(): Promise<void> {
  watchBattery()
  await lock.own(() => {
    stage.value = 'other_tab'
  })
  if (stage.value === 'other_tab') stage.value = 'starting'
  try {
    const kept = JSON.parse(sessionStorage.getItem(COUNTERS_KEY) ?? 'null') as Figures | null
    if (kept) counters.value = kept
    const left = JSON.parse(sessionStorage.getItem(EXITS_KEY) ?? 'null') as Figures | null
    if (left) exitCounters.value = left
    exitsChosen.value = (await getFact('exits')) ?? false
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
  notices.value = (await getSealedFact('notices').catch(() => undefined)) ?? []
  doubles.value = notices.value
  if (known) await takeSetup(known, false)
  await openStation()
}

export function useThisTab(): void {
  lock.demand()
}

/** What every call tells besides its answer: whether the server is there. */
async function heard<T>(answer: Promise<T>): Promise<T> {
  try {
    const value = await answer
    isOnline()
    return value
  } catch (error) {
    if (error instanceof NoAnswer) isOffline()
    else if (error instanceof Problem && error.status < 500) isOnline()
    throw error
  }
}

function isOnline(): void {
  const back = connection.value === 'offline'
  connection.value = 'online'
  if (!back) return
  serverScans?.retryNow()
  void outbox?.now()
}

/** Looks for the server in the background; nobody at the gate waits for it. */
function isOffline(): void {
  connection.value = 'offline'
  clearTimeout(setupTimer)
  setupTimer = setTimeout(() => void refreshSetup(), SETUP_RETRY_MS)
}

const send = (scan: WaitingScan, confirm: boolean) => {
  const input: ScanInput = { code: scan.code, gate: scan.gate, scan_id: scan.scanId }
  if (confirm) input.confirm = true
  if (scan.challenge) input.challenge = scan.challenge
  if (scan.direction) input.direction = scan.direction
  return heard(admit(identity?.token ?? '', input))
}

/** What the device keeps no record of: the server's word is the only one. Without a network nothing is even tried. */
const sendAlone = (scan: WaitingScan) =>
  connection.value === 'offline' ? Promise.reject(new NoAnswer('offline')) : send(scan, false)

const patienceMs = () => setup.value?.event.offline_after_ms ?? PATIENCE_MS

const after = (ms: number, run: () => void) => {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}

/** From here on the device has a token: open what handles scans, and keep asking the server what has changed. */
async function openStation(): Promise<void> {
  const changed = (scan: Scan) => {
    waitingCount.value = serverScans?.waiting ?? 0
    if (scan.state.kind === 'decided') decidedHere.add(scan.scanId)
    board.changed(scan)
    void unlockName(scan)
  }
  const begun = (scan: Scan) => board.begun(scan)
  const shared = { begun, changed, shutOut }
  const scans = new ServerScans({ ...shared, send: sendAlone, kept: waitingScans, after, patienceMs })
  serverScans = scans
  admissions = new Admissions({
    ...shared,
    core: device.scans,
    write: device.write,
    keeps: () => keeps.value || !device.core,
    send,
    server: { present: (scan, local) => void scans.present(scan, local) },
    drawScanId,
    now,
    after,
    patienceMs,
    online: () => connection.value !== 'offline',
    silent: isOffline,
    written: entryWritten,
    notify: showNotice,
  })
  outbox = openOutbox()
  clearInterval(tickTimer)
  tickTimer = setInterval(tick, 1_000)
  void askPersistence()
  // What is known from before is enough to begin with.
  if (setup.value) settleStage()
  await refreshSetup()
  if (setup.value && identity) {
    settleStage()
    await serverScans?.resume()
  }
}

function entryWritten(): void {
  device.tick(false)
  outbox?.soon()
  if (linked.value) void tellPeer().catch(() => undefined)
}

async function tellPeer(): Promise<void> {
  const [{ tellLink }, { ownMessages }] = await Promise.all([
    import('./peer-link.ts'),
    import('./exchange.ts'),
  ])
  await tellLink(ownMessages)
}

function tick(): void {
  device.tick(admissions?.idle ?? true)
  const told = status.value
  if (!told || told.last_contact_ms === null) return
  const offset = told.guess_ms - Date.now()
  if (Math.abs(offset - clockOffset.value) > 50) clockOffset.value = offset
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
  try {
    const asked = Date.now()
    const fresh = await getGateSetup(identity.token)
    if (!device.core) clockOffset.value = Date.parse(fresh.server_time) - (asked + Date.now()) / 2
    await takeSetup(fresh, true)
    if (stage.value === 'starting') settleStage()
    const first = connection.value === 'connecting'
    isOnline()
    if (first) void outbox?.now()
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return shutOut(error)
    connection.value = 'offline'
  }
  clearTimeout(setupTimer)
  const pause = connection.value === 'online' ? SETUP_EVERY_MS : SETUP_RETRY_MS
  setupTimer = setTimeout(() => void refreshSetup(), pause)
}

async function takeSetup(fresh: GateSetup, keep: boolean): Promise<void> {
  setup.value = fresh
  if (identity) await device.take(fresh, identity.deviceId)
  if (keep) await keepFact('setup', fresh).catch(() => undefined)
  void lookForShell()
}

/** The app's shell is kept once its worker is active: it becomes so only when everything was fetched. */
async function lookForShell(): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration('/gate/').catch(() => undefined)
  shellKept.value = Boolean(registration?.active)
  if (shellKept.value || !registration) return
  void navigator.serviceWorker.ready.then(() => {
    shellKept.value = true
  })
}

export async function askPersistence(): Promise<void> {
  const storage = navigator.storage
  persisted.value = (await storage?.persist?.().catch(() => false)) ?? false
}

// --- telling and hearing ------------------------------------------------------------------------------------------

function openOutbox(): Outbox {
  return new Outbox({
    core: {
      report: () => device.core?.report() ?? '',
      heard: (...args) => device.core?.heard(...args) ?? '[]',
    },
    facts: async () => ({
      validator_id: String(identity?.deviceId ?? ''),
      persisted: persisted.value ?? false,
      battery: battery.value,
    }),
    send: body => heard(syncOffline(identity?.token ?? '', body)),
    carryOut: effects => device.carryOut(effects, showNotice),
    ready: async () => device.core !== null && connection.value !== 'offline' && (await device.trySound()),
    told: heardDoubles,
    done: () => {
      syncTrouble.value = null
      device.tick(false)
    },
    failed: error => {
      if (error instanceof Problem && error.status === 401) return shutOut(error)
      syncTrouble.value = error instanceof NoAnswer ? t('no_answer') : t('sync_failed')
    },
    progress: progress => {
      syncing.value = progress
    },
    now,
    after,
  })
}

export const syncNow = async () => {
  if (connection.value === 'offline') await refreshSetup()
  await outbox?.now()
}

/** The words of notices; which of them are to be shown the core says. */
const described = new Map<number, SyncAnswer['notices'][number]>()

function heardDoubles(answer: SyncAnswer): void {
  for (const double of answer.notices) described.set(double.id, double)
}

function showNotice(id: number): void {
  const double = described.get(id)
  if (!double || notices.value.some(known => known.id === id)) return
  notices.value = [...notices.value, double]
  doubles.value = [double, ...doubles.value]
  soundAlarm()
  void keepSealedFact('notices', notices.value).catch(() => undefined)
}

export async function noticeSeen(id: number): Promise<void> {
  notices.value = notices.value.filter(double => double.id !== id)
  if (device.core) await device.carryOut(JSON.parse(device.core.shown(id)))
  await keepSealedFact('notices', notices.value).catch(() => undefined)
  outbox?.soon()
}

// --- pairing, and its end -----------------------------------------------------------------------------------------

export async function pairDevice(code: string): Promise<void> {
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const key = (await loadCore())?.public_key(seed)
  const asked = { code, platform: platform(), ...(key ? { public_key: base64url(key) } : {}) }
  const paired = await pair(asked)
  lock.demand()
  await lock.own(() => {})
  if (identity) await forget({ keepLock: true })
  identity = { deviceId: paired.device_id, token: paired.token }
  await keepFact('identity', identity).catch(() => undefined)
  await gateSealKey().catch(() => undefined)
  await keepSealedFact('seed', base64url(seed)).catch(() => undefined)
  if (paired.gate !== null) {
    gateNumber.value = paired.gate
    await keepFact('gate', paired.gate).catch(() => undefined)
  }
  pairingNotice.value = null
  stage.value = 'starting'
  await openStation()
}

/** The server does not want this device any more. What it never heard stays until the steward has saved it. */
function shutOut(problem: Problem): void {
  const removed = problem.code === 'device_revoked'
  if (stage.value === 'removed') return
  device.tick(false)
  if (removed && (status.value?.pending ?? 0) > 0) {
    clearTimeout(setupTimer)
    outbox?.close()
    admissions?.close()
    serverScans?.close()
    stage.value = 'removed'
    return
  }
  void forget().then(() => {
    pairingNotice.value = removed ? null : t('not_paired')
    stage.value = removed ? 'removed' : 'unpaired'
  })
}

/** Everything stops, and is on the disk when this returns. */
async function closeStation(): Promise<void> {
  clearTimeout(setupTimer)
  clearInterval(tickTimer)
  endRehearsal()
  admissions?.close()
  serverScans?.close()
  outbox?.close()
  admissions = null
  serverScans = null
  outbox = null
  await device.close()
  device = new Device()
}

/** Leaves nothing behind: not in memory, not on the disk. */
async function forget({ keepLock = false } = {}): Promise<void> {
  await closeStation()
  identity = null
  repeats = new RepeatFilter()
  described.clear()
  decidedHere.clear()
  board = newBoard()
  clearBoard()
  setup.value = null
  gateNumber.value = null
  softNotice.value = null
  lastAdmit.value = null
  recents.value = []
  notices.value = []
  doubles.value = []
  counters.value = { admitted: 0, refused: 0 }
  exitCounters.value = { admitted: 0, refused: 0 }
  exitsChosen.value = false
  waitingCount.value = 0
  connection.value = 'connecting'
  sessionStorage.removeItem(COUNTERS_KEY)
  sessionStorage.removeItem(EXITS_KEY)
  await wipe().catch(() => undefined)
  if (!keepLock) lock.release()
}

export async function unpair(): Promise<void> {
  await forget()
  stage.value = 'unpaired'
}

// --- scanning -----------------------------------------------------------------------------------------------------

/** Every reader ends here: camera, hand scanner, paste and typing. */
export function presentCode(code: string, seenAt = performance.now()): void {
  if (!admissions || gateNumber.value === null || code === '') return
  const at = performance.now()
  const sight = repeats.see(code, at)
  if (isExchangeCode(code)) {
    if (sight.kind === 'new') void import('./exchange.ts').then(it => it.takeIn(code))
    return
  }
  if (sight.kind === 'repeat') {
    // Silence would look like a dead scanner, a second request like a second person.
    if (at - sight.firstSeenAt > REPEAT_QUIET_MS) tellRepeat()
    return
  }
  const asked = challenge.value && challenge.value.until > Date.now() ? challenge.value.bytes : undefined
  challenge.value = null
  const here = rehearsal ?? { admissions, board }
  here.board.seen(seenAt)
  if (countsExits.value) presentExit(code, gateNumber.value, asked)
  else void here.admissions.present(code, gateNumber.value, asked)
}

/** Somebody leaves: told to the server alone, and kept nowhere here. */
function presentExit(code: string, gate: number, asked?: Uint8Array): void {
  const scan: Scan = {
    ...{ scanId: drawScanId(), code, gate, at: new Date(serverNow()).toISOString() },
    ...(asked ? { challenge: base64url(asked) } : {}),
    ...{ direction: 'exit', state: { kind: 'asking' }, resumed: false },
  }
  board.begun(scan)
  if (looksLikeCode(code)) void serverScans?.present(scan, null)
  else board.changed({ ...scan, code: '', state: { kind: 'not_a_code' } })
}

let repeatToldAt = Number.NEGATIVE_INFINITY

function tellRepeat(): void {
  const at = performance.now()
  notice(t('just_scanned'))
  if (at - repeatToldAt > 3_000) soundRepeat()
  repeatToldAt = at
}

/** Takes an entry back: the last one by the big button, an earlier one (a late answer, say) from the menu. */
export async function undo(scanId: string): Promise<void> {
  if (!identity || undoBusy.value) return
  undoBusy.value = true
  try {
    const here = rehearsal ?? { admissions, board }
    if (rehearsal || connection.value === 'offline' || decidedHere.has(scanId)) {
      if (!(await here.admissions?.takeBack(scanId))) return notice(t('no_answer'))
    } else await undoAtServer(scanId)
    // The code was seen just now, and must count as new when it is shown again.
    repeats = new RepeatFilter()
    here.board.undone(scanId)
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return shutOut(error)
    if (error instanceof Problem) {
      if (lastAdmit.value?.scanId === scanId) lastAdmit.value = null
      notice(`${t('undo_refused')}: ${error.message}`)
    } else throw error
  } finally {
    undoBusy.value = false
  }
}

/** The server's word first; when it does not come, or it never heard of the entry, the device's own record says it later. */
async function undoAtServer(scanId: string): Promise<void> {
  try {
    await heard(undoAdmission(identity?.token ?? '', scanId))
    await admissions?.takeBack(scanId)
  } catch (error) {
    const unheard = error instanceof NoAnswer || (error instanceof Problem && error.status === 404)
    if (!unheard || !(await admissions?.takeBack(scanId))) throw error
  }
}

/** A name that was downloaded opens only with the ticket's own code. */
async function unlockName(scan: Scan): Promise<void> {
  const { state, code } = scan
  if (state.kind !== 'decided' || state.name !== null || !state.local.digest) return
  const { nameOf } = await import('./download.ts')
  const name = await nameOf(state.local.digest, code, device.pack).catch(() => null)
  if (name && scan.state === state) {
    scan.state = { ...state, name }
    board.changed(scan)
  }
}

export const keepSound = (on: boolean) => {
  soundOn.value = on
  void keepFact('sound', on).catch(() => undefined)
}

export const countExits = (on: boolean) => {
  exitsChosen.value = on
  // The same code the other way is another matter, and an old verdict is not for the next person.
  repeats = new RepeatFilter()
  clearBoard()
  void keepFact('exits', on).catch(() => undefined)
}

export const networkIsBack = () => void refreshSetup()
export const networkIsGone = () => isOffline()

// --- what the lazily loaded screens need --------------------------------------------------------------------------

export const token = () => identity?.token ?? ''
export const theDevice = () => device
export const journalFile = () => ({
  device: identity?.deviceId ?? null,
  event: setup.value?.event.slug ?? null,
  exported_at: new Date().toISOString(),
  entries: JSON.parse(device.core?.journal() ?? '[]') as unknown[],
})

// --- rehearsal ----------------------------------------------------------------------------------------------------

/** The same rules over a copy of what is known, kept nowhere and told to nobody. */
export async function startRehearsal(): Promise<boolean> {
  const copy = await device.copy()
  if (!copy) return false
  const mirror = new Board(rehearsalCounters)
  const before = { recents: recents.value, lastAdmit: lastAdmit.value }
  const nobody = () => Promise.reject(new NoAnswer('a rehearsal asks nobody'))
  rehearsalCounters.value = { admitted: 0, refused: 0 }
  recents.value = []
  lastAdmit.value = null
  clearBoard()
  rehearsal = {
    board: mirror,
    admissions: new Admissions({
      core: copy,
      write: async () => undefined,
      keeps: () => true,
      send: nobody,
      server: null,
      drawScanId,
      now,
      after,
      patienceMs: () => PATIENCE_MS,
      online: () => false,
      silent: () => undefined,
      begun: scan => mirror.begun(scan),
      changed: scan => mirror.changed(scan),
      written: () => undefined,
      notify: () => undefined,
      shutOut: () => undefined,
    }),
    end: () => {
      recents.value = before.recents
      lastAdmit.value = before.lastAdmit
      copy.free()
    },
  }
  repeats = new RepeatFilter()
  rehearsing.value = true
  return true
}

export function endRehearsal(): void {
  if (!rehearsal) return
  rehearsal.admissions.close()
  rehearsal.end()
  rehearsal = null
  repeats = new RepeatFilter()
  rehearsing.value = false
  rehearsalCounters.value = { admitted: 0, refused: 0 }
  clearBoard()
}
