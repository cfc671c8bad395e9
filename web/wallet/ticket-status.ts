// What may still be done with a ticket, and the words for it.
import type { Ticket } from '../lib/api/types.ts'
import { t } from './texts.ts'

/** Whether it can open no gate any more. */
export const isVoid = (ticket: Ticket) => ticket.status === 'revoked' || ticket.status === 'transferred'

/** Whether its holder may hand it on, or has begun to. */
export const mayGive = (ticket: Ticket) =>
  !isVoid(ticket) &&
  Boolean(ticket.transfer) &&
  ticket.transfer?.transferable !== 'no' &&
  (ticket.max_uses === 0 || ticket.uses < ticket.max_uses)

export function statusOf(ticket: Ticket): { text: string; tone: string } {
  if (ticket.status === 'revoked') return { text: t('status_revoked'), tone: 'bad' }
  if (ticket.status === 'transferred') {
    return { text: t(ticket.transfer?.to === 'move' ? 'status_moved' : 'status_transferred'), tone: 'bad' }
  }
  if (ticket.status === 'issued') return { text: t('status_issued'), tone: 'good' }
  const left = ticket.max_uses === 0 || ticket.uses < ticket.max_uses
  return left ? { text: t('status_partly'), tone: 'good' } : { text: t('status_used'), tone: 'warn' }
}
