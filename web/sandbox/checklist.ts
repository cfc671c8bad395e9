// The fourteen steps of the field report's checklist, each with what it must show.
import type { EdgeVerdict, Generated, Redeemed, SpentExport, Verified } from '../lib/api/types.ts'
import { loadCore } from '../lib/core/package.ts'
import {
  type Answered,
  ask,
  door,
  EDGE_EVENT,
  open,
  refreshLog,
  seen,
  TICKET_EVENT,
  validationIn,
} from './ask.ts'
import { run, type StepResult, todo } from './checklist-run.ts'
import { c } from './checklist-texts.ts'
import { closeAll, enrol, learnAt, memoryOf, verifyAt } from './gates.ts'
import { latencies } from './latency.ts'
import { short } from './pretty.ts'
import { change, keptSession, session, wipe } from './session.ts'

const LATENCY_MS = 100
const TRIES = 5
const HOUR_S = 3600

/** What a step asked for and did not get. */
class Unmet extends Error {}

function want(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Unmet(c('want', { what }))
}

const same = (field: string, got: unknown, wanted: unknown) =>
  want(got === wanted, c('want_field', { field, wanted: String(wanted), got: String(got) }))

const status = (answered: { status: number | null }, wanted: number) =>
  want(answered.status === wanted, c('want_status', { status: wanted, got: answered.status ?? '–' }))

/** The proof in an answer held when it was checked here; told as evidence. */
function proved({ body, exchange }: Answered<unknown>, circuit: string, ticket?: string): string {
  const validation = validationIn(body)
  same('circuit_id', validation?.circuit_id, circuit)
  const { proof } = exchange
  want(proof?.holds, c('want_proof', { why: proof && !proof.holds ? proof.why : '–' }))
  if (ticket) want(proof.ticket === ticket, c('want_same_ticket', { ticket }))
  const { index, size, kind, root } = proof
  return c('ev_proof', { circuit, number: index + 1, size, kind, root: short(root) })
}

const indexIn = (body: unknown): number => validationIn(body)?.inclusion_index ?? -1
const took = (answered: Answered<unknown>) => c('ev_latency', { ms: answered.exchange.ms })

type Memory = {
  began: { id: string; requests: number; count: number }
  sizes: Record<string, number>
  minted?: Generated
  issued?: Answered<Generated>
  sequence?: number
}

function need<T>(value: T | undefined, step: number): T {
  if (value === undefined) throw new Unmet(c('need', { step }))
  return value
}

const denied = (answered: Answered<Verified>): string[] => {
  status(answered, 200)
  const { policy, crypto } = answered.body
  same('policy.allowed', policy.allowed, false)
  same('policy.reason', policy.reason, 'entry_point_denied')
  same('crypto.signatureValid', crypto.signatureValid, true)
  return [c('ev_denied', { reason: policy.reason ?? '', signature: 'true' }), took(answered)]
}

const expiry = (hours: number) => Math.floor(Date.now() / 1000) + hours * HOUR_S

const steps: ((memory: Memory) => Promise<string[]>)[] = [
  async memory => {
    closeAll()
    wipe()
    await open()
    const { id, count, gates, ticket } = session.value
    want(door.value.state === 'open', c('want_fresh'))
    want(count === 0 && gates.length === 0 && ticket.token === '', c('want_fresh'))
    memory.began = { id, requests: seen.requests, count }
    return [c('ev_session', { id }), c('ev_events', { events: door.value.events.join(', ') })]
  },
  async memory => {
    // What the opening asked for has been counted by now, or will be before the next second is over.
    await settled()
    memory.began.requests = seen.requests
    const evidence: string[] = []
    for (const event of [TICKET_EVENT, EDGE_EVENT]) {
      const log = await refreshLog(event)
      want(log, c('want_log', { event }))
      memory.sizes[event] = log.newest.size
      evidence.push(c('ev_root', { event, size: log.newest.size, root: short(log.newest.root) }))
    }
    return evidence
  },
  async memory => {
    const minted = await ask<Generated>('generate_ticket', 'POST', '/v1/tickets/generate', {
      ...{ event: TICKET_EVENT, tier: 'standard', maxUses: 1, entryPoint: 'main-gate', qrMode: 'link' },
      ...{ exp: expiry(24), holder: 'Test Person', seat: 'A 1' },
    })
    status(minted, 201)
    const { body } = minted
    same('format', body.format, 'a1')
    same('registry.usesRemaining', body.registry.usesRemaining, 1)
    same('controls.entryPoint', body.controls.entryPoint, 'main-gate')
    const proof = proved(minted, 'ticket', body.ticketId)
    const before = memory.sizes[TICKET_EVENT] ?? 0
    want(indexIn(body) >= before, c('want_grown', { than: before - 1, got: indexIn(body) }))
    memory.minted = body
    change({ ticket: { token: body.token, ticketId: body.ticketId, gate: 'main-gate' } })
    const { format, qr, proofDigest } = body
    return [c('ev_format', { format, modules: qr.modules, digest: short(proofDigest) }), proof, took(minted)]
  },
  async memory => {
    const minted = need(memory.minted, 3)
    const { token } = minted
    let fastest = Number.POSITIVE_INFINITY
    for (let tries = 1; tries <= TRIES; tries++) {
      const body = { token, event: TICKET_EVENT, entryPoint: 'main-gate' }
      const seenTicket = await ask<Verified>('verify_ticket', 'POST', '/v1/tickets/verify', body)
      status(seenTicket, 200)
      same('valid', seenTicket.body.valid, true)
      same('policy.usesRemaining', seenTicket.body.policy.usesRemaining, 1)
      // Looking changes nothing, so the newest entry about the ticket is still that of step 3.
      const proof = proved(seenTicket, 'ticket')
      same('inclusion_index', indexIn(seenTicket.body), indexIn(minted))
      fastest = Math.min(fastest, seenTicket.exchange.ms)
      if (fastest < LATENCY_MS) {
        const which = tries === 1 ? [] : [c('ev_tries', { count: tries })]
        return [c('ev_uses', { count: 1 }), proof, took(seenTicket), ...which]
      }
    }
    throw new Unmet(c('want', { what: c('want_fast', { limit: LATENCY_MS, ms: fastest }) }))
  },
  async memory => {
    const { ticketId } = need(memory.minted, 3)
    const path = `/v1/tickets/${encodeURIComponent(ticketId)}/status`
    return denied(await ask<Verified>('ticket_status', 'GET', path))
  },
  async memory => {
    const { ticketId } = need(memory.minted, 3)
    const path = `/v1/tickets/${encodeURIComponent(ticketId)}/status?entryPoint=vip-north`
    return denied(await ask<Verified>('ticket_status', 'GET', path))
  },
  async memory => {
    const issued = await ask<Generated>('edge_issue', 'POST', '/v1/tickets/edge/issue', {
      ...{ event: EDGE_EVENT, tier: 'standard', maxUses: 1, entryPoint: 'gate-a', exp: expiry(12) },
    })
    status(issued, 201)
    const { offlineCapable, serverRequired } = issued.body.verification
    same('verification.offlineCapable', offlineCapable, true)
    same('verification.serverRequired', serverRequired, false)
    const proof = proved(issued, 'edge', issued.body.ticketId)
    want(await loadCore(), c('want_core'))
    for (const name of ['gate-a', 'gate-b']) {
      await enrol(name)
      want(memoryOf(name), c('want_gate', { name }))
    }
    memory.issued = issued
    change({ edge: { token: issued.body.token, ticketId: issued.body.ticketId, gate: 'gate-a' } })
    const [a, b] = ['gate-a', 'gate-b'].map(name => memoryOf(name)?.setup.device ?? 0)
    return [
      c('ev_offline', { capable: 'true', required: 'false' }),
      proof,
      c('ev_gates', { a: a ?? 0, b: b ?? 0 }),
      took(issued),
    ]
  },
  async memory => {
    const issued = need(memory.issued, 7)
    const offline = !navigator.onLine
    await settled()
    const before = seen.requests
    const { body, exchange } = await verifyAt('gate-a', issued.body.token)
    same('admitted', body.admitted, true)
    same('offline', body.offline, true)
    same('serverRequired', body.serverRequired, false)
    same('proofDigest', body.proofDigest, issued.body.proofDigest)
    const proof = proved(issued, 'edge', issued.body.ticketId)
    await settled()
    const made = seen.requests - before
    want(made === 0, c('want_silence', { count: made }))
    const network = offline ? c('ev_network_off') : c('ev_network_on')
    return [c('ev_local', { ms: exchange.ms, requests: made }), network, proof]
  },
  async memory => {
    const { token, ticketId, proofDigest } = need(memory.issued, 7).body
    const presented = { token, event: EDGE_EVENT, gate: 'gate-a' }
    const used = await ask<EdgeVerdict>('edge_consume', 'POST', '/v1/tickets/edge/consume', presented)
    status(used, 200)
    same('consumed', used.body.consumed, true)
    same('spentProof.digest', used.body.spentProof?.digest, proofDigest)
    const proof = proved(used, 'edge', ticketId)
    const sequence = used.body.spentProof?.sequence ?? 0
    memory.sequence = sequence
    return [c('ev_spent', { digest: short(proofDigest), sequence }), proof, took(used)]
  },
  async memory => {
    const { token } = need(memory.issued, 7).body
    const presented = { token, event: EDGE_EVENT, gate: 'gate-a' }
    const again = await ask<EdgeVerdict>('edge_consume', 'POST', '/v1/tickets/edge/consume', presented)
    status(again, 409)
    same('reason', again.body.reason, 'proof_digest_spent')
    same('crypto.signatureValid', again.body.crypto.signatureValid, true)
    return [c('ev_denied', { reason: 'proof_digest_spent', signature: 'true' }), took(again)]
  },
  async memory => {
    const minted = need(memory.minted, 3)
    const presented = { token: minted.token, event: TICKET_EVENT, entryPoint: 'main-gate' }
    const used = await ask<Redeemed>('redeem_ticket', 'POST', '/v1/tickets/redeem', presented)
    status(used, 200)
    same('registry.usesRemaining', used.body.registry?.usesRemaining, 0)
    const [before, now] = [indexIn(minted), indexIn(used.body)]
    want(now > before, c('want_grown', { than: before, got: now }))
    return [c('ev_uses', { count: 0 }), proved(used, 'ticket', minted.ticketId), took(used)]
  },
  async memory => {
    const all = () => session.value.exchanges.filter(exchange => exchange.where === 'server').length
    // The browser tells of a request a little after it ended.
    for (let looks = 0; looks < 10 && all() !== seen.requests - memory.began.requests; looks++)
      await settled()
    const mine = session.value.exchanges
    const listed = mine.filter(exchange => exchange.where === 'server')
    const counted = seen.requests - memory.began.requests
    want(listed.length === counted, c('want_count', { listed: listed.length, seen: counted }))
    const [whole] = latencies(listed.map(({ ms }) => ({ operation: 'all', ms })))
    const counts = { listed: listed.length, seen: counted, local: mine.length - listed.length }
    return [c('ev_counts', counts), c('ev_median', { ms: whole?.median ?? 0 })]
  },
  async memory => {
    const { proofDigest, token } = need(memory.issued, 7).body
    const after = need(memory.sequence, 9) - 1
    const path = `/v1/tickets/edge/spent/export?event=${EDGE_EVENT}&gate=gate-a&after=${after}`
    const exported = await ask<SpentExport>('spent_export', 'GET', path)
    status(exported, 200)
    const { entries, signed, vkey } = exported.body
    want(
      entries.some(entry => entry.digest === proofDigest),
      c('want_digest'),
    )
    await learnAt('gate-b', signed, vkey)
    const { body } = await verifyAt('gate-b', token)
    same('admitted', body.admitted, false)
    same('reason', body.reason, 'proof_digest_spent')
    same('signatureValid', body.signatureValid, null)
    return [
      c('ev_list', { count: entries.length, signer: vkey.split('+')[0] ?? '' }),
      c('ev_learnt', { reason: 'proof_digest_spent' }),
      took(exported),
    ]
  },
  async () => {
    const old = session.value.id
    closeAll()
    wipe()
    want(keptSession() === null && session.value.count === 0, c('want_fresh'))
    await open()
    const { id, count } = session.value
    want(id !== old && count === 0 && session.value.gates.length === 0, c('want_fresh'))
    return [c('ev_wiped', { old, id })]
  },
]

/** Until the browser has told of every request that has ended. */
const settled = () => new Promise(resolve => setTimeout(resolve, 150))

let goOn: (() => void) | null = null
export const proceed = (): void => goOn?.()

async function pauseFor(what: 'go_offline' | 'go_online'): Promise<void> {
  run.value = { ...run.value, waiting: what }
  await new Promise<void>(resolve => {
    goOn = resolve
  })
  goOn = null
  run.value = { ...run.value, waiting: null }
}

const OFFLINE_STEP = 8

function tell(index: number, result: StepResult): void {
  const next = run.value.steps.map((step, at) => (at === index ? result : step))
  run.value = { ...run.value, steps: next }
}

export async function runChecklist(pausing: boolean): Promise<void> {
  if (run.value.state === 'running') return
  run.value = { state: 'running', waiting: null, steps: todo() }
  const memory: Memory = { began: { id: '', requests: 0, count: 0 }, sizes: {} }
  for (const [index, step] of steps.entries()) {
    if (pausing && index === OFFLINE_STEP - 1) await pauseFor('go_offline')
    if (pausing && index === OFFLINE_STEP) await pauseFor('go_online')
    tell(index, { state: 'running', evidence: [] })
    try {
      tell(index, { state: 'pass', evidence: await step(memory) })
    } catch (error) {
      tell(index, { state: 'fail', evidence: [error instanceof Error ? error.message : String(error)] })
    }
  }
  run.value = { ...run.value, state: 'done' }
}
