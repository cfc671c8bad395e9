// The status of a ticket as a tag.
import type { DeskTicket } from '../lib/api/types.ts'
import { t } from './texts.ts'

export function StatusTag({ ticket }: { ticket: DeskTicket }) {
  if (ticket.status === 'revoked') return <span class="tag bad">{t('status_revoked')}</span>
  if (ticket.status === 'transferred') return <span class="tag warn">{t('status_transferred')}</span>
  if (ticket.status === 'issued') return <span class="tag">{t('status_issued')}</span>
  const uses = ticket.max_uses === 1 ? '' : ` ${ticket.uses}${ticket.max_uses ? `/${ticket.max_uses}` : ''}`
  return (
    <span class="tag good numeric">
      {t('status_used')}
      {uses}
    </span>
  )
}
