// Tickets as Privacy Pass tokens of type 2 (RFC 9578; docs/formats/anonymous.md): what is signed, what the QR says, and the number.
import { type Bytes, base45, joined } from '../rotation/code.ts'

const TOKEN_TYPE = [0, 2]
const CODE_VERSION = 1
const ANSWER_VERSION = 2
const KEY_HINT_BYTES = 4
const NUMBER_DIGITS = 13
const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

export const NONCE_BYTES = 32

const utf8 = (text: string): Bytes => new TextEncoder().encode(text)
const bytesOf = (...values: number[]): Bytes => Uint8Array.from(values)

export const toHex = (bytes: Uint8Array): string =>
  [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')

export const fromHex = (hex: string): Bytes =>
  Uint8Array.from(hex.match(/../g) ?? [], byte => Number.parseInt(byte, 16))

export const sha256 = async (bytes: Bytes): Promise<Bytes> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))

export const keyIdOf = sha256

/** Who issues an event's tickets, by the name of its audit log. */
export const issuerName = (logOrigin: string): string => logOrigin.replace('/log/', '/issuer/')

/** The challenge that every ticket of an issuer answers. */
export async function challengeOf(issuer: string): Promise<Bytes> {
  const name = utf8(issuer)
  const context = await sha256(joined(utf8('admit-one/redemption/v1\0'), name))
  const length = bytesOf(name.length >> 8, name.length & 0xff)
  return joined(bytesOf(...TOKEN_TYPE), length, name, bytesOf(context.length), context, bytesOf(0, 0))
}

/** What the issuer signs without seeing it. */
export const tokenInput = async (nonce: Bytes, challenge: Bytes, keyId: Bytes): Promise<Bytes> =>
  joined(bytesOf(...TOKEN_TYPE), nonce, await sha256(challenge), keyId)

/** What the QR says: the gate knows the rest from the key. */
export const bearerCode = (keyId: Bytes, nonce: Bytes, authenticator: Bytes): string =>
  `B1:${base45(joined(bytesOf(CODE_VERSION), keyId.slice(0, KEY_HINT_BYTES), nonce, authenticator))}`

/** The nonce of a ticket whose wallet has a key: the issuer signs a holder whom it does not see. */
export const holdersNonce = (point: Bytes): Promise<Bytes> =>
  sha256(joined(utf8('admit-one/holder/v1\0'), point))

/** What the QR says that answers a gate: the wallet's key in the place of the nonce, and its signature. */
export const answeringCode = (keyId: Bytes, point: Bytes, authenticator: Bytes, proof: Bytes): string =>
  `B1:${base45(joined(bytesOf(ANSWER_VERSION), keyId.slice(0, KEY_HINT_BYTES), point, authenticator, proof))}`

/** The event's number, with which the name of the issuer in a challenge ends. */
export function eventOf(challenge: Bytes): number {
  const [, , high = 0, low = 0] = challenge
  const name = new TextDecoder().decode(challenge.slice(4, 4 + high * 256 + low))
  return Number(name.slice(name.lastIndexOf('/') + 1))
}

/** The ticket's number: the only thing of it that people read to each other. */
export async function bearerNumber(keyId: Bytes, nonce: Bytes): Promise<string> {
  return ticketNumber(await bearerId(keyId, nonce))
}

/** The same as gates and wallets sign it. */
export async function bearerId(keyId: Bytes, nonce: Bytes): Promise<bigint> {
  const digest = await sha256(joined(utf8('admit-one/bearer/v1\0'), keyId, nonce))
  return new DataView(digest.buffer).getBigUint64(0)
}

/** `XXXXX-XXXXX-XXXX`: Crockford's base32 with a sign at the end that catches slips. */
export function ticketNumber(id: bigint): string {
  const digits = Array.from({ length: NUMBER_DIGITS }, (_, at) =>
    Number((id >> BigInt(5 * (NUMBER_DIGITS - 1 - at))) & 31n),
  )
  digits.push(digits.reduce((sum, digit, place) => sum + (2 * place + 1) * digit, 0) % 32)
  const letters = digits.map(digit => crockford[digit]).join('')
  return `${letters.slice(0, 5)}-${letters.slice(5, 10)}-${letters.slice(10)}`
}
