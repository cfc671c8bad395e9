// The codes of tickets that change every few seconds (docs/formats/rotating.md): bytes in, text out, no keys and no clock.

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'
const possession = new TextEncoder().encode('admit-one/rot/v1\0')
const release = new TextEncoder().encode('admit-one/move/v1\0')
const PROOF_BYTES = 8
const POINT_BYTES = 33
/** In the place of an epoch: the code answers a gate. */
const CHALLENGED = 0xffffffff

export type Bytes = Uint8Array<ArrayBuffer>

/** RFC 9285: two bytes become three letters that a QR code packs well. */
export function base45(bytes: Bytes): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 2) {
    const [high = 0, low] = bytes.subarray(at, at + 2)
    let left = low === undefined ? high : high * 256 + low
    for (let letters = low === undefined ? 2 : 3; letters > 0; letters -= 1) {
      text += alphabet[left % 45]
      left = Math.floor(left / 45)
    }
  }
  return text
}

export function fromBase64Url(text: string): Bytes {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, letter => letter.charCodeAt(0))
}

export const toBase64Url = (bytes: Bytes): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

export function joined(...parts: Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function number(value: number | bigint, size: number): Bytes {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes.slice(8 - size)
}

/** A point of P-256 (65 bytes) in its short form: the sign of y, and x. */
export function compressedPoint(point: Bytes): Bytes {
  const short = new Uint8Array(POINT_BYTES)
  short[0] = 2 + ((point.at(-1) ?? 0) & 1)
  short.set(point.slice(1, POINT_BYTES), 1)
  return short
}

/** Intervals since 1970. */
export const epochAt = (ms: number, intervalS: number): number => Math.floor(ms / 1000 / intervalS)

/** Whole seconds until the next epoch: from the interval down to 1. */
export const secondsLeft = (ms: number, intervalS: number): number =>
  intervalS - (Math.floor(ms / 1000) % intervalS)

/** What a device key signs for an epoch. */
export const possessionMessage = (event: number, ticket: bigint, epoch: number): Bytes =>
  joined(possession, number(event, 4), number(ticket, 8), number(epoch, 4))

/** What answers a gate that asks: a device key signs it, a shared secret authenticates it. */
export const challengeMessage = (event: number, ticket: bigint, gate: number, nonce: Bytes): Bytes =>
  joined(possessionMessage(event, ticket, CHALLENGED), number(gate, 2), nonce)

/** What is authenticated with a shared secret for an epoch. */
export const sharedMessage = (ticket: bigint, epoch: number): Bytes =>
  joined(possession, number(epoch, 4), number(ticket, 8))

/** What a wallet signs to let a ticket go to another phone; `offer` is the SHA-256 of what the other one shows. */
export const releaseMessage = (event: number, ticket: bigint, offer: Bytes): Bytes =>
  joined(release, number(event, 4), number(ticket, 8), offer)

/** The code with a device key's signature, `r | s`. */
export const deviceCode = (head: Bytes, epoch: number, signature: Bytes): string =>
  `R1:${base45(joined(head, number(epoch, 4), signature))}`

/** The code that answers a gate: like any other, but for no epoch. */
export const answerCode = (head: Bytes, signature: Bytes): string => deviceCode(head, CHALLENGED, signature)

/** The same with a shared secret, which the server checks. */
export const sharedAnswerCode = (head: Bytes, tag: Bytes): string => sharedCode(head, CHALLENGED, tag)

/** The code with a shared secret's HMAC, which is cut to its first 8 bytes. */
export const sharedCode = (head: Bytes, epoch: number, tag: Bytes): string =>
  `R1:${base45(joined(head, number(epoch, 2), tag.slice(0, PROOF_BYTES)))}`
