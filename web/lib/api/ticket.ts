// Calls of a ticket holder: the ticket, its QR, PDF and calendar entry. The credential travels in a header only.
import { call, download } from './http.ts'
import type {
  AcceptInput,
  BindInput,
  BoundTicket,
  OfferInput,
  OfferMade,
  OfferShown,
  Taken,
  Ticket,
} from './types.ts'

export const getTicket = (access: string) => call<Ticket>('GET', '/v1/ticket', { bearer: access })

/** Binds a ticket whose code changes to a key or a claim of this phone. */
export const bindTicket = (access: string, input: BindInput) =>
  call<BoundTicket>('POST', '/v1/ticket/bind', { bearer: access, body: input })

/** Offers a ticket to whoever opens the link of the answer; the same secret again is the same offer. */
export const offerTicket = (access: string, input: OfferInput) =>
  call<OfferMade>('POST', '/v1/ticket/offer', { bearer: access, body: input })

export const endOffer = (access: string) => call<void>('DELETE', '/v1/ticket/offer', { bearer: access })

/** What the credential in an offer's link opens. */
export const getOffer = (link: string) => call<OfferShown>('GET', '/v1/offer', { bearer: link })

export const acceptOffer = (link: string, input: AcceptInput) =>
  call<Taken>('POST', '/v1/offer/accept', { bearer: link, body: input })

export const getTicketFile = (access: string, kind: 'svg' | 'pdf' | 'ics') =>
  download(`/v1/ticket.${kind}`, { bearer: access, timeoutMs: 30_000 })
