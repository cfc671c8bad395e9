// A key is taken only when the record says the same of it.
import { beforeAll, beforeEach, expect, it, vi } from 'vitest'
import type { IssuerKey } from '../api/types.ts'
import { type Bytes, joined, toBase64Url } from '../rotation/code.ts'
import { checkKey, KeyRefused, readKeyLeaf } from './issuer-key.ts'
import { challengeOf, fromHex } from './privacy-pass.ts'
import type { KeyTerms } from './purchase.ts'
import { newPair, termsOf } from './test-issuer.ts'

let proven = { kind: 'issuer_key', origin: 'admit-one/test/log/7' }
let refused: Error | null = null

vi.mock('../core/proof.ts', () => {
  class ProofRefused extends Error {}
  const checkProof = async () => {
    if (refused) throw refused
    return proven
  }
  return { checkProof, ProofRefused, NoChecker: class extends Error {} }
})

const DAY = Date.parse('2026-12-01') / 86_400_000
let terms: KeyTerms

function leafOf({ day = DAY, spki = terms.spki, expires = Date.parse(terms.expires) / 1000 } = {}): Bytes {
  const numbers = new DataView(new ArrayBuffer(24))
  numbers.setUint8(0, 3)
  numbers.setInt32(1, day)
  numbers.setUint32(9, expires)
  return joined(new Uint8Array(82), fromHex(terms.keyId), new Uint8Array(numbers.buffer), spki)
}

const told = (leaf: Bytes, changes: Partial<IssuerKey> = {}): IssuerKey => ({
  ...{ event: 'river-night', event_name: 'River Night', time_zone: 'Europe/Berlin' },
  ...{ ticket_type: 3, type_name: 'Day ticket', day: '2026-12-01', key_id: terms.keyId },
  ...{ token_type: 2, algorithm: 'RSABSSA-SHA384-PSS-Deterministic' },
  public_key: toBase64Url(terms.spki),
  token_challenge: toBase64Url(terms.challenge),
  ...{ not_before: null, expires: terms.expires, signs: true, sold_at_least: 20 },
  merkle_validation: { leaf: Buffer.from(leaf).toString('base64') } as IssuerKey['merkle_validation'],
  ...changes,
})

beforeAll(async () => {
  terms = await termsOf(await newPair())
})

beforeEach(() => {
  proven = { kind: 'issuer_key', origin: 'admit-one/test/log/7' }
  refused = null
})

const refuses = (key: IssuerKey) => expect(checkKey(key, 'vkey')).rejects.toBeInstanceOf(KeyRefused)

it('takes a key that stands in the record', async () => {
  expect((await checkKey(told(leafOf()), 'vkey')).terms).toEqual(terms)
})

it('reads a key for the whole event', () => {
  expect(readKeyLeaf(leafOf({ day: -1 })).day).toBeNull()
})

it('refuses a number that is not that of the key', () => refuses(told(leafOf(), { key_id: '00'.repeat(32) })))

it('refuses a key whose proof does not hold', async () => {
  const { ProofRefused } = await import('../core/proof.ts')
  refused = new ProofRefused('the path leads elsewhere')
  await refuses(told(leafOf()))
})

it('refuses the proof of something else', async () => {
  proven.kind = 'admit'
  await refuses(told(leafOf()))
})

it('refuses a leaf with another key', async () => {
  const other = await newPair()
  await refuses(told(leafOf({ spki: other.spki })))
})

it('refuses a leaf with another day or another end', async () => {
  await refuses(told(leafOf({ day: DAY + 1 })))
  await refuses(told(leafOf({ expires: 1 })))
})

it('refuses a challenge of another issuer', async () => {
  const challenge = await challengeOf('admit-one/test/issuer/8')
  await refuses(told(leafOf(), { token_challenge: toBase64Url(challenge) }))
})
