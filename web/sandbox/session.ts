// What one session of the sandbox holds. It lives in sessionStorage only: closing the tab or clearing it leaves nothing.
import { signal } from '@preact/signals'
import type { EnrolledDevice } from '../lib/api/types.ts'
import { type Headline, headlineOf } from './headline.ts'
import { hex } from './hex.ts'
import { trimmed } from './pretty.ts'

/** A signed checkpoint, and what it says. */
export type Head = { size: number; root: string; checkpoint: string }
/** A log as the session first saw it, and as it was seen last. */
export type LogMemory = { origin: string; vkey: string; first: Head; newest: Head; keyChanged: boolean }

export type ProofNote =
  | { holds: true; index: number; size: number; kind: string; root: string; ticket: string | null }
  | { holds: false; why: string }

/** One request and its answer, or one judgement in the browser. */
export type Exchange = {
  id: number
  at: string
  operation: string
  where: 'server' | 'browser'
  method: string
  path: string
  request: unknown
  /** Null when no answer came, and for the browser's own. */
  status: number | null
  answer: unknown
  ms: number
  proof: ProofNote | null
  /** Of the whole answer; what is kept of a very long one is its beginning. */
  headline: Headline
}

export type GateStep =
  | { do: 'consume'; code: string; at: number }
  | { do: 'learn'; list: string; vkey: string }
/** All that a gate in the browser needs to be built anew: its rules follow from its steps. */
export type GateMemory = {
  name: string
  number: number
  seed: string
  vkey: string
  setup: EnrolledDevice
  steps: GateStep[]
}

/** The ticket that the forms are about. */
export type Hand = { token: string; ticketId: string; gate: string }

export type Session = {
  id: string
  logs: Record<string, LogMemory>
  exchanges: Exchange[]
  /** How many there were, also when the oldest are dropped. */
  count: number
  ticket: Hand
  edge: Hand
  gates: GateMemory[]
}

const KEY = 'admit-sandbox'
const EXCHANGES_MAX = 120

const emptyHand = (gate: string): Hand => ({ token: '', ticketId: '', gate })

function fresh(): Session {
  const id = hex(crypto.getRandomValues(new Uint8Array(4)))
  return {
    id,
    logs: {},
    exchanges: [],
    count: 0,
    ticket: emptyHand('main-gate'),
    edge: emptyHand('gate-a'),
    gates: [],
  }
}

/** The session that a reload of this page would find, or null. */
export function keptSession(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Session | null
  } catch {
    return null
  }
}

export const session = signal<Session>(keptSession() ?? fresh())

function keep(value: Session): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(value))
  } catch {
    // full or forbidden: the page goes on from memory
  }
}

export function change(part: Partial<Session>): void {
  session.value = { ...session.value, ...part }
  keep(session.value)
}

export function record(exchange: Omit<Exchange, 'id' | 'headline'>): Exchange {
  const count = session.value.count + 1
  const answer = trimmed(exchange.answer)
  const made = { ...exchange, id: count, answer, headline: headlineOf(exchange) }
  change({ exchanges: [made, ...session.value.exchanges].slice(0, EXCHANGES_MAX), count })
  return made
}

export function wipe(): void {
  sessionStorage.removeItem(KEY)
  session.value = fresh()
}
