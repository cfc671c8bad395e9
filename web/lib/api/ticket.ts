// Calls of a ticket holder: the ticket, its QR, PDF and calendar entry. The credential travels in a header only.
import { call, download } from './http.ts'
import type { BindInput, BoundTicket, Ticket } from './types.ts'

export const getTicket = (access: string) => call<Ticket>('GET', '/v1/ticket', { bearer: access })

/** Binds a ticket whose code changes to a key or a claim of this phone. */
export const bindTicket = (access: string, input: BindInput) =>
  call<BoundTicket>('POST', '/v1/ticket/bind', { bearer: access, body: input })

export const getTicketFile = (access: string, kind: 'svg' | 'pdf' | 'ics') =>
  download(`/v1/ticket.${kind}`, { bearer: access, timeoutMs: 30_000 })
