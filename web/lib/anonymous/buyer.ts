// Takes a purchase from step to step. Each fact is durable before the next step hangs on it, and each step may be repeated.
import * as api from '../api/anonymous.ts'
import { NoAnswer, Problem } from '../api/http.ts'
import { NoChecker } from '../core/proof.ts'
import { changePurchase, dropPurchase, getPurchase, keepToken } from '../db/anonymous-db.ts'
import { type Bytes, fromBase64Url } from '../rotation/code.ts'
import { blind, finalize, readSpki, WrongSignature } from './blind-rsa.ts'
import { drawNonce } from './holder.ts'
import { KeyRefused, NoKeyYet, signingKey } from './issuer-key.ts'
import { bearerNumber, fromHex, tokenInput } from './privacy-pass.ts'
import {
  type Blank,
  blanked,
  blankOf,
  type KeyTerms,
  missing,
  nextStep,
  ordered,
  type Purchase,
  told,
  withBlank,
  withoutRetired,
} from './purchase.ts'

/** What a purchase asks of the world; tests put their own in its place. */
export type Shop = Pick<
  typeof api,
  'checkout' | 'payTest' | 'verifyReceipt' | 'redeemVoucher' | 'signBlinded'
> & {
  key: (event: string, ticketType: number, day: string | null) => Promise<KeyTerms>
}

const realShop: Shop = { ...api, key: async (...what) => (await signingKey(...what)).terms }

/** Where a purchase stands when nothing more happens by itself. */
export type Stop =
  | {
      why:
        | 'done'
        | 'pay'
        | 'expired'
        | 'refund_due'
        | 'wrong_signature'
        | 'receipt_used'
        | 'no_answer'
        | 'no_checker'
    }
  /** Something on this phone: its disk is full, or refuses. */
  | { why: 'broken' }
  | { why: 'key'; text: string }
  | { why: 'problem'; code: string; text: string }

/** Ten tickets whose key is retired twice; more often in one go than this, somebody plays. */
const REBLINDS = 20
/** Vouchers that will never be worth anything: what is kept of them is of no use. */
const WORTHLESS = new Set(['voucher_used', 'voucher_unknown', 'voucher_expired', 'validation_failed'])

const toBase64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes))

/** What is no base64 is no signature either. */
function readSignature(text: string): Bytes {
  try {
    return fromBase64Url(text)
  } catch {
    return new Uint8Array()
  }
}

async function newBlank(terms: KeyTerms): Promise<Blank> {
  const keyId = fromHex(terms.keyId)
  const nonce = await drawNonce(keyId)
  const input = await tokenInput(nonce, terms.challenge, keyId)
  const { message, inverse } = await blind(await readSpki(terms.spki), input)
  return { nonce, inverse, terms, blinded: message, signed: null, wrong: null, refused: false }
}

/** Goes on with a purchase as far as it goes. `seen` hears of each fact once it is kept. */
export async function goOn(
  id: string,
  seen: (purchase: Purchase) => void = () => {},
  shop: Shop = realShop,
): Promise<Stop> {
  try {
    return await new Run(id, seen, shop).run()
  } catch (error) {
    if (error instanceof KeyRefused) return { why: 'key', text: error.message }
    if (error instanceof NoChecker) return { why: 'no_checker' }
    if (error instanceof NoAnswer) return { why: 'no_answer' }
    if (error instanceof Problem) return { why: 'problem', code: error.code, text: error.message }
    throw error
  }
}

class Run {
  readonly #id: string
  readonly #seen: (purchase: Purchase) => void
  readonly #shop: Shop
  /** Numbers that were sent in this run: each once, so that a no is told and not asked again at once. */
  readonly #sent = new Set<string>()
  #reblinds = 0

  constructor(id: string, seen: (purchase: Purchase) => void, shop: Shop) {
    this.#id = id
    this.#seen = seen
    this.#shop = shop
  }

  async run(): Promise<Stop> {
    for (;;) {
      // What is kept counts: another tab may have gone on meanwhile.
      const purchase = await getPurchase(this.#id)
      if (!purchase) return { why: 'done' }
      this.#seen(purchase)
      const stop = await this.#one(purchase)
      if (stop) return stop
    }
  }

  #change(change: (kept: Purchase) => Purchase) {
    return changePurchase(this.#id, change)
  }

  async #one(purchase: Purchase): Promise<Stop | null> {
    switch (nextStep(purchase)) {
      case 'redeem':
        return this.#redeem(purchase)
      case 'order':
        return this.#order(purchase)
      case 'blind':
        return this.#blind(purchase)
      case 'verify':
        return this.#verify(purchase)
      case 'sign':
        return this.#sign(purchase)
    }
  }

  async #redeem({ voucher }: Purchase): Promise<Stop | null> {
    if (!voucher) throw new Error('a purchase by voucher without one')
    try {
      const receipt = await this.#shop.redeemVoucher(voucher.code, voucher.claim)
      await this.#change(kept => told(kept, receipt))
      return receipt.receipt_id ? null : this.#unverified(receipt.status)
    } catch (error) {
      if (error instanceof Problem && WORTHLESS.has(error.code)) await dropPurchase(this.#id)
      throw error
    }
  }

  async #order({ event, wish, provider }: Purchase): Promise<null> {
    if (!event || !wish || provider === 'VOUCHER') throw new Error('a purchase of nothing')
    // The key first: whoever cannot trust it orders nothing. Of a day that nobody bought yet there is none: the order makes it.
    await this.#shop.key(event, wish.ticketType, wish.day).catch(error => {
      if (!(error instanceof NoKeyYet)) throw error
    })
    const order = await this.#shop.checkout({
      ...{ event, ticket_type: wish.ticketType, day: wish.day, quantity: wish.quantity },
      payment_provider: provider,
    })
    await this.#change(kept => ordered(kept, order))
    return null
  }

  async #blind(purchase: Purchase): Promise<null> {
    const { event, wish } = purchase
    if (!event || !wish) throw new Error('a purchase of nothing')
    const terms = await this.#shop.key(event, wish.ticketType, wish.day)
    const blanks: Blank[] = []
    while (blanks.length < missing(purchase)) blanks.push(await newBlank(terms))
    await this.#change(kept => blanked(kept, blanks))
    return null
  }

  async #verify({ order, provider }: Purchase): Promise<Stop | null> {
    if (!order) throw new Error('a purchase without an order')
    if (provider === 'TEST') await this.#shop.payTest(order.provider_receipt_id)
    const receipt = await this.#shop.verifyReceipt(provider, order.provider_receipt_id)
    // Not paid is how every order begins: only what goes beyond it is a fact.
    if (receipt.status === 'pending') return { why: 'pay' }
    if (receipt.status === 'expired') return { why: 'expired' }
    await this.#change(kept => told(kept, receipt))
    return receipt.receipt_id ? null : this.#unverified(receipt.status)
  }

  #unverified(status: string): Stop {
    return { why: status === 'refund_due' ? 'refund_due' : 'pay' }
  }

  async #sign(purchase: Purchase): Promise<Stop | null> {
    const blank = purchase.blanks.find(({ signed, blinded }) => signed || !this.#sent.has(toBase64(blinded)))
    if (!blank)
      return { why: purchase.blanks.some(({ wrong }) => wrong) ? 'wrong_signature' : 'receipt_used' }
    await (blank.signed ? this.#finish(blank, blank.signed) : this.#send(purchase.receipt ?? '', blank))
    return null
  }

  async #send(receipt: string, { nonce, blinded, terms, wrong }: Blank): Promise<void> {
    const sent = toBase64(blinded)
    this.#sent.add(sent)
    try {
      const { signed_blinded } = await this.#shop.signBlinded(receipt, sent, terms.keyId)
      const signed = readSignature(signed_blinded)
      await this.#change(kept => withBlank(kept, nonce, { signed }))
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      if (error.code === 'receipt_used') {
        await this.#change(kept => withBlank(kept, nonce, { refused: true }))
      } else if (error.code === 'key_retired' && !wrong && this.#reblinds < REBLINDS) {
        this.#reblinds += 1
        await this.#change(kept => withoutRetired(kept, nonce))
      } else throw error
    }
  }

  async #finish({ nonce, inverse, terms }: Blank, signed: NonNullable<Blank['signed']>): Promise<void> {
    const keyId = fromHex(terms.keyId)
    try {
      const input = await tokenInput(nonce, terms.challenge, keyId)
      const signature = await finalize(await readSpki(terms.spki), input, signed, inverse)
      const number = await bearerNumber(keyId, nonce)
      await keepToken(this.#id, { number, nonce, signature, terms, exchanged: null })
    } catch (error) {
      if (!(error instanceof WrongSignature)) throw error
      await this.#change(kept =>
        // The first one is the proof; and without `signed` the issuer is asked again when somebody wishes.
        withBlank(kept, nonce, { signed: null, wrong: blankOf(kept, nonce)?.wrong ?? signed }),
      )
    }
  }
}
