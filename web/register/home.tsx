// The public home page: the events that are open for registration, each as a ticket.
import { listPublicEvents } from '../lib/api/public.ts'
import type { PublicEvent } from '../lib/api/types.ts'
import { dayPartsIn, momentIn, timeIn } from '../lib/time/zone.ts'
import { Loaded } from './loaded.tsx'
import { t } from './texts.ts'

export function Home() {
  return (
    <div class="stack loose">
      <div>
        <h1>{t('upcoming')}</h1>
        <p class="soft">{t('upcoming_hint')}</p>
      </div>
      <Loaded load={listPublicEvents}>
        {({ events }) =>
          events.length === 0 ? (
            <div class="card stack">
              <h2>{t('no_events')}</h2>
              <p class="soft">{t('no_events_hint')}</p>
            </div>
          ) : (
            <ul class="plain stack">
              {events.map(event => (
                <li key={event.slug}>
                  <EventStub event={event} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </div>
  )
}

function EventStub({ event }: { event: PublicEvent }) {
  const { weekday, day, month } = dayPartsIn(event.time_zone, event.starts_at)
  const soldOut = event.ticket_types.length > 0 && event.ticket_types.every(type => type.sold_out)
  return (
    <div class="stub-lift">
      <a class="stub event-stub" href={`/e/${encodeURIComponent(event.slug)}`}>
        <span class="date-stub">
          <span>{weekday}</span>
          <strong>{day}</strong>
          <span>{month}</span>
        </span>
        <span class="event-face">
          <strong class="event-name" dir="auto">
            {event.name}
          </strong>
          <span class="soft" dir="auto">
            {event.venue}
          </span>
          <time
            class="soft numeric"
            dateTime={event.starts_at}
            title={momentIn(event.time_zone, event.starts_at)}
          >
            {event.doors_at && `${t('doors')} ${timeIn(event.time_zone, event.doors_at)} · `}
            {t('starts')} {timeIn(event.time_zone, event.starts_at)}
          </time>
          <span>
            {soldOut ? (
              <span class="tag bad">{t('sold_out')}</span>
            ) : (
              <span class="go">{t('get_ticket')}</span>
            )}
          </span>
        </span>
      </a>
    </div>
  )
}
