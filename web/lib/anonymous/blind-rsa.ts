// The wallet's half of RSABSSA-SHA384-PSS-Deterministic (RFC 9474): it blinds a message, and takes the blinding off the signature.
import { type Bytes, joined, toBase64Url } from '../rotation/code.ts'

const HASH = 'SHA-384'
const HASH_BYTES = 48
const SALT_BYTES = 48
const EXPONENT = 65_537n

/** An issuer's key: the modulus for the blinding, and the browser's own key for checking what comes out of it. */
export type BlindKey = { n: bigint; size: number; verifier: CryptoKey }

/** `inverse` takes the blinding off again: whoever has it can link the two, so it goes when it has done its work. */
export type Blinded = { message: Bytes; inverse: Bytes }

/** What a test vector fixes; otherwise both are drawn. */
export type Draws = { salt?: Bytes; r?: bigint }

/** The signature that came back is not one: the issuer made a mistake, or lies. */
export class WrongSignature extends Error {}

/** What stands around the modulus of 2048 bits in the one form of a key that is used. */
export const DER_OF_2048 = {
  before:
    '30820152303d06092a864886f70d01010a3030a00d300b0609608648016503040202a11a301806092a864886f70d010108300b0609608648016503040202a2030201300382010f003082010a0282010100',
  after: '0203010001',
  size: 256,
}

const hex = (bytes: Uint8Array) => [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')
const toNumber = (bytes: Uint8Array) => BigInt(`0x${hex(bytes) || '0'}`)

function toBytes(value: bigint, size: number): Bytes {
  const text = value.toString(16).padStart(size * 2, '0')
  return Uint8Array.from({ length: size }, (_, at) => Number.parseInt(text.slice(at * 2, at * 2 + 2), 16))
}

/** The key of a SubjectPublicKeyInfo of the one form that issuers use; any other is refused whole. */
export async function readSpki(spki: Bytes): Promise<BlindKey> {
  const text = hex(spki)
  const { before, after, size } = DER_OF_2048
  const fits = text.length === before.length + size * 2 + after.length
  if (!fits || !text.startsWith(before) || !text.endsWith(after)) throw new TypeError('not an issuer key')
  return keyOf(spki.slice(before.length / 2, before.length / 2 + size))
}

/** The key with this modulus and the exponent 65537. Browsers import no id-RSASSA-PSS, so it goes in as a JWK. */
export async function keyOf(modulus: Bytes): Promise<BlindKey> {
  const n = toNumber(modulus)
  if (n % 2n === 0n || !modulus[0]) throw new TypeError('not an RSA modulus')
  const jwk = { kty: 'RSA', alg: 'PS384', n: toBase64Url(modulus), e: 'AQAB' }
  const verifier = await crypto.subtle.importKey('jwk', jwk, { name: 'RSA-PSS', hash: HASH }, false, [
    'verify',
  ])
  return { n, size: modulus.length, verifier }
}

function power(base: bigint, exponent: bigint, n: bigint): bigint {
  let result = 1n
  let square = base % n
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % n
    square = (square * square) % n
  }
  return result
}

/** None when they have a divisor in common, which for a modulus means that it was factored by chance. */
export function inverseOf(value: bigint, n: bigint): bigint | null {
  let [old, now] = [value % n, n]
  let [a, b] = [1n, 0n]
  while (now > 0n) {
    const times = old / now
    ;[old, now] = [now, old - times * now]
    ;[a, b] = [b, a - times * b]
  }
  return old === 1n ? ((a % n) + n) % n : null
}

const digest = async (...parts: Bytes[]): Promise<Bytes> =>
  new Uint8Array(await crypto.subtle.digest(HASH, joined(...parts)))

async function mask(seed: Bytes, size: number): Promise<Bytes> {
  const whole = new Uint8Array(Math.ceil(size / HASH_BYTES) * HASH_BYTES)
  for (let block = 0; block * HASH_BYTES < size; block += 1) {
    whole.set(await digest(seed, toBytes(BigInt(block), 4)), block * HASH_BYTES)
  }
  return whole.slice(0, size)
}

/** EMSA-PSS-ENCODE (RFC 8017, 9.1.1) with SHA-384 and MGF1 over it. */
export async function encodePss(message: Bytes, bits: number, salt: Bytes): Promise<Bytes> {
  const size = Math.ceil(bits / 8)
  if (size < HASH_BYTES + salt.length + 2) throw new TypeError('the key is too short')
  const hash = await digest(new Uint8Array(8), await digest(message), salt)
  const data = new Uint8Array(size - HASH_BYTES - 1)
  data[data.length - salt.length - 1] = 1
  data.set(salt, data.length - salt.length)
  const masked = await mask(hash, data.length)
  const encoded = new Uint8Array(size)
  for (const [at, byte] of data.entries()) encoded[at] = byte ^ (masked[at] ?? 0)
  encoded[0] = (encoded[0] ?? 0) & (0xff >> (8 * size - bits))
  encoded.set(hash, data.length)
  encoded[size - 1] = 0xbc
  return encoded
}

/** Drawn evenly from 1 to n - 1: what is too large is drawn again, never cut down. */
function drawn(n: bigint, size: number): bigint {
  for (;;) {
    const value = toNumber(crypto.getRandomValues(new Uint8Array(size)))
    if (value > 0n && value < n) return value
  }
}

/** Blinds a message: what comes out says nothing of it, and only `inverse` leads back. */
export async function blind(key: BlindKey, message: Bytes, draws: Draws = {}): Promise<Blinded> {
  const { n, size } = key
  const salt = draws.salt ?? crypto.getRandomValues(new Uint8Array(SALT_BYTES))
  const encoded = toNumber(await encodePss(message, n.toString(2).length - 1, salt))
  if (inverseOf(encoded, n) === null) throw new TypeError('the message is not coprime to the key')
  for (;;) {
    const r = draws.r ?? drawn(n, size)
    const inverse = inverseOf(r, n)
    if (inverse === null) continue
    const blinded = (encoded * power(r, EXPONENT, n)) % n
    return { message: toBytes(blinded, size), inverse: toBytes(inverse, size) }
  }
}

/** Whether this is the issuer's signature of the message. */
export const verifies = (key: BlindKey, message: Bytes, signature: Bytes): Promise<boolean> =>
  crypto.subtle.verify({ name: 'RSA-PSS', saltLength: SALT_BYTES }, key.verifier, signature, message)

/** The signature of the message itself, checked. Throws `WrongSignature`. */
export async function finalize(
  key: BlindKey,
  message: Bytes,
  blindSignature: Bytes,
  inverse: Bytes,
): Promise<Bytes> {
  if (blindSignature.length !== key.size) throw new WrongSignature('a signature of the wrong length')
  const value = toNumber(blindSignature)
  if (value >= key.n) throw new WrongSignature('a signature beyond the key')
  const signature = toBytes((value * toNumber(inverse)) % key.n, key.size)
  if (!(await verifies(key, message, signature))) throw new WrongSignature('not a signature of this token')
  return signature
}
