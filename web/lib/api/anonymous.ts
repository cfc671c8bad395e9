// Calls about tickets that are sold without a name (docs/formats/anonymous.md). None of them says who asks.
import { call, segment } from './http.ts'
import type { Checkout, CheckoutInput, IssuerKey, Provider, PublicEvent, Receipt } from './types.ts'

/** Here a second time: a file shared with the public pages would cost their first visit more than the line. */
export const getSale = (event: string) => call<PublicEvent>('GET', `/v1/events/${segment(event)}/public`)

export const getIssuerKeys = (event: string) =>
  call<{ keys: IssuerKey[] }>('GET', `/v1/events/${segment(event)}/issuer-keys`)

export const checkout = (input: CheckoutInput) => call<Checkout>('POST', '/v1/checkout', { body: input })

/** Pays an order of the test provider; only where trying is allowed. */
export const payTest = (reference: string) =>
  call<{ status: string }>('POST', '/test/verify', { body: { provider_receipt_id: reference } })

/** What is told is null as long as whoever takes the money does not tell it; `receipt_id` is a credential. */
export const verifyReceipt = (provider: Provider, reference: string) =>
  call<Receipt>('POST', '/v1/verify_receipt', {
    body: { payment_provider: provider, provider_receipt_id: reference },
  })

export const redeemVoucher = (code: string, claim: string) =>
  call<Receipt>('POST', '/v1/redeem_voucher', { body: { code, claim } })

export const signBlinded = (receipt: string, blinded: string, keyId: string) =>
  call<{ signed_blinded: string }>('POST', '/v1/sign_blinded', {
    body: { receipt_id: receipt, blinded_token: blinded, key_id: keyId },
  })

/** A ticket like every other for one without a name, bound to this key from the first. */
export const exchangeToken = (code: string, event: string, publicKey: string) =>
  call<{ access: string }>('POST', '/v1/exchange', { body: { code, event, public_key: publicKey } })
