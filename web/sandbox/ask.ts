// Asks the server and writes down what was sent, what came back and how long it took, refusals and problems included.
import { signal } from '@preact/signals'
import type { ControlField, MerkleValidation, Sandbox } from '../lib/api/types.ts'
import { checkProof, NoChecker, ProofRefused } from '../lib/core/proof.ts'
import { headOf } from './checkpoint.ts'
import {
  change,
  type Exchange,
  type Head,
  type LogMemory,
  type ProofNote,
  record,
  session,
} from './session.ts'
import { t } from './texts.ts'

export type Door = { state: 'opening' | 'closed' | 'no_answer' } | { state: 'open'; events: string[] }
export const door = signal<Door>({ state: 'opening' })
/** What a ticket can be told to do; the same for every session. */
export const controls = signal<ControlField[]>([])
/** In memory only; it is asked for at each visit. */
let key = ''

export const TICKET_EVENT = 'sandbox-event'
export const EDGE_EVENT = 'sandbox-edge'

/** Requests to the API that the browser itself counted, to hold the activity list against. */
export const seen = { requests: 0 }
if (typeof PerformanceObserver !== 'undefined') {
  new PerformanceObserver(list => {
    seen.requests += list.getEntries().filter(entry => new URL(entry.name).pathname.startsWith('/v1/')).length
  }).observe({ type: 'resource' })
}

type Raw = { status: number | null; body: unknown; ms: number }
const PATIENCE_MS = 15_000

async function exchange(method: string, path: string, body: unknown): Promise<Raw> {
  const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {}
  if (body !== undefined) headers['content-type'] = 'application/json'
  const began = performance.now()
  const past = () => Math.round((performance.now() - began) * 10) / 10
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    const text = await response.text()
    const ms = past()
    const isJson = (response.headers.get('content-type') ?? '').includes('json')
    return { status: response.status, body: isJson ? JSON.parse(text) : text, ms }
  } catch {
    return { status: null, body: null, ms: past() }
  }
}

/** `T` is the body where the status says that it is one. */
export type Answered<T> = { status: number | null; body: T; exchange: Exchange }

export async function ask<T>(
  operation: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answered<T>> {
  const at = new Date().toISOString()
  const raw = await exchange(method, path, body)
  const proof = await noteOf(raw.body)
  const written = record({
    at,
    operation,
    where: 'server',
    method,
    path,
    request: body ?? null,
    status: raw.status,
    answer: raw.body,
    ms: raw.ms,
    proof,
  })
  return { status: raw.status, body: raw.body as T, exchange: written }
}

export function validationIn(answer: unknown): MerkleValidation | null {
  const inner = (answer as { merkle_validation?: MerkleValidation | null } | null)?.merkle_validation
  return inner ?? null
}

/** Checks the proof in an answer, if there is one, with the key that this session saw first. */
async function noteOf(answer: unknown): Promise<ProofNote | null> {
  const validation = validationIn(answer)
  return validation ? checkNote(validation, validation.origin) : null
}

export async function checkNote(validation: unknown, origin: string): Promise<ProofNote> {
  const log = Object.values(session.value.logs).find(known => known.origin === origin)
  if (!log) return { holds: false, why: t('proof_other_log') }
  try {
    const { index, size, kind, root, ticket } = await checkProof(validation, log.vkey)
    return { holds: true, index, size, kind, root, ticket }
  } catch (error) {
    if (error instanceof NoChecker) return { holds: false, why: t('no_checker') }
    if (error instanceof ProofRefused) return { holds: false, why: error.message }
    throw error
  }
}

// --- the logs -----------------------------------------------------------------------------------------------------

type LogState = { origin: string; vkey: string; head: Head }
type Asker = (operation: string, path: string) => Promise<unknown>

async function stateOf(event: string, asker: Asker): Promise<LogState | null> {
  const told = (await asker('log_key', `/v1/events/${event}/log`)) as {
    origin?: string
    vkey?: string
  } | null
  const text = await asker('log_checkpoint', `/v1/events/${event}/log/checkpoint`)
  const head = typeof text === 'string' ? headOf(text) : null
  return told?.origin && told.vkey && head ? { origin: told.origin, vkey: told.vkey, head } : null
}

function remember(event: string, state: LogState): LogMemory {
  const known = session.value.logs[event]
  const log: LogMemory = known
    ? { ...known, newest: state.head, keyChanged: known.vkey !== state.vkey }
    : { origin: state.origin, vkey: state.vkey, first: state.head, newest: state.head, keyChanged: false }
  change({ logs: { ...session.value.logs, [event]: log } })
  return log
}

/** Asks for the newest state of a log; null without an answer. */
export async function refreshLog(event: string): Promise<LogMemory | null> {
  const state = await stateOf(event, async (operation, path) => (await ask(operation, 'GET', path)).body)
  return state && remember(event, state)
}

/** Opens the sandbox: its key, the controls, and both logs as they are now. Not written down, since nobody asked for it. */
export async function open(): Promise<void> {
  const told = await exchange('GET', '/v1/sandbox', undefined)
  if (told.status !== 200) {
    door.value = { state: told.status === 404 ? 'closed' : 'no_answer' }
    return
  }
  const sandbox = told.body as Sandbox
  key = sandbox.key
  for (const event of [TICKET_EVENT, EDGE_EVENT]) {
    if (session.value.logs[event]) continue
    const state = await stateOf(
      event,
      async (_operation, path) => (await exchange('GET', path, undefined)).body,
    )
    if (state) remember(event, state)
  }
  if (controls.value.length === 0) {
    const known = await exchange('GET', '/v1/tickets/controls', undefined)
    if (known.status === 200) controls.value = known.body as ControlField[]
  }
  door.value = { state: 'open', events: sandbox.events }
}
