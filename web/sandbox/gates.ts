// Gates that run in this browser: the core with a key of its own. They ask nobody, so they work with the network off.
import type { EnrolledDevice } from '../lib/api/types.ts'
import { type CoreEdge, loadCore } from '../lib/core/package.ts'
import { ask, EDGE_EVENT } from './ask.ts'
import { base64Url, fromHex, hex } from './hex.ts'
import { change, type Exchange, type GateMemory, type GateStep, record, session } from './session.ts'

export const GATES = ['gate-a', 'gate-b']

/** What a gate says, in the words of the API. */
export type LocalAnswer = {
  admitted: boolean
  offline: boolean
  serverRequired: boolean
  reason: string | null
  /** Null when nobody looked: what is known to be spent is refused before. */
  signatureValid: boolean | null
  usesRemaining: number | null
  proofDigest: string | null
  sequence: number | null
}

const running = new Map<string, CoreEdge>()

export const memoryOf = (name: string): GateMemory | undefined =>
  session.value.gates.find(gate => gate.name === name)

/** Enrols a gate anew under a key drawn here; the secret half never leaves the browser. */
export async function enrol(name: string): Promise<Exchange | null> {
  const core = await loadCore()
  if (!core) return null
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const { status, body, exchange } = await ask<EnrolledDevice>(
    'edge_enrol',
    'POST',
    '/v1/tickets/edge/devices',
    { event: EDGE_EVENT, name: `Browser ${name}`, publicKey: base64Url(core.public_key(seed)) },
  )
  const number = status === 201 ? body.gates.find(gate => gate.name === name)?.number : undefined
  if (number === undefined) return exchange
  const edge = new core.Edge(JSON.stringify(body), number, seed)
  close(name)
  running.set(name, edge)
  const memory = { name, number, seed: hex(seed), vkey: edge.vkey(), setup: body, steps: [] }
  change({ gates: [...session.value.gates.filter(gate => gate.name !== name), memory] })
  return exchange
}

function close(name: string): void {
  running.get(name)?.free()
  running.delete(name)
}

export const closeAll = (): void => {
  for (const name of [...running.keys()]) close(name)
}

/** The gate, built again from its steps when the page was reloaded. */
async function gateOf(name: string): Promise<CoreEdge> {
  const known = running.get(name)
  if (known) return known
  const memory = memoryOf(name)
  const core = await loadCore()
  if (!memory || !core) throw new Error('the gate is not enrolled')
  const edge = new core.Edge(JSON.stringify(memory.setup), memory.number, fromHex(memory.seed))
  for (const step of memory.steps) {
    if (step.do === 'consume') edge.consume(step.code, step.at)
    else edge.learn(step.list, step.vkey)
  }
  running.set(name, edge)
  return edge
}

function keepStep(name: string, step: GateStep): void {
  const gates = session.value.gates.map(gate =>
    gate.name === name ? { ...gate, steps: [...gate.steps, step] } : gate,
  )
  change({ gates })
}

async function judge<T>(
  operation: string,
  name: string,
  request: unknown,
  run: (gate: CoreEdge) => T,
): Promise<{ body: T; exchange: Exchange }> {
  const gate = await gateOf(name)
  const at = new Date().toISOString()
  const began = performance.now()
  let answer: unknown
  try {
    answer = run(gate)
  } catch (error) {
    answer = { error: String(error) }
  }
  const ms = Math.round((performance.now() - began) * 10) / 10
  const exchange = record({
    ...{ at, operation, where: 'browser' as const, method: 'WASM', path: name },
    ...{ request, status: null, answer, ms, proof: null },
  })
  return { body: answer as T, exchange }
}

export const verifyAt = (name: string, code: string) =>
  judge('verify', name, { code }, gate => JSON.parse(gate.verify(code, Date.now())) as LocalAnswer)

export const consumeAt = (name: string, code: string) =>
  judge('consume', name, { code }, gate => {
    const at = Date.now()
    const answer = JSON.parse(gate.consume(code, at)) as LocalAnswer
    if (answer.admitted) keepStep(name, { do: 'consume', code, at })
    return answer
  })

export const exportFrom = (name: string) =>
  judge('export', name, {}, gate => ({ signed: gate.export(), vkey: gate.vkey() }))

export const learnAt = (name: string, list: string, vkey: string) =>
  judge('learn', name, { list, vkey }, gate => {
    const learnt = gate.learn(list, vkey)
    keepStep(name, { do: 'learn', list, vkey })
    return { learnt }
  })
