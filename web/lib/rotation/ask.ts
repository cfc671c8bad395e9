// What a gate asks a wallet to sign (docs/formats/rotating.md, Challenge): as a QR says it, and as people type it.
import { type Bytes, fromBase64Url, toBase64Url } from './code.ts'

export const NONCE_BYTES = 8
/** How long a question and its answer stand. */
export const GOOD_FOR_MS = 10_000

export type Ask = { gate: number; nonce: Bytes }

const askShape = /^A1ASK:(\d{1,5}):([A-Za-z0-9_-]{11})$/
const GATES = 65_536

export const askText = ({ gate, nonce }: Ask): string => `A1ASK:${gate}:${toBase64Url(nonce)}`

/** In groups of four, which people copy with fewer slips. */
export const askDigits = ({ nonce }: Ask): string =>
  [...nonce]
    .map(byte => byte.toString(16).padStart(2, '0'))
    .join('')
    .replace(/.{4}(?=.)/g, '$& ')

/** What a QR says, when it is a gate's question. */
export function readAsk(text: string): Ask | null {
  const [, gate, nonce] = askShape.exec(text) ?? []
  return nonce === undefined ? null : whole(Number(gate), fromBase64Url(nonce))
}

/** The same by hand: spaces, dashes and capitals do not matter. */
export function typedAsk(gate: string, digits: string): Ask | null {
  const hex = digits.replace(/[\s-]/g, '')
  if (!/^\d{1,5}$/.test(gate.trim()) || !/^[0-9a-f]{16}$/i.test(hex)) return null
  const bytes = hex.match(/../g) ?? []
  return whole(
    Number(gate),
    Uint8Array.from(bytes, byte => Number.parseInt(byte, 16)),
  )
}

const whole = (gate: number, nonce: Bytes): Ask | null =>
  gate < GATES && nonce.length === NONCE_BYTES ? { gate, nonce } : null
