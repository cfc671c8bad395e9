// Whatever is interrupted, lost or done twice: what was paid for becomes tickets, once.
import 'fake-indexeddb/auto'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import {
  addPurchase,
  dropPurchase,
  dropToken,
  getPurchase,
  listPurchases,
  listTokens,
} from '../db/anonymous-db.ts'
import { readSpki, verifies } from './blind-rsa.ts'
import { goOn } from './buyer.ts'
import { fromHex, tokenInput } from './privacy-pass.ts'
import { begun } from './purchase.ts'
import { newPair, TestIssuer, termsOf } from './test-issuer.ts'

type Pair = Awaited<ReturnType<typeof newPair>>
let pairs: Pair[]
let issuer: TestIssuer

beforeAll(async () => {
  pairs = [await newPair(), await newPair()]
})

beforeEach(async () => {
  issuer = new TestIssuer(pairs)
  for (const { id } of await listPurchases()) await dropPurchase(id)
  for (const { number } of await listTokens()) await dropToken(number)
})

const wish = { ticketType: 3, day: '2026-12-01', quantity: 2 }
const buys = (provider: 'TEST' | 'STRIPE' = 'TEST') =>
  addPurchase(begun('one', provider, 'river-night', { wish }))
const buysByVoucher = () =>
  addPurchase(begun('one', 'VOUCHER', null, { voucher: { code: 'A', claim: 'mine' } }))
const nothing = () => {}

async function allVerify(): Promise<boolean> {
  const each = (await listTokens()).map(async ({ nonce, signature, terms }) => {
    const input = await tokenInput(nonce, terms.challenge, fromHex(terms.keyId))
    return verifies(await readSpki(terms.spki), input, signature)
  })
  return (await Promise.all(each)).every(Boolean)
}

async function endsWith(tokens: number) {
  expect(await goOn('one', nothing, issuer)).toEqual({ why: 'done' })
  expect(await listTokens()).toHaveLength(tokens)
  expect(await allVerify()).toBe(true)
  expect(await listPurchases()).toEqual([])
}

it('makes two tickets of a test payment', async () => {
  await buys()
  await endsWith(2)
})

it('makes two tickets of a voucher', async () => {
  await buysByVoucher()
  await endsWith(2)
})

it('blinds before anybody pays', async () => {
  await buys('STRIPE')
  expect(await goOn('one', nothing, issuer)).toEqual({ why: 'pay' })
  expect((await getPurchase('one'))?.blanks).toHaveLength(2)
})

it('goes on once the payment has come', async () => {
  await buys('STRIPE')
  await goOn('one', nothing, issuer)
  issuer.paid = true
  await endsWith(2)
})

it('orders where there is no key yet, and checks the one that is made before anybody pays', async () => {
  await buys()
  issuer.lazy = true
  await endsWith(2)
  expect(issuer.calls.filter(name => name === 'key' || name === 'payTest')).toEqual(['key', 'key', 'payTest'])
})

it('says it when the time to pay ran out', async () => {
  await buys('STRIPE')
  const nobody = { event: null, ticket_type: null, day: null, quantity: null, signed: null }
  issuer.verifyReceipt = async () => ({ receipt_id: null, status: 'expired', ...nobody })
  expect(await goOn('one', nothing, issuer)).toEqual({ why: 'expired' })
})

it('orders nothing when the key fails', async () => {
  await buys()
  issuer.key = () => Promise.reject(new Error('not in the record'))
  await expect(goOn('one', nothing, issuer)).rejects.toThrow('not in the record')
  expect(issuer.orders).toBe(0)
})

it.each(Array.from({ length: 9 }, (_, at) => at + 1))(
  'comes back after being killed behind write %i',
  async last => {
    await buys()
    let seen = 0
    const killed = () => {
      seen += 1
      if (seen === last) throw new Error('killed')
    }
    await goOn('one', killed, issuer).catch(nothing)
    await endsWith(2)
    expect(issuer.signed.size).toBe(2)
  },
)

it.each(['checkout', 'payTest', 'verifyReceipt', 'signBlinded'] as const)(
  'comes back after the answer of %s is lost',
  async name => {
    await buys()
    issuer.lose = [name]
    expect(await goOn('one', nothing, issuer)).toEqual({ why: 'no_answer' })
    await endsWith(2)
    expect(issuer.signed.size).toBe(2)
  },
)

it('comes back after the answer of a voucher is lost', async () => {
  await buysByVoucher()
  issuer.lose = ['redeemVoucher']
  expect(await goOn('one', nothing, issuer)).toEqual({ why: 'no_answer' })
  await endsWith(2)
})

it('sends the same blinded number again after a lost answer', async () => {
  await buys()
  issuer.lose = ['signBlinded']
  await goOn('one', nothing, issuer)
  const [before] = (await getPurchase('one'))?.blanks ?? []
  expect(issuer.signed.has(Buffer.from(before?.blinded ?? []).toString('base64'))).toBe(true)
  await endsWith(2)
})

it('ends with one purchase in two tabs at once', async () => {
  await buys()
  await Promise.all([goOn('one', nothing, issuer), goOn('one', nothing, issuer)])
  expect(await listTokens()).toHaveLength(2)
  expect(issuer.signed.size).toBe(2)
  expect(await listPurchases()).toEqual([])
})

it('blinds anew for a new key when the old one was retired before it signed', async () => {
  await buys('STRIPE')
  await goOn('one', nothing, issuer)
  issuer.paid = true
  issuer.retired.add((await termsOf(pairs[0] as Pair)).keyId)
  await endsWith(2)
  const [, second] = await Promise.all(pairs.map(termsOf))
  expect((await listTokens()).map(({ terms }) => terms.keyId)).toEqual([second?.keyId, second?.keyId])
})

it('keeps a ticket whose key was retired after it signed', async () => {
  await buys()
  issuer.lose = ['signBlinded']
  await goOn('one', nothing, issuer)
  const [first] = await Promise.all(pairs.map(termsOf))
  issuer.retired.add(first?.keyId ?? '')
  await endsWith(2)
  expect((await listTokens()).filter(({ terms }) => terms.keyId === first?.keyId)).toHaveLength(1)
})

it('says it when all that was paid for is signed already', async () => {
  await buys()
  issuer.quantity = 1
  issuer.signed.set('somebody else’s', '')
  issuer.verifyReceipt = async () => ({
    ...{ receipt_id: 'receipt', status: 'verified', event: 'river-night', ticket_type: 3 },
    ...{ day: '2026-12-01', quantity: 1, signed: 1 },
  })
  expect(await goOn('one', nothing, issuer)).toEqual({ why: 'receipt_used' })
  expect((await getPurchase('one'))?.blanks[0]?.refused).toBe(true)
})

it('tells a wrong signature, and keeps it for a complaint', async () => {
  await buys()
  issuer.lies = true
  expect(await goOn('one', nothing, issuer)).toEqual({ why: 'wrong_signature' })
  const kept = await getPurchase('one')
  expect(kept?.blanks.map(({ wrong }) => wrong?.length)).toEqual([256, 256])
  expect(await listTokens()).toEqual([])
})

it('takes the right signature after a wrong one', async () => {
  await buys()
  issuer.lies = true
  await goOn('one', nothing, issuer)
  issuer.lies = false
  issuer.signed.clear()
  await endsWith(2)
})

it('keeps nothing of a voucher that is worth nothing', async () => {
  await buysByVoucher()
  await issuer.redeemVoucher('A', 'somebody else')
  const stop = await goOn('one', nothing, issuer)
  expect(stop).toMatchObject({ why: 'problem', code: 'voucher_used' })
  expect(await listPurchases()).toEqual([])
})
