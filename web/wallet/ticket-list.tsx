// The tickets kept on this phone: those with a name, those without, and purchases that are not finished.
import { useEffect, useState } from 'preact/hooks'
import type { Purchase, Token } from '../lib/anonymous/purchase.ts'
import { listPurchases, listTokens } from '../lib/db/anonymous-db.ts'
import { type KeptTicket, listKeptTickets } from '../lib/db/wallet-db.ts'
import { dayPartsIn, timeIn } from '../lib/time/zone.ts'
import { lazy } from '../lib/ui/lazy.tsx'
import { t } from './texts.ts'

const TokenStub = lazy(() => import('./token-stub.tsx').then(part => part.TokenStub))

type Kept = { tickets: KeptTicket[]; tokens: Token[]; purchases: Purchase[] }

/** A browser that keeps nothing shows an empty list. */
const orNone = <T,>(list: Promise<T[]>): Promise<T[]> => list.catch(() => [])

async function readKept(): Promise<Kept> {
  const [tickets, tokens, purchases] = await Promise.all([
    orNone(listKeptTickets()),
    orNone(listTokens()),
    orNone(listPurchases()),
  ])
  return {
    tickets: tickets.sort((a, b) => a.ticket.event.starts_at.localeCompare(b.ticket.event.starts_at)),
    // What it was exchanged for stands in the list by itself.
    tokens: tokens
      .filter(({ exchanged }) => !exchanged)
      .sort((a, b) => a.terms.expires.localeCompare(b.terms.expires)),
    purchases,
  }
}

export function TicketList({ broken }: { broken: boolean }) {
  const [kept, setKept] = useState<Kept | null>(null)
  useEffect(() => void readKept().then(setKept), [])
  const nothing = kept && kept.tickets.length + kept.tokens.length + kept.purchases.length === 0
  return (
    <div class="stack loose">
      <h1>{t('your_tickets')}</h1>
      {broken && (
        <div class="notice bad" role="alert">
          <strong>{t('bad_link')}</strong>
          <p>{t('bad_link_hint')}</p>
        </div>
      )}
      {kept?.purchases.map(({ id }) => (
        <div key={id} class="notice warn stack" data-unfinished>
          <strong>{t('unfinished')}</strong>
          <div>
            <a class="button" href={`#purchase=${id}`}>
              {t('continue')}
            </a>
          </div>
        </div>
      ))}
      {nothing && (
        <div class="card stack">
          <h2>{t('no_tickets')}</h2>
          <p class="soft">{t('no_tickets_hint')}</p>
          <p>
            <a href="/">{t('find_event')}</a>
          </p>
        </div>
      )}
      <ul class="plain stack">
        {kept?.tokens.map(token => (
          <li key={token.number} class="stub-lift">
            <TokenStub token={token} />
          </li>
        ))}
        {kept?.tickets.map(({ access, ticket }) => (
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
      {kept && (
        <p class="row">
          <a class="button quiet" href="#voucher">
            {t('voucher')}
          </a>
          <a class="button quiet" href="#backup">
            {t('backup')}
          </a>
        </p>
      )}
    </div>
  )
}
