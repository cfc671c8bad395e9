// Proofs of the audit log, checked in this browser by the core: the server's word is not asked for.
import { loadCore } from './package.ts'

/** What a proof shows, once it is checked. */
export type Proven = {
  origin: string
  index: number
  size: number
  root: string
  kind: string
  at_ms: number
  ticket: string | null
  gate: number | null
  reason: string | null
}

/** The proof does not hold; the message says why, in the core's words. */
export class ProofRefused extends Error {}

/** The core could not be loaded, so that nothing was checked. */
export class NoChecker extends Error {}

async function checked<T>(check: (core: NonNullable<Awaited<ReturnType<typeof loadCore>>>) => T): Promise<T> {
  const core = await loadCore()
  if (!core) throw new NoChecker('the core is not loaded')
  try {
    return check(core)
  } catch (error) {
    // wasm-bindgen throws the core's sentence as a bare string; anything else is a fault of ours.
    if (typeof error === 'string') throw new ProofRefused(error)
    throw error
  }
}

/** Checks an answer's `merkle_validation` against the log's key. */
export const checkProof = (validation: unknown, vkey: string): Promise<Proven> =>
  checked(core => JSON.parse(core.check_proof(JSON.stringify(validation), vkey)) as Proven)

/** Checks the text of a receipt file (C2SP tlog-proof) against the log's key. */
export const checkReceipt = (text: string, vkey: string): Promise<Proven> =>
  checked(core => JSON.parse(core.check_receipt(text, vkey)) as Proven)

/** Checks that the log under the newer signed checkpoint only added to the one under the older. */
export const checkConsistency = (older: string, newer: string, path: string[], vkey: string): Promise<void> =>
  checked(core => core.check_consistency(older, newer, JSON.stringify(path), vkey))

export type ProofInHand =
  | { kind: 'receipt'; text: string }
  | { kind: 'validation'; validation: object }
  | null

/** What somebody pasted or dropped: the file of a receipt, a `merkle_validation`, or an answer that holds one. */
export function readProof(text: string): ProofInHand {
  const trimmed = text.trim()
  if (trimmed.startsWith('c2sp.org/tlog-proof@')) return { kind: 'receipt', text: `${trimmed}\n` }
  let json: unknown
  try {
    json = JSON.parse(trimmed)
  } catch {
    return null
  }
  if (typeof json !== 'object' || json === null) return null
  const inner = 'merkle_validation' in json ? json.merkle_validation : json
  if (typeof inner !== 'object' || inner === null || !('inclusion_path' in inner)) return null
  return { kind: 'validation', validation: inner }
}

/** Checks either. */
export const checkInHand = (proof: NonNullable<ProofInHand>, vkey: string): Promise<Proven> =>
  proof.kind === 'receipt' ? checkReceipt(proof.text, vkey) : checkProof(proof.validation, vkey)
