// Calls of a ticket holder: the ticket, its QR, PDF and calendar entry. The credential travels in a header only.
import { call, download } from './http.ts'
import type { Ticket } from './types.ts'

export const getTicket = (access: string) => call<Ticket>('GET', '/v1/ticket', { bearer: access })

export const getTicketFile = (access: string, kind: 'svg' | 'pdf' | 'ics') =>
  download(`/v1/ticket.${kind}`, { bearer: access, timeoutMs: 30_000 })
