// The tickets kept on this phone.
import { useEffect, useState } from 'preact/hooks'
import { type KeptTicket, listKeptTickets } from '../lib/db/wallet-db.ts'
import { dayPartsIn, timeIn } from '../lib/time/zone.ts'
import { t } from './texts.ts'

export function TicketList({ broken }: { broken: boolean }) {
  const [kept, setKept] = useState<KeptTicket[] | null>(null)
  useEffect(() => {
    listKeptTickets().then(
      all => setKept(all.sort((a, b) => a.ticket.event.starts_at.localeCompare(b.ticket.event.starts_at))),
      () => setKept([]),
    )
  }, [])
  return (
    <div class="stack loose">
      <h1>{t('your_tickets')}</h1>
      {broken && (
        <div class="notice bad" role="alert">
          <strong>{t('bad_link')}</strong>
          <p>{t('bad_link_hint')}</p>
        </div>
      )}
      {kept?.length === 0 && (
        <div class="card stack">
          <h2>{t('no_tickets')}</h2>
          <p class="soft">{t('no_tickets_hint')}</p>
          <p>
            <a href="/">{t('find_event')}</a>
          </p>
        </div>
      )}
      <ul class="plain stack">
        {kept?.map(({ access, ticket }) => (
          <li key={access} class="stub-lift">
            <a class="stub kept" href={`#${access}`}>
              <span class="date-stub">
                <strong>{dayPartsIn(ticket.event.time_zone, ticket.event.starts_at).day}</strong>
                <span>{dayPartsIn(ticket.event.time_zone, ticket.event.starts_at).month}</span>
              </span>
              <span class="kept-face">
                <strong dir="auto">{ticket.event.name}</strong>
                <span class="soft">
                  {ticket.ticket_type.name} · {t('starts')}{' '}
                  {timeIn(ticket.event.time_zone, ticket.event.starts_at)}
                </span>
                <span class="mono small soft">{ticket.number}</span>
              </span>
            </a>
          </li>
        ))}
      </ul>
    </div>
  )
}
