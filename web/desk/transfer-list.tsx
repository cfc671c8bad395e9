// Tickets that somebody took and that go only when the organiser agrees: who has it, who would have it, yes or no.
import { useEffect, useState } from 'preact/hooks'
import { agreeTransfer, declineTransfer, listTransfers } from '../lib/api/desk.ts'
import { Problem } from '../lib/api/http.ts'
import type { AskedTransfer, DeskEvent } from '../lib/api/types.ts'
import { momentIn } from '../lib/time/zone.ts'
import { ticketPath } from './router.ts'
import { mayWrite } from './session.ts'
import { t } from './texts.ts'

type TransferListProps = { event: DeskEvent; onChanged: () => void }

export function TransferList({ event, onChanged }: TransferListProps) {
  const [asked, setAsked] = useState<AskedTransfer[]>([])
  const [busy, setBusy] = useState(false)
  const [said, setSaid] = useState<{ text: string; tone: string } | null>(null)

  const load = async () => {
    const { transfers } = await listTransfers(event.slug)
    setAsked(transfers)
  }
  // The list of tickets below tells when the server does not answer.
  useEffect(() => void load().catch(() => undefined), [event.slug])

  const act = async (action: () => Promise<unknown>, text: string) => {
    setBusy(true)
    try {
      await action()
      setSaid({ text, tone: 'good' })
      onChanged()
    } catch (error) {
      setSaid({ text: error instanceof Problem ? error.message : t('no_answer'), tone: 'bad' })
    }
    await load().catch(() => undefined)
    setBusy(false)
  }

  if (asked.length === 0 && !said) return null
  return (
    <section class="card stack" data-transfers={asked.length}>
      <h3>{t('transfers')}</h3>
      {said && (
        <p class={`notice ${said.tone}`} role="status">
          {said.text}
        </p>
      )}
      <ul class="plain lines">
        {asked.map(({ ticket, name, email, asked_at }) => (
          <li key={ticket.number} class="row apart">
            <span class="line-text">
              <strong>
                <bdi>{ticket.name ?? t('nobody')}</bdi> → <bdi>{name ?? t('nobody')}</bdi>
              </strong>
              <span class="soft small">
                {email && <>{email} · </>}
                <bdi>{ticket.ticket_type.name}</bdi> ·{' '}
                <a class="mono" href={ticketPath(event.slug, ticket.number)}>
                  {ticket.number}
                </a>{' '}
                · {momentIn(event.time_zone, asked_at)}
              </span>
            </span>
            {mayWrite.value && (
              <span class="row">
                <button
                  class="button tight"
                  type="button"
                  disabled={busy}
                  onClick={() =>
                    void act(() => agreeTransfer(event.slug, ticket.number), t('transfer_agreed'))
                  }
                >
                  {t('agree')}
                </button>
                <button
                  class="button quiet tight"
                  type="button"
                  disabled={busy}
                  onClick={() =>
                    void act(() => declineTransfer(event.slug, ticket.number), t('transfer_declined'))
                  }
                >
                  {t('decline')}
                </button>
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
