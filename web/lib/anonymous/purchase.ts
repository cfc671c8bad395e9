// A purchase as what is known of it: every step adds a fact and takes none away, so that any of them may happen twice.
import type { Checkout, Provider, Receipt } from '../api/types.ts'
import type { Bytes } from '../rotation/code.ts'

/** A key that was checked, and what its tickets are good for. */
export type KeyTerms = {
  keyId: string
  spki: Bytes
  challenge: Bytes
  event: string
  eventName: string
  zone: string
  ticketType: number
  typeName: string
  day: string | null
  notBefore: string | null
  expires: string
}

/** A ticket in the making. `inverse` links it to its purchase, and goes with the blank when the ticket is finished. */
export type Blank = {
  nonce: Bytes
  blinded: Bytes
  inverse: Bytes
  terms: KeyTerms
  /** The issuer's answer, kept before it is looked at. */
  signed: Bytes | null
  /** An answer that was no signature, kept for a complaint. */
  wrong: Bytes | null
  /** The issuer says that all that was paid for is signed. */
  refused: boolean
}

export type Wish = { ticketType: number; day: string | null; quantity: number }

export type Purchase = {
  id: string
  madeAt: string
  provider: Provider
  /** Of a voucher nothing is known until it is redeemed. */
  event: string | null
  wish: Wish | null
  voucher: { code: string; claim: string } | null
  order: Checkout | null
  receipt: string | null
  status: Receipt['status'] | null
  blanks: Blank[]
  /** Tickets of it that are finished. */
  done: number
}

/** A finished ticket: nothing in it says which purchase it came from. */
export type Token = {
  number: string
  nonce: Bytes
  signature: Bytes
  terms: KeyTerms
  /** The ticket it was exchanged for. */
  exchanged: string | null
}

export type Step = 'redeem' | 'order' | 'blind' | 'verify' | 'sign'

/** What is to be done next. Blinding comes before paying, so that a key that fails costs nobody money. */
export function nextStep(purchase: Purchase): Step {
  if (purchase.provider === 'VOUCHER' && !purchase.receipt) return 'redeem'
  if (purchase.provider !== 'VOUCHER' && !purchase.order) return 'order'
  if (missing(purchase) > 0) return 'blind'
  return purchase.receipt ? 'sign' : 'verify'
}

/** How many tickets have no number yet. */
export const missing = (purchase: Purchase): number =>
  Math.max(0, (purchase.wish?.quantity ?? 0) - purchase.done - purchase.blanks.length)

/** Whether giving it up loses no money: nothing is paid, as far as anybody knows here. */
export const isUnpaid = (purchase: Purchase): boolean => !purchase.receipt && purchase.status === null

export function begun(
  id: string,
  provider: Provider,
  event: string | null,
  what: { wish: Wish } | { voucher: { code: string; claim: string } },
): Purchase {
  return {
    ...{ id, provider, event, madeAt: new Date().toISOString() },
    wish: 'wish' in what ? what.wish : null,
    voucher: 'voucher' in what ? what.voucher : null,
    ...{ order: null, receipt: null, status: null, blanks: [], done: 0 },
  }
}

/** The first order stands: of two tabs that ordered, one pays, and the places of the other fall back. */
export const ordered = (purchase: Purchase, order: Checkout): Purchase =>
  purchase.order
    ? purchase
    : { ...purchase, order, wish: purchase.wish && { ...purchase.wish, quantity: order.quantity } }

/** What the issuer says of the payment; a receipt once known stays. */
export const told = (purchase: Purchase, receipt: Receipt): Purchase => {
  const { event, ticket_type: ticketType, day, quantity } = receipt
  const wish = ticketType !== null && quantity !== null ? { ticketType, day, quantity } : purchase.wish
  const known = purchase.receipt ?? receipt.receipt_id
  return { ...purchase, event: event ?? purchase.event, wish, receipt: known, status: receipt.status }
}

/** Adds only as many as are missing: another tab may have been quicker. */
export const blanked = (purchase: Purchase, blanks: Blank[]): Purchase => ({
  ...purchase,
  blanks: [...purchase.blanks, ...blanks.slice(0, missing(purchase))],
})

const same = (one: Bytes, other: Bytes) =>
  one.length === other.length && one.every((byte, at) => byte === other[at])

export const blankOf = (purchase: Purchase, nonce: Bytes): Blank | undefined =>
  purchase.blanks.find(blank => same(blank.nonce, nonce))

/** Changes one blank, if it is still there. */
export const withBlank = (purchase: Purchase, nonce: Bytes, change: Partial<Blank>): Purchase => ({
  ...purchase,
  blanks: purchase.blanks.map(blank => (same(blank.nonce, nonce) ? { ...blank, ...change } : blank)),
})

/** Drops a blank whose key is retired. One that has a signature is a ticket, whatever became of its key. */
export const withoutRetired = (purchase: Purchase, nonce: Bytes): Purchase => ({
  ...purchase,
  blanks: purchase.blanks.filter(blank => blank.signed || !same(blank.nonce, nonce)),
})

/** A ticket is finished: its blank goes, and with it all that links the two. None when that was the last one. */
export function finished(purchase: Purchase, nonce: Bytes): Purchase | null {
  const blanks = purchase.blanks.filter(blank => !same(blank.nonce, nonce))
  const done = purchase.done + purchase.blanks.length - blanks.length
  return done >= (purchase.wish?.quantity ?? 0) ? null : { ...purchase, blanks, done }
}
