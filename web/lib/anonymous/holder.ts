// The key by which a wallet answers a gate for a ticket without a name: its public part is what the issuer signed unseen
// (docs/formats/anonymous.md, Answering a gate). No script can read the key, so a backup holds the ticket without it.
import { dropKey, getKey, putKey } from '../db/key-db.ts'
import type { Ask } from '../rotation/ask.ts'
import { type Bytes, challengeMessage, compressedPoint } from '../rotation/code.ts'
import {
  answeringCode,
  bearerId,
  bearerNumber,
  eventOf,
  fromHex,
  holdersNonce,
  NONCE_BYTES,
} from './privacy-pass.ts'
import type { Token } from './purchase.ts'

const keyName = (number: string) => `bearer/${number}`

/** Draws a ticket. Where this browser keeps no keys it is one that cannot answer, and as good otherwise. */
export async function drawNonce(keyId: Bytes): Promise<Bytes> {
  try {
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
    const nonce = await holdersNonce(await pointOf(pair))
    const id = keyName(await bearerNumber(keyId, nonce))
    await putKey({ id, kind: 'device', bound: true, pair })
    return nonce
  } catch {
    return crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
  }
}

const pointOf = async (pair: CryptoKeyPair): Promise<Bytes> =>
  compressedPoint(new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)))

async function pairOf(number: string): Promise<CryptoKeyPair | null> {
  const kept = await getKey(keyName(number)).catch(() => undefined)
  return kept?.kind === 'device' ? kept.pair : null
}

/** Whether the key of a ticket is on this phone. */
export const canAnswer = async ({ number }: Token): Promise<boolean> => (await pairOf(number)) !== null

/** The code that shows a gate that this phone has the ticket's key now. */
export async function answerFor({ number, nonce, signature, terms }: Token, ask: Ask): Promise<string> {
  const pair = await pairOf(number)
  if (!pair) throw new Error('the key of this ticket is not here')
  const keyId = fromHex(terms.keyId)
  const ticket = await bearerId(keyId, nonce)
  const message = challengeMessage(eventOf(terms.challenge), ticket, ask.gate, ask.nonce)
  const proof = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, pair.privateKey, message)
  return answeringCode(keyId, await pointOf(pair), signature, new Uint8Array(proof))
}

export const forgetHolder = (number: string): Promise<void> => dropKey(keyName(number))
