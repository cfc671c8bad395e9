// Calls of the desk about what is sold without a name: figures, vouchers, issuer keys, and tickets that are withdrawn by number.
import { getIssuerKeys } from './anonymous.ts'
import { deskCall, deskDownload, eventUrl } from './desk.ts'
import type { NewVouchers, Sales, VoucherInput } from './types.ts'

export const getSales = (slug: string) => deskCall<Sales>('GET', `${eventUrl(slug)}/sales`)

/** The codes are in this answer and never again: only their digests are kept. */
export const makeVouchers = (slug: string, input: VoucherInput) =>
  deskCall<NewVouchers>('POST', `${eventUrl(slug)}/vouchers`, { body: input })

export const printVouchers = (slug: string, codes: string[]) =>
  deskDownload(`${eventUrl(slug)}/vouchers/sheet`, { method: 'POST', body: { codes }, timeoutMs: 60_000 })

export const voidVouchers = (slug: string, batch: number) =>
  deskCall<void>('POST', `${eventUrl(slug)}/vouchers/${batch}/void`)

export const listIssuerKeys = async (slug: string) => (await getIssuerKeys(slug)).keys

export const rotateIssuerKey = (slug: string, ticketType: number, day: string | null) =>
  deskCall<void>('POST', `${eventUrl(slug)}/issuer-keys/rotate`, { body: { ticket_type: ticketType, day } })

export const revokeToken = (slug: string, number: string, reason: string) =>
  deskCall<void>('POST', `${eventUrl(slug)}/revoked-tokens`, { body: { number, reason } })
