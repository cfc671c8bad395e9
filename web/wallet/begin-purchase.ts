// Begins a purchase: kept before anything of it happens, and opened on its own page.

import { begun } from '../lib/anonymous/purchase.ts'
import type { Provider } from '../lib/api/types.ts'
import { addPurchase } from '../lib/db/anonymous-db.ts'
import { toBase64Url } from '../lib/rotation/code.ts'

const ID_BYTES = 9
const CLAIM_BYTES = 32

const draw = (size: number) => toBase64Url(crypto.getRandomValues(new Uint8Array(size)))

/** Purchases that were begun on this page: their way leads on to the payment by itself, once. */
export const justBegun = new Set<string>()

/** Whoever came back from paying need not ask whether it arrived: the page does. */
export const cameBack = new Map<string, 'paid' | 'unpaid'>()

type What = Parameters<typeof begun>[3]

async function begin(provider: Provider, event: string | null, what: What): Promise<void> {
  const id = draw(ID_BYTES)
  await addPurchase(begun(id, provider, event, what))
  // A phone that runs out of room forgets other pages first. Not waited for: some browsers ask the person, who may be slow.
  void navigator.storage?.persist?.().catch(() => false)
  justBegun.add(id)
  location.hash = `purchase=${id}`
}

export const beginOrder = (
  provider: 'TEST' | 'STRIPE',
  event: string,
  wish: { ticketType: number; day: string | null; quantity: number },
) => begin(provider, event, { wish })

/** The claim is drawn once: whoever has only the code cannot redeem it a second time. */
export const beginVoucher = (code: string) =>
  begin('VOUCHER', null, { voucher: { code, claim: draw(CLAIM_BYTES) } })
