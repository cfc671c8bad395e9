// The offline side of the stand-in server: what devices tell and hear, and the tickets that entered twice. Just enough of the rules
// for the pages; the real ones are in the core, and have their own simulation.
import type { DoubleEntry, DoubleEntryCase, EntrySide } from '../lib/api/types.ts'

type Stage = 'claim' | 'done' | 'void' | 'refused'
export type MockEntry = {
  event: string
  local_id: string
  token_hash: string
  device: number
  sequence: number | null
  gate: number
  stage: Stage
  /** The bound that entries are ordered by. */
  at: number
  low: number
}
type WireEntry = {
  token_hash: string
  local_id: string
  sequence: number
  gate: number
  word: string
  reason?: string | null
  low_ms: number
  high_ms: number | null
}
export type Report = {
  accepted_tokens: WireEntry[]
  after: number
  shown: number[]
  pending: number
  persisted?: boolean
  battery?: number | null
}
type Raised = { id: number; event: string; hash: string; first: string; second: string; shown: Set<number> }

export type OfflineState = {
  entries: MockEntry[]
  /** The record of entries: who, which ticket, one more or one less. */
  spent: { event: string; device: number; hash: string; by: number }[]
  raised: Raised[]
  seen: Map<number, { last_sync_at: string; pending: number; persisted: boolean; battery: number | null }>
  revoked: Set<string>
}

export const offlineState = (): OfflineState => ({
  entries: [],
  spent: [],
  raised: [],
  seen: new Map(),
  revoked: new Set(),
})

/** Names for what the state knows by number. */
export type Names = {
  device: (device: number) => string
  gate: (gate: number) => string
  ticket: (hash: string) => { number: string; type: string; maxUses: number }
}

const CHANGES_OF_ONE_ANSWER = 500
const FRAUD_MS = 20_000

/** An online admission, or an entry that a device tells. */
export function enter(state: OfflineState, entry: MockEntry, maxUses: number): void {
  const { event, device, token_hash: hash } = entry
  state.entries.push(entry)
  if (entry.stage === 'refused' || entry.stage === 'void') return
  state.spent.push({ event, device, hash, by: 1 })
  if (entry.stage === 'done') raise(state, entry, maxUses)
}

export function leave(state: OfflineState, localId: string): void {
  const entry = state.entries.find(one => one.local_id === localId)
  if (!entry || entry.stage === 'void' || entry.stage === 'refused') return
  entry.stage = 'void'
  state.spent.push({ event: entry.event, device: entry.device, hash: entry.token_hash, by: -1 })
}

const ordered = (state: OfflineState, hash: string) =>
  state.entries
    .filter(entry => entry.token_hash === hash && entry.stage === 'done')
    .sort((a, b) => a.at - b.at || a.local_id.localeCompare(b.local_id))

/** Between two that are done, once. */
function raise(state: OfflineState, entry: MockEntry, maxUses: number): void {
  const all = ordered(state, entry.token_hash)
  if (maxUses === 0 || all.length <= maxUses) return
  const [first] = all
  const other = first === entry ? all[1] : first
  if (!other) return
  const [earlier, later] = entry.at < other.at ? [entry, other] : [other, entry]
  const id = state.raised.length + 1
  const { event, token_hash: hash } = entry
  state.raised.push({ id, event, hash, first: earlier.local_id, second: later.local_id, shown: new Set() })
}

const sideOf = (entry: MockEntry, names: Names): EntrySide => ({
  device: entry.device,
  device_name: names.device(entry.device),
  gate: entry.gate,
  gate_name: names.gate(entry.gate),
  at: new Date(entry.at).toISOString(),
  from: new Date(entry.low).toISOString(),
  to: new Date(entry.at).toISOString(),
  local_id: entry.local_id,
})

function describe(state: OfflineState, raised: Raised, device: number | null, names: Names): DoubleEntry {
  const find = (id: string) => state.entries.find(entry => entry.local_id === id)
  const [first, second] = [find(raised.first), find(raised.second)]
  if (!first || !second) throw new Error('lost')
  const ticket = names.ticket(raised.hash)
  const mine = [first.device === device && 'first', second.device === device && 'second'].filter(Boolean)
  return {
    id: raised.id,
    ticket: ticket.number,
    token_hash: raised.hash,
    type_name: ticket.type,
    first: sideOf(first, names),
    second: sideOf(second, names),
    mine: mine.length === 2 ? 'both' : ((mine[0] as 'first' | 'second' | undefined) ?? null),
    apart_ms: second.at - first.at,
    order_certain: first.at < second.low,
    fraud: first.gate !== second.gate && second.at - first.at < FRAUD_MS,
    at: new Date(second.at).toISOString(),
  }
}

/** `POST /v1/sync_offline`. */
export function sync(state: OfflineState, event: string, device: number, report: Report, names: Names) {
  const acknowledged: number[] = []
  let duplicates = 0
  const raisedBefore = state.raised.length
  for (const told of report.accepted_tokens) {
    acknowledged.push(told.sequence)
    if (state.entries.some(entry => entry.device === device && entry.sequence === told.sequence))
      duplicates += 1
    else take(state, event, device, told, names)
  }
  for (const raised of state.raised) if (report.shown.includes(raised.id)) raised.shown.add(device)
  const party = (raised: Raised) =>
    ordered(state, raised.hash).some(entry => entry.device === device) && !raised.shown.has(device)
  const conflicts = state.raised.slice(raisedBefore)
  const { pending, persisted = false, battery = null } = report
  const left = Math.max(0, pending - acknowledged.length)
  state.seen.set(device, { last_sync_at: new Date().toISOString(), pending: left, persisted, battery })
  return {
    acknowledged,
    stored: acknowledged.length - duplicates,
    duplicates,
    refused: [],
    altered: [],
    missing: [],
    conflicts: conflicts.map(raised => describe(state, raised, device, names)),
    notices: state.raised.filter(party).map(raised => describe(state, raised, device, names)),
    spent: changesSince(state, event, device, report.after),
    denied: [...state.revoked].map(hash => `${hash.slice(0, 16)}:revoked`),
    recalled: [],
    recalled_types: [],
    server_time_ms: Date.now(),
  }
}

function take(state: OfflineState, event: string, device: number, told: WireEntry, names: Names): void {
  const known = state.entries.find(entry => entry.local_id === told.local_id)
  const at = Math.min(told.high_ms ?? Date.now(), Date.now())
  if (told.word === 'void') {
    if (known) leave(state, told.local_id)
    // A late copy of the request may still come: it is remembered as given up.
    const stage = 'void'
    if (known?.sequence == null && known) known.sequence = told.sequence
    else
      state.entries.push({
        ...entryOf(event, device, told, at),
        stage,
        local_id: `${told.local_id} taken back`,
      })
    return
  }
  if (known) {
    known.sequence = told.sequence
    known.at = at
    known.low = told.low_ms
    if (known.stage === 'claim' && told.word === 'done') {
      known.stage = 'done'
      raise(state, known, names.ticket(told.token_hash).maxUses)
    }
    return
  }
  enter(
    state,
    { ...entryOf(event, device, told, at), stage: told.word === 'done' ? 'done' : 'refused' },
    names.ticket(told.token_hash).maxUses,
  )
}

const entryOf = (event: string, device: number, told: WireEntry, at: number) => ({
  event,
  device,
  at,
  low: told.low_ms,
  local_id: told.local_id,
  token_hash: told.token_hash,
  sequence: told.sequence,
  gate: told.gate,
})

/** Nine bytes each: half the digest's first half, and how many more or fewer. A device knows its own. */
function changesSince(state: OfflineState, event: string, device: number, after: number) {
  const next = Math.min(state.spent.length, after + CHANGES_OF_ONE_ANSWER)
  const others = state.spent
    .slice(after, next)
    .filter(change => change.event === event && change.device !== device)
  const bytes = others.map(({ hash, by }) =>
    Buffer.concat([Buffer.from(hash.slice(0, 16), 'hex'), Buffer.from([by & 0xff])]),
  )
  const changes = Buffer.concat(bytes).toString('base64')
  return { from: after, next, more: next < state.spent.length, changes }
}

/** `GET /v1/desk/events/{event}/conflicts`: with all entries of the ticket. */
export const casesOf = (state: OfflineState, event: string, names: Names): DoubleEntryCase[] =>
  state.raised
    .filter(raised => raised.event === event)
    .map(raised => ({
      ...describe(state, raised, null, names),
      distance_m: 240,
      entries: ordered(state, raised.hash).map((entry, index) => ({
        ...sideOf(entry, names),
        use: index + 1,
        stage: entry.stage === 'claim' ? 'claimed' : entry.stage,
      })),
    }))
    .reverse()
