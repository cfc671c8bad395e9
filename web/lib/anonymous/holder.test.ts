// The answer to a gate, checked with WebCrypto by the layout of docs/formats/anonymous.md.
import 'fake-indexeddb/auto'
import { expect, test } from 'vitest'
import { getKey } from '../db/key-db.ts'
import { challengeMessage, compressedPoint } from '../rotation/code.ts'
import { answerFor, canAnswer, drawNonce, forgetHolder } from './holder.ts'
import { bearerId, bearerNumber, challengeOf, eventOf, holdersNonce, toHex } from './privacy-pass.ts'
import type { Token } from './purchase.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'

/** RFC 9285 read by arithmetic alone. */
function fromBase45(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = []
  for (let at = 0; at < text.length; at += 3) {
    const [a = 0, b = 0, c] = [...text.slice(at, at + 3)].map(letter => alphabet.indexOf(letter))
    const value = a + b * 45 + (c ?? 0) * 45 * 45
    bytes.push(...(c === undefined ? [value] : [value >> 8, value & 255]))
  }
  return Uint8Array.from(bytes)
}

async function token(): Promise<Token> {
  const keyId = crypto.getRandomValues(new Uint8Array(32))
  const nonce = await drawNonce(keyId)
  const challenge = await challengeOf('admit-one/0123456789ab/issuer/7')
  const terms = { keyId: toHex(keyId), challenge } as Token['terms']
  const signature = new Uint8Array(256).fill(5)
  return { number: await bearerNumber(keyId, nonce), nonce, signature, terms, exchanged: null }
}

test('the event is named by the challenge', async () => {
  expect(eventOf(await challengeOf('admit-one/0123456789ab/issuer/4000000007'))).toBe(4000000007)
})

test('an answer holds the ticket’s key and its signature over the gate’s question', async () => {
  const mine = await token()
  const ask = { gate: 3, nonce: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]) }
  const code = await answerFor(mine, ask)
  const bytes = fromBase45(code.slice(3))
  expect([code.slice(0, 3), bytes.length, bytes[0]]).toEqual(['B1:', 358, 2])
  const point = bytes.slice(5, 38)
  expect(await holdersNonce(point)).toEqual(mine.nonce)
  expect(bytes.slice(38, 294)).toEqual(mine.signature)
  const kept = await getKey(`bearer/${mine.number}`)
  if (kept?.kind !== 'device') throw new Error('no key is kept')
  const whole = await crypto.subtle.exportKey('raw', kept.pair.publicKey)
  expect(compressedPoint(new Uint8Array(whole))).toEqual(point)
  const curve = { name: 'ECDSA', namedCurve: 'P-256' }
  const key = await crypto.subtle.importKey('raw', whole, curve, false, ['verify'])
  const keyId = Uint8Array.from(mine.terms.keyId.match(/../g) ?? [], hex => Number.parseInt(hex, 16))
  const message = challengeMessage(7, await bearerId(keyId, mine.nonce), ask.gate, ask.nonce)
  const verified = crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, bytes.slice(294), message)
  expect(await verified).toBe(true)
})

test('a ticket whose key is gone cannot answer', async () => {
  const mine = await token()
  expect(await canAnswer(mine)).toBe(true)
  await forgetHolder(mine.number)
  expect(await canAnswer(mine)).toBe(false)
})
