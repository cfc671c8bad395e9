// An issuer for tests: it signs with a real key, remembers what it signed, and loses answers when it is told to.

import { NoAnswer, Problem } from '../api/http.ts'
import type { Receipt } from '../api/types.ts'
import { type Bytes, fromBase64Url, joined } from '../rotation/code.ts'
import { DER_OF_2048 } from './blind-rsa.ts'
import type { Shop } from './buyer.ts'
import { NoKeyYet } from './issuer-key.ts'
import { challengeOf, fromHex, keyIdOf, toHex } from './privacy-pass.ts'
import type { KeyTerms } from './purchase.ts'

type Pair = { spki: Bytes; n: bigint; d: bigint }

const toNumber = (bytes: Uint8Array) => BigInt(`0x${toHex(bytes)}`)

export async function newPair(): Promise<Pair> {
  const algorithm = { name: 'RSA-PSS', hash: 'SHA-384', modulusLength: 2048 }
  const exponent = { publicExponent: Uint8Array.from([1, 0, 1]) }
  const pair = await crypto.subtle.generateKey({ ...algorithm, ...exponent }, true, ['sign', 'verify'])
  const { n = '', d = '' } = await crypto.subtle.exportKey('jwk', pair.privateKey)
  const modulus = fromBase64Url(n)
  const spki = joined(fromHex(DER_OF_2048.before), modulus, fromHex(DER_OF_2048.after))
  return { spki, n: toNumber(modulus), d: toNumber(fromBase64Url(d)) }
}

function rawSign({ n, d }: Pair, blinded: Bytes): Bytes {
  let result = 1n
  let square = toNumber(blinded) % n
  for (let left = d; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % n
    square = (square * square) % n
  }
  return fromHex(result.toString(16).padStart(512, '0'))
}

export async function termsOf(pair: Pair): Promise<KeyTerms> {
  return {
    keyId: toHex(await keyIdOf(pair.spki)),
    spki: pair.spki,
    challenge: await challengeOf('admit-one/test/issuer/7'),
    ...{ event: 'river-night', eventName: 'River Night', zone: 'Europe/Berlin' },
    ...{ ticketType: 3, typeName: 'Day ticket', day: '2026-12-01' },
    ...{ notBefore: null, expires: '2026-12-01T23:00:00Z' },
  }
}

type Call = 'key' | 'checkout' | 'payTest' | 'verifyReceipt' | 'redeemVoucher' | 'signBlinded'

export class TestIssuer implements Shop {
  readonly calls: Call[] = []
  readonly signed = new Map<string, string>()
  paid = false
  lies = false
  retired = new Set<string>()
  /** Answers that are lost after the work was done, by name. */
  lose: Call[] = []
  orders = 0
  quantity = 2
  /** Whether keys are only made for the first who orders. */
  lazy = false
  #pairs: Pair[]
  #claim: string | null = null

  constructor(pairs: Pair[]) {
    this.#pairs = pairs
  }

  async #answer<T>(name: Call, work: () => T | Promise<T>): Promise<T> {
    this.calls.push(name)
    const result = await work()
    const at = this.lose.indexOf(name)
    if (at < 0) return result
    this.lose.splice(at, 1)
    throw new NoAnswer('lost on its way')
  }

  key = () =>
    this.#answer('key', async () => {
      if (this.lazy && this.orders === 0) throw new NoKeyYet('none yet')
      const all = await Promise.all(this.#pairs.map(termsOf))
      const signs = all.find(({ keyId }) => !this.retired.has(keyId))
      if (!signs) throw new Error('every key is retired')
      return signs
    })

  checkout: Shop['checkout'] = input =>
    this.#answer('checkout', () => ({
      payment_provider: input.payment_provider,
      provider_receipt_id: `order-${++this.orders}`,
      pay_url: input.payment_provider === 'STRIPE' ? 'https://pay.test/1' : null,
      ...{ amount_cents: 450 * input.quantity, currency: 'EUR', quantity: input.quantity },
      expires_at: '2026-12-01T00:00:00Z',
    }))

  payTest: Shop['payTest'] = () =>
    this.#answer('payTest', () => {
      this.paid = true
      return { status: 'verified' }
    })

  #receipt(): Receipt {
    return {
      receipt_id: this.paid ? 'receipt' : null,
      status: this.paid ? 'verified' : 'pending',
      ...{ event: 'river-night', ticket_type: 3, day: '2026-12-01', quantity: this.quantity },
      signed: this.signed.size,
    }
  }

  verifyReceipt: Shop['verifyReceipt'] = () => this.#answer('verifyReceipt', () => this.#receipt())

  redeemVoucher: Shop['redeemVoucher'] = (_code, claim) =>
    this.#answer('redeemVoucher', () => {
      if (this.#claim !== null && this.#claim !== claim) throw new Problem({ code: 'voucher_used' }, 409)
      this.#claim = claim
      this.paid = true
      return this.#receipt()
    })

  signBlinded: Shop['signBlinded'] = (_receipt, blinded, keyId) =>
    this.#answer('signBlinded', async () => {
      const known = this.signed.get(blinded)
      if (known) return { signed_blinded: known }
      if (this.retired.has(keyId)) throw new Problem({ code: 'key_retired' }, 409)
      if (this.signed.size >= this.quantity) throw new Problem({ code: 'receipt_used' }, 409)
      const ids = await Promise.all(this.#pairs.map(async pair => toHex(await keyIdOf(pair.spki))))
      const pair = this.#pairs[ids.indexOf(keyId)]
      if (!pair) throw new Problem({ code: 'not_found' }, 404)
      const bytes = rawSign(pair, fromBase64Url(blinded))
      if (this.lies) bytes[9] = (bytes[9] ?? 0) ^ 1
      const signed = Buffer.from(bytes).toString('base64')
      this.signed.set(blinded, signed)
      return { signed_blinded: signed }
    })
}
