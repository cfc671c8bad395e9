// Blind signatures against the vectors of RFC 9474, and against an implementation that is not ours.
import { readFileSync } from 'node:fs'
import { RSABSSA } from '@cloudflare/blindrsa-ts'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Bytes } from '../rotation/code.ts'
import {
  type BlindKey,
  blind,
  finalize,
  inverseOf,
  keyOf,
  readSpki,
  verifies,
  WrongSignature,
} from './blind-rsa.ts'

type Vector = Record<
  'name' | 'n' | 'input_msg' | 'salt' | 'inv' | 'blinded_msg' | 'blind_sig' | 'sig',
  string
>

const file = new URL('../../../vectors/rfc9474/rfc9474.json', import.meta.url)
const vectors = (JSON.parse(readFileSync(file, 'utf8')) as Vector[]).filter(vector =>
  // The two with an empty salt are another scheme; the randomised one differs only in what is signed.
  vector.name.includes('SHA384-PSS-'),
)
const bytes = (hex: string): Bytes => new Uint8Array(Buffer.from(hex.replace('0x', ''), 'hex'))
const text = (value: string): Bytes => new TextEncoder().encode(value)
const hex = (value: Uint8Array) => Buffer.from(value).toString('hex')

describe.each(vectors)('$name of RFC 9474', vector => {
  let key: BlindKey
  beforeAll(async () => {
    key = await keyOf(bytes(vector.n))
  })

  it('blinds to the same bytes', async () => {
    const r = inverseOf(BigInt(vector.inv), key.n) ?? 0n
    const blinded = await blind(key, bytes(vector.input_msg), { salt: bytes(vector.salt), r })
    expect(hex(blinded.message)).toBe(vector.blinded_msg)
    expect(hex(blinded.inverse)).toBe(hex(bytes(vector.inv)))
  })

  it('finalizes to the same signature', async () => {
    const parts = [bytes(vector.input_msg), bytes(vector.blind_sig), bytes(vector.inv)] as const
    expect(hex(await finalize(key, ...parts))).toBe(vector.sig)
  })

  it('refuses a signature with one bit changed', async () => {
    const wrong = bytes(vector.blind_sig)
    wrong[100] = (wrong[100] ?? 0) ^ 1
    const refused = finalize(key, bytes(vector.input_msg), wrong, bytes(vector.inv))
    await expect(refused).rejects.toBeInstanceOf(WrongSignature)
  })
})

describe('beside the implementation of others', () => {
  const theirs = RSABSSA.SHA384.PSS.Deterministic()
  const message = text('a token that nobody saw')
  let pair: CryptoKeyPair
  let ours: BlindKey
  beforeAll(async () => {
    const algorithm = { publicExponent: Uint8Array.from([1, 0, 1]), modulusLength: 2048 }
    pair = await RSABSSA.SHA384.generateKey(algorithm)
    const { n = '' } = await crypto.subtle.exportKey('jwk', pair.publicKey)
    ours = await keyOf(new Uint8Array(Buffer.from(n, 'base64url')))
  })

  it('signs what we blinded, and verifies what we finalized', async () => {
    const blinded = await blind(ours, message)
    const signed = new Uint8Array(await theirs.blindSign(pair.privateKey, blinded.message))
    const signature = await finalize(ours, message, signed, blinded.inverse)
    expect(await theirs.verify(pair.publicKey, signature, message)).toBe(true)
  })

  it('has its own signatures verified by us', async () => {
    const blinded = await theirs.blind(pair.publicKey, message)
    const signed = await theirs.blindSign(pair.privateKey, blinded.blindedMsg)
    const signature = await theirs.finalize(pair.publicKey, message, signed, blinded.inv)
    expect(await verifies(ours, message, new Uint8Array(signature))).toBe(true)
  })

  it('finalizes what we blinded', async () => {
    const blinded = await blind(ours, message)
    const signed = await theirs.blindSign(pair.privateKey, blinded.message)
    const signature = await theirs.finalize(pair.publicKey, message, signed, blinded.inverse)
    expect(await verifies(ours, message, new Uint8Array(signature))).toBe(true)
  })
})

it('blinds the same message to something else every time', async () => {
  const key = await keyOf(bytes(vectors[0]?.n ?? ''))
  const [one, two] = await Promise.all([blind(key, text('same')), blind(key, text('same'))])
  expect(hex(one.message)).not.toBe(hex(two.message))
})

it('takes no key of another form', async () => {
  await expect(readSpki(new Uint8Array(342))).rejects.toThrow('not an issuer key')
  await expect(readSpki(new Uint8Array())).rejects.toThrow('not an issuer key')
})
