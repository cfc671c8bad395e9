// Binds a ticket whose code changes to this phone, once and for good, and makes its codes with the key that stays here.
import { NoAnswer, Problem } from '../lib/api/http.ts'
import { bindTicket } from '../lib/api/ticket.ts'
import type { Rotation } from '../lib/api/types.ts'
import { dropKey, getKey, type KeptKey, keepFirstKey, putKey } from '../lib/db/key-db.ts'
import type { Ask } from '../lib/rotation/ask.ts'
import {
  answerCode,
  type Bytes,
  challengeMessage,
  deviceCode,
  fromBase64Url,
  possessionMessage,
  releaseMessage,
  sharedAnswerCode,
  sharedCode,
  sharedMessage,
  toBase64Url,
} from '../lib/rotation/code.ts'

const CLAIM_BYTES = 16
const ecdsa = { name: 'ECDSA', hash: 'SHA-256' }

const keyId = (rotation: Rotation) => `${rotation.event_number}/${rotation.ticket_number}`

/** Why there is no code: the ticket lives on another phone, this browser keeps no keys, or nobody answered. */
export type Failure = 'elsewhere' | 'no_key' | 'no_answer'

export class Unbound extends Error {
  readonly failure: Failure

  constructor(failure: Failure, cause?: unknown) {
    super(failure, { cause })
    this.failure = failure
  }
}

export type Bound = { rotation: Rotation; code: (epoch: number) => Promise<string> }

/** What only a browser that keeps keys can do: without secure context, IndexedDB or room for a CryptoKey it fails. */
async function keeping<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new Unbound('no_key', error)
  }
}

async function newKey(id: string, kind: Rotation['kind']): Promise<KeptKey> {
  if (kind === 'shared') {
    const claim = crypto.getRandomValues(new Uint8Array(CLAIM_BYTES))
    return { id, kind, bound: false, claim }
  }
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
  return { id, kind, bound: false, pair }
}

/** Asks the server to take this phone's key; the same key again is taken again, so that a lost answer does no harm. */
async function bind(access: string, kept: KeptKey): Promise<{ kept: KeptKey; rotation: Rotation }> {
  if (kept.kind === 'device') {
    const point = await keeping(() => crypto.subtle.exportKey('raw', kept.pair.publicKey))
    const { rotation } = await bindTicket(access, { public_key: toBase64Url(new Uint8Array(point)) })
    const bound = { ...kept, bound: true }
    await keeping(() => putKey(bound))
    return { kept: bound, rotation }
  }
  // Its claim is gone and its head was never kept: only a new answer of the server helps.
  if (kept.bound) throw new Unbound('no_answer')
  const { rotation, secret } = await bindTicket(access, { claim: toBase64Url(kept.claim) })
  if (!secret) throw new Unbound('elsewhere')
  const bytes = fromBase64Url(secret)
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const bound = await keeping(async () => {
    const key = await crypto.subtle.importKey('raw', bytes, hmac, false, ['sign'])
    const whole = { id: kept.id, kind: 'shared', bound: true, secret: key } as const
    await putKey(whole)
    return whole
  })
  bytes.fill(0)
  return { kept: bound, rotation }
}

function maker(kept: KeptKey, rotation: Rotation): Bound['code'] {
  const head: Bytes = fromBase64Url(rotation.head ?? '')
  const ticket = BigInt(rotation.ticket_number)
  const bytes = (buffer: ArrayBuffer) => new Uint8Array(buffer)
  if (kept.kind === 'device') {
    return async epoch => {
      const message = possessionMessage(rotation.event_number, ticket, epoch)
      return deviceCode(head, epoch, bytes(await crypto.subtle.sign(ecdsa, kept.pair.privateKey, message)))
    }
  }
  if (!kept.bound) throw new Unbound('no_answer')
  const { secret } = kept
  return async epoch =>
    sharedCode(head, epoch, bytes(await crypto.subtle.sign('HMAC', secret, sharedMessage(ticket, epoch))))
}

/** Lets a ticket go to whoever shows `secret`, by the key on this phone. Throws `Unbound` when it is not here. */
export async function releaseOf(rotation: Rotation, secret: string): Promise<string> {
  const kept = await keeping(() => getKey(keyId(rotation)))
  if (!kept?.bound) throw new Unbound('elsewhere')
  const offer = new Uint8Array(await crypto.subtle.digest('SHA-256', fromBase64Url(secret)))
  const message = releaseMessage(rotation.event_number, BigInt(rotation.ticket_number), offer)
  const made =
    kept.kind === 'device'
      ? await crypto.subtle.sign(ecdsa, kept.pair.privateKey, message)
      : await crypto.subtle.sign('HMAC', kept.secret, message)
  return toBase64Url(new Uint8Array(made))
}

/** The code that shows a gate that this phone has the ticket's key now. Throws `Unbound` when it has not. */
export async function answerTo(rotation: Rotation, { gate, nonce }: Ask): Promise<string> {
  const kept = await keeping(() => getKey(keyId(rotation)))
  if (!kept?.bound || !rotation.head) throw new Unbound('elsewhere')
  const head = fromBase64Url(rotation.head)
  const message = challengeMessage(rotation.event_number, BigInt(rotation.ticket_number), gate, nonce)
  if (kept.kind === 'shared') {
    return sharedAnswerCode(head, new Uint8Array(await crypto.subtle.sign('HMAC', kept.secret, message)))
  }
  return answerCode(head, new Uint8Array(await crypto.subtle.sign(ecdsa, kept.pair.privateKey, message)))
}

/** Forgets the key of a ticket that went: it opens nothing any more. */
export const forgetKey = (rotation: Rotation) => dropKey(keyId(rotation))

/** The ticket with its key on this phone: what is kept, or bound now. Throws `Unbound`. */
export async function boundHere(access: string, rotation: Rotation): Promise<Bound> {
  const id = keyId(rotation)
  let kept = await keeping(() => getKey(id))
  if (!kept && rotation.bound) throw new Unbound('elsewhere')
  // Kept before it is sent: if the answer is lost, the same key asks again.
  kept ??= await keeping(async () => keepFirstKey(await newKey(id, rotation.kind)))
  if (kept.bound && rotation.head) return { rotation, code: maker(kept, rotation) }
  try {
    const answer = await bind(access, kept)
    return { rotation: answer.rotation, code: maker(answer.kept, answer.rotation) }
  } catch (error) {
    if (error instanceof Problem && error.code === 'bound_elsewhere') throw new Unbound('elsewhere', error)
    if (error instanceof Problem || error instanceof NoAnswer) throw new Unbound('no_answer', error)
    throw error
  }
}
